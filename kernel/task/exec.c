/* SPDX-License-Identifier: MIT */
/*
 * Starting programs: static ELF executables, position independent or not, and #! scripts. A new
 * address space is made complete before the old one goes, so that a failure leaves the caller as it
 * was.
 */
#include <elf.h>

#include "base/string.h"
#include "kernel/fs/file.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/exec.h"
#include "kernel/task/exit.h"
#include "kernel/task/shstk.h"
#include "kernel/task/task.h"
#include "mm/slab.h"
#include "uapi/errno.h"

/* where Linux puts static-PIE programs without randomisation */
#define PIE_BASE        0x555555554000ull
#define STACK_TOP       (USER_END - PAGE_SIZE)
#define ARG_STRINGS_MAX 1024
#define ARG_BYTES_MAX   (128u << 10) /* of strings; E2BIG beyond */
#define HEADERS_MAX     32
#define SCRIPT_DEPTH    4

/* Strings for the new stack, copied out of the old address space. */
struct arguments {
    char *bytes; /* argv strings, then envp strings, each with its zero */
    size_t len;
    unsigned argc, envc;
    const char *path; /* AT_EXECFN */
};

/* What an ELF file says about itself. */
struct image {
    Elf64_Ehdr ehdr;
    Elf64_Phdr phdr[HEADERS_MAX];
    uint64_t bias; /* added to every address of the file */
    uint64_t end;  /* where its last segment ends, biased */
    bool marked;   /* asks for a shadow stack in its property note */
};

/* ---- Reading the file --------------------------------------------------- */

static int read_exactly(struct file *file, void *to, size_t len, uint64_t at)
{
    long got = file_read_kernel(file, to, len, at);
    return got < 0 ? (int)got : (size_t)got == len ? 0 : -ENOEXEC;
}

/* Does a .note.gnu.property (of at most 512 bytes) set SHSTK? Notes: name size, descriptor size,
 * type, "GNU", properties. */
static bool note_marks_shstk(struct file *file, const Elf64_Phdr *header)
{
    uint32_t words[128];
    size_t bytes = min_u64(header->p_filesz, sizeof(words));
    if (read_exactly(file, words, bytes, header->p_offset) || bytes < 16)
        return false;
    if (words[0] != 4 || words[2] != 5 || memcmp(&words[3], "GNU", 4) != 0)
        return false;
    size_t end = min_u64(16 + words[1], bytes);
    for (size_t at = 16; at + 12 <= end;) { /* type, size, data padded to 8 */
        uint32_t type = words[at / 4], size = words[at / 4 + 1];
        if (type == GNU_PROPERTY_X86_FEATURE_1_AND && size >= 4)
            return words[at / 4 + 2] & GNU_PROPERTY_X86_FEATURE_1_SHSTK;
        if (size > end)
            return false;
        at += 8 + align_up(size, 8);
    }
    return false;
}

static int segment_check(const struct image *image, const Elf64_Phdr *header)
{
    uint64_t start = header->p_vaddr + image->bias, end = start + header->p_memsz;
    bool sane = header->p_filesz <= header->p_memsz && end >= start && end < STACK_TOP
                && header->p_vaddr % PAGE_SIZE == header->p_offset % PAGE_SIZE;
    return sane ? 0 : -ENOEXEC;
}

static int image_read(struct file *file, struct image *image)
{
    const Elf64_Ehdr *ehdr = &image->ehdr;
    int err = read_exactly(file, &image->ehdr, sizeof(image->ehdr), 0);
    if (err)
        return err;
    if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0 || ehdr->e_ident[EI_CLASS] != ELFCLASS64
        || ehdr->e_machine != EM_X86_64 || (ehdr->e_type != ET_EXEC && ehdr->e_type != ET_DYN)
        || ehdr->e_phentsize != sizeof(Elf64_Phdr) || ehdr->e_phnum == 0
        || ehdr->e_phnum > HEADERS_MAX)
        return -ENOEXEC;
    err = read_exactly(file, image->phdr, ehdr->e_phnum * sizeof(Elf64_Phdr), ehdr->e_phoff);
    image->bias = ehdr->e_type == ET_DYN ? PIE_BASE : 0;
    for (unsigned i = 0; i < ehdr->e_phnum && !err; i++) {
        const Elf64_Phdr *header = &image->phdr[i];
        if (header->p_type == PT_INTERP)
            return -ENOEXEC; /* dynamic programs need a loader that is not here */
        if (header->p_type == PT_GNU_PROPERTY)
            image->marked = note_marks_shstk(file, header);
        if (header->p_type == PT_LOAD) {
            err = segment_check(image, header);
            image->end = max_u64(image->end, header->p_vaddr + image->bias + header->p_memsz);
        }
    }
    return err ? err : image->end ? 0 : -ENOEXEC;
}

