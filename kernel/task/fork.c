/* SPDX-License-Identifier: MIT */
/* New processes and threads: fork, vfork, and the clones that libraries make of them. */
#include "kernel/task/fork.h"
#include "base/string.h"
#include "kernel/fs/file.h"
#include "kernel/fs/inode.h"
#include "kernel/planted.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/restart.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "kernel/task/shstk.h"
#include "uapi/errno.h"
#include "uapi/ptrace.h"
#include "uapi/sched.h"

struct clone_request {
    uint64_t flags; /* CLONE_*; the low byte is the signal sent at the end, 0 for none */
    uint64_t stack; /* 0: the parent's */
    uaddr_t parent_tid, child_tid;
    uint64_t tls;
    uint64_t stack_bytes; /* clone3's; 0 not known. Sizes a thread's shadow stack */
};

#define CLONE_FLAGS_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define CLONE_FLAGS_TIDS   (CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)
/* Nothing has an I/O context or System V semaphores. */
#define CLONE_FLAGS_VOID   (CLONE_SYSVSEM | CLONE_IO)
#define CLONE_FLAGS_KNOWN                                                             \
    (CSIGNAL | CLONE_FLAGS_THREAD | CLONE_FLAGS_TIDS | CLONE_FLAGS_VOID | CLONE_VFORK \
     | CLONE_PTRACE | CLONE_UNTRACED | CLONE_PARENT | CLONE_SETTLS | CLONE_DETACHED   \
     | CLONE_CLEAR_SIGHAND)

/* ---- Ways --------------------------------------------------------------- */

static const char *const way_names[] = {
    [FORK_AUTO] = "auto",
    [FORK_LEAVES] = "leaves",
    [FORK_TABLES] = "tables",
};

const char *fork_way_name(enum fork_way way) { return way_names[way]; }

bool fork_way_find(const char *name, enum fork_way *way)
{
    for (size_t i = 0; i < ARRAY_SIZE(way_names); i++) {
        if (strcmp(name, way_names[i]) == 0) {
            *way = (enum fork_way)i;
            return true;
        }
    }
    return false;
}

/* ---- Processes ---------------------------------------------------------- */

static void child_resources_put(struct process *child)
{
    files_put(child->files);
    fs_put(child->fs);
    if (child->mm)
        mm_put(child->mm);
}

/* The child's files, working directory and memory: copies, or as the flags say the parent's. */
static int child_resources(struct process *child, struct process *parent, uint64_t flags)
{
    int err = 0;
    child->files = flags & CLONE_FILES ? files_share(parent->files) : files_fork(parent->files);
    child->fs = flags & CLONE_FS ? fs_share(parent->fs) : fs_fork(parent->fs);
    if (!child->files || !child->fs)
        err = -ENOMEM;
    else if (!(flags & CLONE_VM))
        err = mm_fork(parent->mm, child->fork_way, &child->mm);
    else
        mm_hold(child->mm = parent->mm);
    if (err)
        child_resources_put(child);
    return err;
}

/* The values that the child process copies. */
static void process_inherit(struct process *child, uint64_t flags)
{
    struct process *parent = process_current();
    uint64_t irq = spin_lock_irq(&parent->lock);
    signal_actions_copy(child, parent, flags & CLONE_CLEAR_SIGHAND);
    memcpy(child->limits, parent->limits, sizeof(child->limits));
    memcpy(child->path, parent->path, sizeof(child->path));
    child->program = parent->program;
    program_hold(child->program);
    spin_unlock_irq(&parent->lock, irq);
    int signal = (int)(flags & CSIGNAL);
    child->exit_signal = signal <= SIGNAL_COUNT ? signal : 0;
}

/* What a new task copies: registers, masks and, unless it gets a stack of its own, the stack
 * pointer. */
static void task_inherit(struct task *task, const struct clone_request *request)
{
    struct task *self = task_current();
    memcpy(task->name, self->name, sizeof(task->name));
    task_signals_inherit(task, !(request->flags & CLONE_VM) || request->flags & CLONE_VFORK);
    task->affinity = self->affinity;
    task->clear_tid = uaddr(request->flags & CLONE_CHILD_CLEARTID ? request->child_tid.v : 0);
    task->arch.fs_base = request->flags & CLONE_SETTLS ? request->tls : arch_get_fs_base();
    task->arch.gs_base = arch_get_gs_base();
    arch_fpu_fork(&task->arch);

    struct trap_frame frame = *arch_user_frame(&self->arch);
    frame.rax = 0;
    if (request->stack)
        frame.rsp = request->stack;
    arch_task_init_user(&task->arch, &frame);
}

