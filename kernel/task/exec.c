/* SPDX-License-Identifier: MIT */
/*
 * Starting programs: static ELF executables, position independent or not, and #! scripts. A new
 * address space is made complete before the old one goes, so that a failure leaves the caller as it
 * was.
 */
#include "kernel/task/exec.h"

#include "base/log.h"
#include "base/string.h"
#include "kernel/fs/file.h"
#include "kernel/fs/inode.h"
#include "kernel/fs/path.h"
#include "kernel/fs/path_of.h"
#include "kernel/planted.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/args.h"
#include "kernel/task/elf.h"
#include "kernel/task/exit.h"
#include "kernel/task/fork.h"
#include "kernel/task/process.h"
#include "kernel/task/script.h"
#include "kernel/task/shstk.h"
#include "kernel/task/usage.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/sched.h"

#define SCRIPT_DEPTH 4

/* A program ready to run in an address space of its own. */
struct program {
    struct elf_plan plan;
    bool marked; /* asks for a shadow stack in its property note */
    struct mm *mm;
    uint64_t sp;
    union {
        char header[ELF_HEADER_BYTES];
        char headers[ELF_PROGRAM_HEADERS_MAX * ELF_PROGRAM_HEADER_BYTES];
        char note[ELF_NOTE_BYTES_MAX];
    } bytes; /* of the file, while the plan is made */
};

/* ---- The plan ----------------------------------------------------------- */

static int read_exactly(struct file *file, void *to, size_t len, uint64_t at)
{
    long got = file_read_kernel(file, to, len, at);
    return got < 0 ? (int)got : (size_t)got == len ? 0 : -ENOEXEC;
}

static int plan_make(struct program *program, struct file *file)
{
    struct elf_plan *plan = &program->plan;
    int err = read_exactly(file, program->bytes.header, ELF_HEADER_BYTES, 0);
    if (err)
        return err;
    err = elf_begin(plan, program->bytes.header);
    if (err)
        return err;
    err = read_exactly(file, program->bytes.headers, plan->headers_bytes, plan->headers_at);
    if (err)
        return err;
    err = elf_finish(plan, program->bytes.headers, STACK_TOP);
    if (err)
        return err;
    program->marked = plan->note_bytes
                      && !read_exactly(file, program->bytes.note, plan->note_bytes, plan->note_at)
                      && elf_note_marks_shstk(program->bytes.note, plan->note_bytes);
    return 0;
}

/* ---- Mapping it --------------------------------------------------------- */

static int map_fixed(struct mm *mm, uint64_t start, uint64_t end, uint32_t flags,
                     struct vm_source *source, uint64_t page)
{
    struct map_request request = {
        .start = start,
        .len = end - start,
        .flags = flags,
        .fixed = true,
        .source = source,
        .source_page = page,
    };
    return start < end ? mm_map(mm, &request, &request.start) : 0;
}

/* Zero the rest of the last page that holds bytes of the file. */
static int tail_zero(struct mm *mm, uint64_t from, uint64_t to)
{
    static const char zeros[PAGE_SIZE];
    long done = from < to ? mm_access(mm, from, (void *)zeros, to - from, GUP_WRITE | GUP_FORCE)
                          : 0;
    return done < 0 ? (int)done : 0;
}

static int segment_map(struct mm *mm, const struct elf_segment *segment, struct vm_source *source)
{
    uint32_t flags = (segment->read ? VM_READ : 0) | (segment->write ? VM_WRITE : 0)
                     | (segment->execute ? VM_EXEC : 0);
    int err = map_fixed(mm, segment->start, segment->file_end, flags, source, segment->file_page);
    if (err)
        return err;
    err = tail_zero(mm, segment->tail, segment->tail_end);
    return err ? err : map_fixed(mm, segment->file_end, segment->end, flags, NULL, 0);
}

static int segments_map(struct mm *mm, const struct elf_plan *plan, struct file *file)
{
    struct vm_source *source = file->ops->source ? file->ops->source(file) : NULL;
    if (!source)
        return -EACCES;
    int err = 0;
    for (unsigned i = 0; i < plan->segment_count && !err; i++)
        err = segment_map(mm, &plan->segment[i], source);
    source->release(source);
    if (!err)
        mm_brk_init(mm, plan->end);
    return err;
}

static int program_load(struct program *program, struct file *file, const struct arguments *args)
{
    int err = plan_make(program, file);
    if (err)
        return err;
    err = stack_map(program->mm, args);
    if (err)
        return err;
    err = segments_map(program->mm, &program->plan, file);
    return err ? err : stack_build(program->mm, args, &program->plan, &program->sp);
}

/* Load the program in file, with args. NULL with the errno on failure. */
static struct program *program_create(struct file *file, const struct arguments *args, int *err)
{
    struct program *program = kzalloc(sizeof(*program));
    *err = -ENOMEM;
    if (!program)
        return NULL;
    program->mm = mm_create();
    if (program->mm)
        *err = program_load(program, file, args);
    if (!*err)
        return program;
    if (program->mm)
        mm_put(program->mm);
    kfree(program);
    return NULL;
}

/* ---- Changing over ------------------------------------------------------ */

/* The part of a path behind its last slash. */
static const char *base_name(const char *path)
{
    const char *name = path;
    for (; *path; path++) {
        if (*path == '/')
            name = path + 1;
    }
    return name;
}

/* From now on the process runs file, of this path, in mm. Returns the old address space, which the
 * caller gives back; NULL for the first program. */