/* ---- Mapping it --------------------------------------------------------- */

static int map_fixed(struct mm *mm, uint64_t start, uint64_t len, uint32_t flags,
                     struct vm_source *source, uint64_t page)
{
    struct map_request request = {
        .start = start,
        .len = len,
        .flags = flags,
        .fixed = true,
        .source = source,
        .source_page = page,
    };
    uint64_t at;
    return len ? mm_map(mm, &request, &at) : 0;
}

/* Zero what follows the file's bytes in the last page that holds some. */
static int tail_zero(struct mm *mm, uint64_t from, uint64_t to)
{
    static const char zeros[PAGE_SIZE];
    long done = from < to ? mm_access(mm, from, (void *)zeros, to - from, GUP_WRITE | GUP_FORCE)
                          : 0;
    return done < 0 ? (int)done : 0;
}

static int segment_map(struct mm *mm, const struct image *image, const Elf64_Phdr *header,
                       struct vm_source *source)
{
    uint32_t flags = (header->p_flags & PF_R ? VM_READ : 0)
                     | (header->p_flags & PF_W ? VM_WRITE : 0)
                     | (header->p_flags & PF_X ? VM_EXEC : 0);
    uint64_t va = header->p_vaddr + image->bias, start = align_down(va, PAGE_SIZE);
    uint64_t file_end = align_up(va + header->p_filesz, PAGE_SIZE),
             end = align_up(va + header->p_memsz, PAGE_SIZE);
    if (!header->p_filesz)
        file_end = start;
    int err = map_fixed(mm, start, file_end - start, flags, source,
                        align_down(header->p_offset, PAGE_SIZE) >> PAGE_SHIFT);
    if (!err && header->p_memsz > header->p_filesz) {
        err = header->p_filesz
                  ? tail_zero(mm, va + header->p_filesz, min_u64(file_end, va + header->p_memsz))
                  : 0;
        if (!err)
            err = map_fixed(mm, file_end, end - file_end, flags, NULL, 0);
    }
    return err;
}

static int image_map(struct mm *mm, const struct image *image, struct file *file)
{
    struct vm_source *source = file->ops->source ? file->ops->source(file) : NULL;
    if (!source)
        return -EACCES;
    int err = 0;
    for (unsigned i = 0; i < image->ehdr.e_phnum && !err; i++) {
        if (image->phdr[i].p_type == PT_LOAD)
            err = segment_map(mm, image, &image->phdr[i], source);
    }
    source->release(source);
    if (!err)
        mm_brk_init(mm, image->end);
    return err;
}

/* ---- The first stack ---------------------------------------------------- */

/* The program headers' address in memory: where the segment that holds them is mapped. */
static uint64_t phdr_address(const struct image *image)
{
    for (unsigned i = 0; i < image->ehdr.e_phnum; i++) {
        const Elf64_Phdr *header = &image->phdr[i];
        uint64_t at = image->ehdr.e_phoff - header->p_offset;
        if (header->p_type == PT_LOAD && image->ehdr.e_phoff >= header->p_offset
            && at < header->p_filesz)
            return header->p_vaddr + image->bias + at;
    }
    return 0;
}

static unsigned auxv_fill(uint64_t *words, const struct image *image, uint64_t random,
                          uint64_t platform, uint64_t execfn)
{
    const uint64_t pairs[][2] = {
        { AT_PAGESZ, PAGE_SIZE },
        { AT_PHDR, phdr_address(image) },
        { AT_PHENT, sizeof(Elf64_Phdr) },
        { AT_PHNUM, image->ehdr.e_phnum },
        { AT_BASE, 0 },
        { AT_FLAGS, 0 },
        { AT_ENTRY, image->ehdr.e_entry + image->bias },
        { AT_UID, 0 },
        { AT_EUID, 0 },
        { AT_GID, 0 },
        { AT_EGID, 0 },
        { AT_SECURE, 0 },
        { AT_CLKTCK, 100 },
        { AT_HWCAP, 0 },
        { AT_HWCAP2, 0 },
        { AT_RANDOM, random },
        { AT_PLATFORM, platform },
        { AT_EXECFN, execfn },
        { AT_NULL, 0 },
    };
    memcpy(words, pairs, sizeof(pairs));
    return sizeof(pairs) / sizeof(uint64_t);
}

/* Pointers to count strings that lie one behind the other from *at on, and a NULL. */
static unsigned pointers_fill(uint64_t *words, unsigned count, const char **text, uint64_t *at)
{
    for (unsigned i = 0; i < count; i++) {
        size_t len = strlen(*text) + 1;
        words[i] = *at;
        *at += len;
        *text += len;
    }
    words[count] = 0;
    return count + 1;
}

/*
 * Lay the stack out as the System V ABI and Linux have it, from the top: path, strings, platform,
 * 16 random bytes, then the auxiliary vector, envp, argv, argc at a 16-byte aligned *sp.
 */