/* Write the new tid where the flags ask for it. The child's copy goes into its own memory. */
static void tids_store(struct task *task, const struct clone_request *request)
{
    int tid = task->tid;
    if (request->flags & CLONE_PARENT_SETTID)
        (void)!arch_copy_to_user(request->parent_tid, &tid, sizeof(tid));
    if (request->flags & CLONE_CHILD_SETTID)
        (void)!mm_access(task->mm, request->child_tid.v, &tid, sizeof(tid), GUP_WRITE);
}

/* Wait until the child has given the address space back. A parent that is being killed stops
 * waiting, and lets go of the child. */
static void vfork_wait(int child_tid, struct vfork *vfork)
{
    const struct task *self = task_current();
    wait_until_deaf(&vfork->maker->child_wait,
                    __atomic_load_n(&vfork->done, __ATOMIC_ACQUIRE) || signal_fatal_due(self));
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct task *child = task_find_locked(child_tid);
    if (child && child->vfork == vfork)
        child->vfork = NULL;
    spin_unlock_irq(&tasks_lock, irq);
}

/*
 * The child's shadow stack. A child with memory of its own has the copy of the parent's. A vfork
 * child uses the parent's, and must not unmap it. Any other child gets a new one.
 */
static int child_shstk(struct task *task, const struct clone_request *request)
{
    if (request->flags & CLONE_VM && !(request->flags & CLONE_VFORK))
        return shstk_thread(task, request->stack_bytes);
    shstk_fork(task);
    if (request->flags & CLONE_VFORK)
        task->shstk_start = task->shstk_bytes = 0;
    return 0;
}

/* As on Linux, a signal that is due comes first, and the call begins again. */
static bool clone_is_late(void)
{
    bool late = planted_fork(signal_due(task_current()));
    if (late)
        arch_request_user_return();
    return late;
}

/* The child is ready: it runs. Returns its pid once a vfork child has given the memory back; or a
 * negative errno, and nobody knows the child. */
static long child_begin(struct process *child, const struct clone_request *request,
                        struct trace_clone *trace)
{
    struct vfork vfork = { .maker = process_current() };
    struct task *task = process_task(child);
    if (request->flags & CLONE_VFORK)
        task->vfork = &vfork;
    int err = process_publish(child, vfork.maker, request->flags & CLONE_PARENT);
    if (err)
        return err;
    trace_clone_adopt(trace, task);
    tids_store(task, request);
    int pid = child->pid;
    sched_add(task);
    trace_clone_end(trace, pid);
    if (request->flags & CLONE_VFORK) {
        vfork_wait(pid, &vfork);
        trace_event(PTRACE_EVENT_VFORK_DONE, (uint64_t)pid);
    }
    return pid;
}

static long clone_process(const struct clone_request *request)
{
    if (clone_is_late())
        return -ERESTARTNOINTR;
    struct process *parent = process_current(), *child = process_create();
    if (!child)
        return -ENOMEM;
    child->fork_way = __atomic_load_n(&parent->fork_way, __ATOMIC_RELAXED);
    int err = child_resources(child, parent, request->flags);
    if (err)
        goto undo_process;
    struct task *task = process_task(child);
    struct trace_clone trace;
    err = trace_clone_begin(&trace, request->flags);
    if (!err)
        err = child_shstk(task, request);
    if (err)
        goto undo_trace;
    process_inherit(child, request->flags);
    task->mm = child->mm;
    task_inherit(task, request);
    long pid = child_begin(child, request, &trace);
    if (pid > 0)
        return pid;
    err = (int)pid;
    program_end(child->program);
    shstk_thread_end(task);
undo_trace:
    trace_clone_end(&trace, 0);
    child_resources_put(child);
undo_process:
    process_discard(child);
    return err;
}

static long clone_thread(const struct clone_request *request)
{
    if (clone_is_late())
        return -ERESTARTNOINTR;
    struct task *task = thread_create();
    if (!task)
        return -ENOMEM;
    task->mm = task_current()->mm;
    int err = shstk_thread(task, request->stack_bytes);
    if (err) {
        task_free(task);
        return err;
    }
    mm_hold(task->mm);
    task_inherit(task, request);
    struct trace_clone trace;
    err = trace_clone_begin(&trace, request->flags);
    if (!err)
        err = thread_publish(task);
    if (err) {
        trace_clone_end(&trace, 0);
        shstk_thread_end(task);
        mm_put(task->mm);
        task_free(task);
        return err;
    }
    tids_store(task, request);
    int tid = task->tid;
    trace_clone_adopt(&trace, task);
    sched_add(task);
    trace_clone_end(&trace, tid);
    return tid;
}

