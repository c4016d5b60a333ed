/* SPDX-License-Identifier: MIT */
/* New processes: fork, vfork and the clones that libraries make of them. */
#include "base/string.h"
#include "kernel/file.h"
#include "kernel/syscall.h"
#include "kernel/task.h"
#include "uapi/errno.h"
#include "uapi/sched.h"

struct clone_request {
    uint64_t flags;             /* CLONE_*; the exit signal in the low byte is SIGCHLD or 0 */
    uint64_t stack;             /* 0: the parent's */
    uint64_t parent_tid, child_tid;     /* user addresses */
    uint64_t tls;
};

/* What can be asked for until there are threads. */
#define CLONE_KNOWN (0xff | CLONE_VM | CLONE_VFORK | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

/* The child's memory and files: copies, or for vfork the parent's memory itself. */
static int child_resources(struct process *child, struct process *parent, uint64_t flags)
{
    child->files = files_fork(parent->files);
    if (!child->files)
        return -ENOMEM;
    if (flags & CLONE_VM) {
        child->mm = parent->mm;
        mm_hold(child->mm);
        return 0;
    }
    int err = mm_fork(parent->mm, &child->mm);
    if (err)
        files_put(child->files);
    return err;
}

/* What the child's task and process take over by value. */
static void child_inherit(struct process *child, const struct clone_request *request)
{
    struct task *task = process_task(child), *self = task_current();
    struct process *parent = self->process;
    uint64_t irq = spin_lock_irq(&parent->lock);
    memcpy(child->action, parent->action, sizeof(child->action));
    memcpy(child->path, parent->path, strlen(parent->path) + 1);
    child->shstk_locked = parent->shstk_locked;
    spin_unlock_irq(&parent->lock, irq);
    memcpy(task->name, self->name, sizeof(task->name));
    task->signal_mask = self->signal_mask;
    task->mm = child->mm;
    task->clear_tid = request->flags & CLONE_CHILD_CLEARTID ? request->child_tid : 0;
    task->arch.fs_base = request->flags & CLONE_SETTLS ? request->tls : arch_get_fs_base();
    task->arch.gs_base = arch_get_gs_base();
    arch_fpu_fork(&task->arch);
    shstk_fork(task);

    struct trap_frame frame = *arch_user_frame(&self->arch);
    frame.rax = 0;
    if (request->stack)
        frame.rsp = request->stack;
    arch_task_init_user(&task->arch, &frame);
}

/* Write the new pid where the flags ask for it. The child's copy goes into its own memory. */
static void tids_store(struct process *child, const struct clone_request *request)
{
    int pid = child->pid;
    if (request->flags & CLONE_PARENT_SETTID)
        (void)!arch_copy_to_user(uaddr(request->parent_tid), &pid, sizeof(pid));
    if (request->flags & CLONE_CHILD_SETTID)
        (void)!mm_access(child->mm, request->child_tid, &pid, sizeof(pid), GUP_WRITE);
}

static void vfork_wait(struct process *parent, volatile bool *done)
{
    while (!*done) {
        wait_begin(&parent->child_wait);
        if (!*done)
            wait_sleep_deaf(&parent->child_wait);
        wait_end(&parent->child_wait);
    }
}

static long clone_process(const struct clone_request *request)
{
    struct process *parent = process_current(), *child = process_create();
    if (!child)
        return -ENOMEM;
    int err = child_resources(child, parent, request->flags);
    if (err) {
        process_discard(child);
        return err;
    }
    child_inherit(child, request);
    bool vfork_done = false;
    struct task *task = process_task(child);
    if (request->flags & CLONE_VFORK)
        task->vfork_done = &vfork_done;
    process_publish(child, parent);
    tids_store(child, request);
    int pid = child->pid;
    sched_add(task);
    if (request->flags & CLONE_VFORK)
        vfork_wait(parent, &vfork_done);
    return pid;
}

SYSCALL(fork)
{
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    struct clone_request request = { 0 };
    return clone_process(&request);
}

SYSCALL(vfork)
{
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    struct clone_request request = { .flags = CLONE_VM | CLONE_VFORK };
    return clone_process(&request);
}

/* CLONE_VM goes with CLONE_VFORK only, until there are threads. */
SYSCALL(clone)
{
    (void)f;
    struct clone_request request = { a, b, c, d, e };
    if (a & ~(uint64_t)CLONE_KNOWN)
        return -EINVAL;
    if (a & CLONE_VM && !(a & CLONE_VFORK))
        return -EINVAL;
    if (a & CLONE_SETTLS && e >= USER_END)
        return -EPERM;
    return clone_process(&request);
}