static int stack_build(struct mm *mm, const struct arguments *args, const struct image *image,
                       uint64_t *sp)
{
    uint64_t *words = kmalloc((64 + args->argc + args->envc) * sizeof(uint64_t));
    if (!words)
        return -ENOMEM;
    uint64_t random[2];
    size_t path_len = strlen(args->path) + 1;
    uint64_t execfn = STACK_TOP - 8 - path_len, strings = execfn - args->len;
    uint64_t platform = align_down(strings - 8, 16), random_at = platform - 16, at = strings;
    arch_random(random, sizeof(random));

    unsigned count = 0;
    const char *text = args->bytes;
    words[count++] = args->argc;
    count += pointers_fill(words + count, args->argc, &text, &at);
    count += pointers_fill(words + count, args->envc, &text, &at);
    count += auxv_fill(words + count, image, random_at, platform, execfn);
    *sp = align_down(random_at - count * sizeof(uint64_t), 16);

    const struct {
        uint64_t at;
        const void *from;
        size_t len;
    } parts[] = {
        { execfn, args->path, path_len },
        { strings, args->bytes, args->len },
        { platform, "x86_64", 7 },
        { random_at, random, sizeof(random) },
        { *sp, words, count * sizeof(uint64_t) },
    };
    int err = 0;
    for (size_t i = 0; i < ARRAY_SIZE(parts) && !err; i++) {
        long done = mm_access(mm, parts[i].at, (void *)parts[i].from, parts[i].len, GUP_WRITE);
        err = done < 0 ? (int)done : (size_t)done == parts[i].len ? 0 : -ENOMEM;
    }
    kfree(words);
    return err;
}