static struct mm *process_take_mm(struct process *process, struct mm *mm, struct inode *file,
                                  const char *path)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    process->exit_signal = SIGCHLD;
    process->execed = true;
    spin_lock(&process->lock);
    struct mm *old = process->mm;
    struct inode *old_file = process->program;
    process->mm = mm;
    process->program = file;
    signals_exec(process);
    snprintf(process->path, sizeof(process->path), "%s", path);
    spin_unlock(&process->lock);
    spin_unlock_irq(&tasks_lock, irq);
    program_end(old_file);
    return old;
}

/* The last task leaves the old program's memory, and the memory goes. */
static void memory_change(struct task *task, struct mm *mm, struct inode *file, const char *path)
{
    if (task->mm) {
        usage_note_peak(task->mm, false);
        task_tell_memory(task);
    }
    struct mm *old = process_take_mm(task->process, mm, file, path);
    task->mm = mm;
    mm_activate(mm);
    if (old)
        mm_put(old);
    task_vfork_done(task);
}

/*
 * Become the program. file is the program's file, for which program_begin() was called; the process
 * takes it over. path is where it lies, name is what it was called by. From here on nothing returns
 * an error: a failure kills the new program.
 */
static void change_over(const struct program *program, struct inode *file, const char *path,
                        const char *name, struct trap_frame *frame)
{
    struct task *task = task_current();
    timers_exec(task->process);
    memory_change(task, program->mm, file, path);
    task_rename(base_name(name));
    arch_set_fs_base(0);
    arch_set_gs_base(0);
    arch_fpu_reset();
    if (process_unshare(planted_exec(CLONE_FILES)))
        signal_force_kernel(SIGKILL, false);
    else
        files_close_on_exec(task->process->files);
    if (shstk_exec(task, program->mm, program->marked))
        signal_force_kernel(SIGKILL, false);
    if (program->plan.entry >= USER_END) {
        log_line("exec: %s begins at %#lx, which is not in user space", path, program->plan.entry);
        signal_force_kernel(SIGSEGV, false);
    }
    arch_frame_start_user(frame, program->plan.entry, program->sp);
}

static int program_exec(struct file *file, const char *path, const struct arguments *args,
                        struct trap_frame *frame)
{
    int err;
    struct program *program = program_create(file, args, &err);
    if (!program)
        return err;
    err = threads_end_others();
    if (err) {
        mm_put(program->mm);
        kfree(program);
        return err;
    }
    /* ---- The point of no return ---- */
    change_over(program, file->inode, path, args->path, frame);
    kfree(program);
    return 0;
}

/* ---- Scripts ------------------------------------------------------------ */

/* Open path, which starts at the working directory, for running. Writers are refused until
 * program_end(). absolute becomes the file's absolute path. */
static int executable_open(const char *path, char absolute[PATH_MAX_BYTES], struct file **file)
{
    int err = file_open(path, O_RDONLY, 0, file);
    if (err)
        return err;
    err = file_is_executable(*file) ? program_begin((*file)->inode) : -EACCES;
    if (err)
        file_put(*file);
    else if (path_of((*file)->inode, absolute, PATH_MAX_BYTES))
        snprintf(absolute, PATH_MAX_BYTES, "%s", path); /* the file has just been removed */
    return err;
}

/* Run path. If it is a script, put the interpreter's path in path and return 1. */
static int path_exec(char *path, struct arguments *args, struct trap_frame *frame)
{
    char absolute[PATH_MAX_BYTES], line[SCRIPT_LINE_BYTES + 1] = "";
    char *interpreter, *argument;
    struct file *file;
    int err = executable_open(path, absolute, &file);
    if (err)
        return err;
    long got = file_read_kernel(file, line, SCRIPT_LINE_BYTES, 0);
    if (got < 0)
        err = got == -EISDIR ? -EACCES : (int)got;
    else if (line[0] != '#' || line[1] != '!')
        err = program_exec(file, absolute, args, frame);
    else
        err = script_parse(line, (size_t)got, &interpreter, &argument);
    bool runs = !err && line[0] != '#';
    if (!runs)
        program_end(file->inode);
    file_put(file);
    if (err || runs)
        return err;
    err = args_prepend(args, interpreter, argument, path);
    if (err)
        return err;
    snprintf(path, PATH_MAX_BYTES, "%s", interpreter);
    return 1;
}

/* Run path, of PATH_MAX_BYTES, with args, following #! lines. Both change on the way. */
static int scripts_exec(char *path, struct arguments *args, struct trap_frame *frame)
{
    for (int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
        int err = path_exec(path, args, frame);
        if (err <= 0)
            return err;
    }
    return -ELOOP;
}

/* ---- The calls ---------------------------------------------------------- */

int process_exec(const char *path, const char *const argv[], const char *const envp[],
                 struct trap_frame *frame)
{
    char at[PATH_MAX_BYTES];
    struct arguments args;
    int err = args_begin(&args, path);
    if (err)
        return err;
    snprintf(at, sizeof(at), "%s", path);
    err = args_from_kernel(&args, argv, envp);
    if (!err)
        err = scripts_exec(at, &args, frame);
    args_free(&args);
    return err;
}

long sys_execve(uaddr_t user_path, uaddr_t argv, uaddr_t envp)
{
    char given[PATH_MAX_BYTES], at[PATH_MAX_BYTES];
    struct arguments args;
    long len = arch_strncpy_from_user(given, user_path, sizeof(given));
    if (len < 0)
        return len;
    int err = args_begin(&args, given);
    if (err)
        return err;
    memcpy(at, given, (size_t)len + 1);
    struct task *task = task_current();
    int tid = task->tid; /* a new program's is the pid */
    err = args_from_user(&args, argv, envp);
    if (!err)
        err = scripts_exec(at, &args, arch_user_frame(&task->arch));
    args_free(&args);
    if (!err && task_traced(task))
        trace_exec(tid);
    return err; /* on success RAX of the new frame: 0 */
}