/* Refuse the combinations that Linux refuses. Threads get the full set of flags that pthreads use,
 * or none; handlers are shared by threads only; there are no namespaces and no pidfds. */
static long clone_checked(const struct clone_request *request)
{
    uint64_t flags = request->flags;
    if (flags & ~(uint64_t)CLONE_FLAGS_KNOWN || (flags & CLONE_THREAD && !(flags & CLONE_SIGHAND))
        || (flags & CLONE_SIGHAND && (!(flags & CLONE_VM) || flags & CLONE_CLEAR_SIGHAND))
        || (flags & CLONE_PARENT && process_current() == init_process))
        return -EINVAL;
    if (flags & CLONE_SETTLS && request->tls >= USER_END)
        return -EPERM;
    if (flags & CLONE_THREAD)
        return (flags & CLONE_FLAGS_THREAD) == CLONE_FLAGS_THREAD && !(flags & CLONE_VFORK)
                   ? clone_thread(request)
                   : -EINVAL;
    return flags & CLONE_SIGHAND ? -EINVAL : clone_process(request);
}

long sys_fork(void)
{
    struct clone_request request = { .flags = SIGCHLD };
    return clone_process(&request);
}

long sys_vfork(void)
{
    struct clone_request request = { .flags = CLONE_VM | CLONE_VFORK | SIGCHLD };
    return clone_process(&request);
}

long sys_clone(uint64_t flags, uint64_t stack, uaddr_t parent_tid, uaddr_t child_tid, uint64_t tls)
{
    struct clone_request request = { (uint32_t)flags, stack, parent_tid, child_tid, tls, 0 };
    return clone_checked(&request);
}

/* clone3(args, size): the fields of its first version; larger structures must hold zeros behind
 * it. */
long sys_clone3(uaddr_t from, size_t size)
{
    struct clone_args args;
    if (size < sizeof(args))
        return -EINVAL;
    if (size > PAGE_SIZE)
        return -E2BIG;
    if (arch_copy_from_user(&args, from, sizeof(args)))
        return -EFAULT;
    for (uint64_t at = sizeof(args); at < size; at++) {
        uint8_t byte;
        if (arch_copy_from_user(&byte, uaddr(from.v + at), 1))
            return -EFAULT;
        if (byte)
            return -E2BIG;
    }
    if (args.flags & (CSIGNAL | CLONE_DETACHED) || args.exit_signal > SIGNAL_COUNT
        || (args.flags & (CLONE_THREAD | CLONE_PARENT) && args.exit_signal)
        || !args.stack != !args.stack_size)
        return -EINVAL;
    struct clone_request request = {
        args.flags | args.exit_signal,
        args.stack + args.stack_size,
        uaddr(args.parent_tid),
        uaddr(args.child_tid),
        args.tls,
        args.stack_size,
    };
    return clone_checked(&request);
}

/* ---- Unsharing ---------------------------------------------------------- */

int process_unshare(uint64_t flags)
{
    struct process *process = process_current();
    struct files *files = process->files, *new_files = files;
    struct fs *fs = process->fs, *new_fs = fs;
    if (flags & CLONE_FILES && __atomic_load_n(&files->refs, __ATOMIC_ACQUIRE) > 1)
        new_files = files_fork(files);
    if (flags & CLONE_FS && __atomic_load_n(&fs->refs, __ATOMIC_ACQUIRE) > 1)
        new_fs = fs_fork(fs);
    bool done = new_files && new_fs;
    if (done) {
        process->files = new_files;
        process->fs = new_fs;
    }
    if (new_files != files)
        files_put(done ? files : new_files);
    if (new_fs != fs)
        fs_put(done ? fs : new_fs);
    return done ? 0 : -ENOMEM;
}

/* What threads share they cannot cease to share. */
long sys_unshare(uint64_t flags)
{
    bool alone = process_thread_count(process_current()) == 1
                 && (!(flags & CLONE_VM)
                     || __atomic_load_n(&task_current()->mm->users, __ATOMIC_RELAXED) == 1);
    if (flags & ~(uint64_t)(CLONE_FLAGS_THREAD | CLONE_SYSVSEM)
        || (flags & CLONE_FLAGS_THREAD && !alone))
        return -EINVAL;
    return process_unshare(flags);
}