static int stack_map(struct mm *mm, const struct arguments *args)
{
    uint64_t words = (64 + args->argc + args->envc) * sizeof(uint64_t);
    uint64_t bytes = align_up(args->len + words + PATH_MAX_BYTES + PAGE_SIZE, PAGE_SIZE)
                     + 32 * PAGE_SIZE;
    return map_fixed(mm, STACK_TOP - bytes, bytes, VM_READ | VM_WRITE | VM_STACK | VM_GROWSDOWN,
                     NULL, 0);
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

/* From here on nothing can fail but the shadow stack, and that kills the program rather than
 * resume the old one. */
static void change_over(struct mm *mm, const char *path)
{
    struct task *task = task_current();
    struct process *process = task->process;
    shstk_thread_end(task); /* others may go on in the old address space */
    uint64_t irq = spin_lock_irq(&process->lock);
    struct mm *old = process->mm;
    process->mm = mm;
    for (int i = 1; i <= SIGNAL_COUNT; i++) {
        if (process->action[i].handler > 1)
            process->action[i] = (struct signal_action){ 0 };
    }
    snprintf(process->path, sizeof(process->path), "%s", path);
    spin_unlock_irq(&process->lock, irq);
    task->mm = mm;
    mm_activate(mm);
    if (old)
        mm_put(old);
    task_vfork_done(task);
    task->clear_tid = task->robust_list = uaddr(0);
    snprintf(task->name, sizeof(task->name), "%s", base_name(path));
    arch_set_fs_base(0);
    arch_set_gs_base(0);
    arch_fpu_reset(&task->arch);
    files_close_on_exec(process->files);
}

static int image_exec(struct file *file, const char *path, const struct arguments *args,
                      struct trap_frame *frame)
{
    struct image *image = kzalloc(sizeof(*image));
    struct mm *mm = image ? mm_create() : NULL;
    uint64_t sp;
    int err = mm ? image_read(file, image) : -ENOMEM;
    if (!err)
        err = stack_map(mm, args);
    if (!err)
        err = image_map(mm, image, file);
    if (!err)
        err = stack_build(mm, args, image, &sp);
    if (!err)
        err = threads_end_others();
    if (!err) {
        change_over(mm, path);
        if (shstk_exec(task_current(), mm, image->marked))
            signal_force(SIGKILL);
        arch_frame_start_user(frame, image->ehdr.e_entry + image->bias, sp);
    } else if (mm) {
        mm_put(mm);
    }
    kfree(image);
    return err;
}

/* ---- Arguments ---------------------------------------------------------- */

static int args_add(struct arguments *args, const char *text)
{
    size_t len = strlen(text) + 1;
    if (len > ARG_BYTES_MAX - args->len)
        return -E2BIG;
    memcpy(args->bytes + args->len, text, len);
    args->len += len;
    return 0;
}

/* Add the strings a user array points to, up to its NULL. A NULL array is empty, as on Linux. */
static int args_add_user(struct arguments *args, uaddr_t array, unsigned *count)
{
    for (unsigned i = 0; array.v; i++) {
        uint64_t pointer;
        if (arch_copy_from_user(&pointer, uaddr(array.v + i * 8), sizeof(pointer)))
            return -EFAULT;
        if (!pointer)
            return 0;
        if (i == ARG_STRINGS_MAX)
            return -E2BIG;
        long len = arch_strncpy_from_user(args->bytes + args->len, uaddr(pointer),
                                          ARG_BYTES_MAX - args->len);
        if (len < 0)
            return len == -ENAMETOOLONG ? -E2BIG : (int)len;
        args->len += (size_t)len + 1;
        (*count)++;
    }
    return 0;
}

/* "#!INTERPRETER [ARGUMENT]": put both and the script's path before the other arguments; *path
 * becomes the interpreter. */
static int script_arguments(const char *line, const char *script, struct arguments *args,
                            char *path, size_t path_size)
{
    char words[128], *interpreter, *argument = NULL;
    snprintf(words, sizeof(words), "%s", line + 2);
    char *end = strchr(words, '\n');
    if (!end)
        return -ENOEXEC;
    *end = 0;
    for (interpreter = words; *interpreter == ' '; interpreter++) {}
    char *space = strchr(interpreter, ' ');
    if (space) {
        *space = 0;
        for (argument = space + 1; *argument == ' '; argument++) {}
    }
    struct arguments new = { kmalloc(ARG_BYTES_MAX), 0, 0, args->envc, path };
    if (!new.bytes)
        return -ENOMEM;
    size_t skip = args->argc ? strlen(args->bytes) + 1 : 0; /* the old argv[0] goes */
    int err = args_add(&new, interpreter);
    if (!err && argument && *argument)
        err = args_add(&new, argument);
    if (!err)
        err = args_add(&new, script);
    if (!err && args->len - skip > ARG_BYTES_MAX - new.len)
        err = -E2BIG;
    if (err) {
        kfree(new.bytes);
        return err;
    }
    memcpy(new.bytes + new.len, args->bytes + skip, args->len - skip);
    new.len += args->len - skip;
    new.argc = (args->argc ? args->argc - 1 : 0) + 2 + (argument && *argument);
    snprintf(path, path_size, "%s", interpreter);
    kfree(args->bytes);
    *args = new;
    return 0;
}

/* Run path with args, following #! lines. path (of PATH_MAX_BYTES) and args change on the way. */
static int exec_path(char *path, struct arguments *args, struct trap_frame *frame)
{
    for (int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
        struct file *file;
        char line[128] = { 0 }, absolute[PATH_MAX_BYTES];
        int err = path[0] ? files_path(process_current()->files, path, absolute, sizeof(absolute))
                          : -ENOENT;
        if (!err)
            err = file_open(absolute, 0, 0, &file);
        if (err)
            return err;
        long got = file_read_kernel(file, line, sizeof(line) - 1, 0);
        if (got < 0)
            err = got == -EISDIR ? -EACCES : (int)got;
        bool script = line[0] == '#' && line[1] == '!';
        if (!err && !file_is_executable(file))
            err = -EACCES;
        if (!err && !script)
            err = image_exec(file, path, args, frame);
        file_put(file);
        if (err || !script)
            return err;
        char name[PATH_MAX_BYTES];
        snprintf(name, sizeof(name), "%s", path);
        err = script_arguments(line, name, args, path, PATH_MAX_BYTES);
        if (err)
            return err;
    }
    return -ELOOP;
}

int process_exec(const char *path, const char *const argv[], const char *const envp[],
                 struct trap_frame *frame)
{
    char name[PATH_MAX_BYTES];
    struct arguments args = { kmalloc(ARG_BYTES_MAX), 0, 0, 0, name };
    if (!args.bytes)
        return -ENOMEM;
    snprintf(name, sizeof(name), "%s", path);
    int err = 0;
    for (; argv[args.argc] && !err; args.argc++)
        err = args_add(&args, argv[args.argc]);
    for (; envp[args.envc] && !err; args.envc++)
        err = args_add(&args, envp[args.envc]);
    if (!err)
        err = exec_path(name, &args, frame);
    kfree(args.bytes);
    return err;
}

long sys_execve(uaddr_t user_path, uaddr_t argv, uaddr_t envp)
{
    char path[PATH_MAX_BYTES];
    long len = arch_strncpy_from_user(path, user_path, sizeof(path));
    if (len < 0)
        return len;
    struct arguments args = { kmalloc(ARG_BYTES_MAX), 0, 0, 0, path };
    if (!args.bytes)
        return -ENOMEM;
    int err = args_add_user(&args, argv, &args.argc);
    if (!err)
        err = args_add_user(&args, envp, &args.envc);
    if (!err)
        err = exec_path(path, &args, arch_user_frame(&task_current()->arch));
    kfree(args.bytes);
    return err; /* on success RAX of the new frame: 0 */
}
