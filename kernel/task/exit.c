/* SPDX-License-Identifier: MIT */
/* The end: of a thread, of a process, of all threads but one for exec; and wait4(), which hears
 * of it. */
#include "base/log.h"
#include "kernel/fs/file.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"

/* ---- Ending ------------------------------------------------------------- */

static bool parent_ignores_children(struct process *parent)
{
    return parent->action[SIGCHLD].handler == 1;
}

/* init is gone: say how and switch off. */
static NORETURN void init_ended(int status)
{
    arch_cpus_stop(); /* nobody prints between these last lines */
    if (status & 0x7f)
        log_line("init: killed by signal %d", status & 0x7f);
    else
        log_line("init: exit status %d", status >> 8 & 0xff);
    arch_power_off();
}

void task_vfork_done(struct task *task)
{
    struct process *parent = NULL;
    if (!__atomic_load_n(&task->vfork_done, __ATOMIC_RELAXED))
        return; /* nobody waits, or does so any more */
    uint64_t irq = spin_lock_irq(&tasks_lock);
    if (task->vfork_done) {
        parent = task->process->parent;
        process_hold(parent);
        __atomic_store_n(task->vfork_done, true, __ATOMIC_RELEASE);
        task->vfork_done = NULL;
    }
    spin_unlock_irq(&tasks_lock, irq);
    if (!parent)
        return;
    wait_wake_all(&parent->child_wait);
    process_put(parent);
}

/* What the process's memory is told of the end of a thread. Joiners wait for the last of it: the
 * shadow stack is gone by then. */
static void task_tell_memory(struct task *task)
{
    uint32_t zero = 0;
    if (task->robust_list)
        futex_robust_end(task);
    shstk_thread_end(task);
    if (!task->clear_tid)
        return;
    if (arch_copy_to_user(uaddr(task->clear_tid), &zero, sizeof(zero)) == 0)
        futex_wake_private(task->clear_tid, 1);
}

/* Give up the address space; a vfork parent that lent it may go on. */
static void task_drop_mm(struct task *task)
{
    struct mm *mm = task->mm;
    task->mm = NULL;
    mm_activate(NULL);
    mm_put(mm);
    task_vfork_done(task);
}

/* The last thread takes along what the threads shared. */
static void process_drop_resources(struct process *process)
{
    uint64_t irq = spin_lock_irq(&process->lock);
    struct files *files = process->files;
    process->mm = NULL;
    process->files = NULL;
    spin_unlock_irq(&process->lock, irq);
    files_put(files);
}

/* Nobody runs in it any more: it becomes a zombie, or vanishes where nobody would wait for it. */
static void process_end(struct process *process)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    process_orphans_give(process);
    struct process *parent = process->parent;
    process->zombie = true;
    bool nobody_waits = parent_ignores_children(parent);
    if (nobody_waits)
        process_unpublish(process);
    process_hold(parent);
    spin_unlock_irq(&tasks_lock, irq);

    process_signal(parent, SIGCHLD);
    wait_wake_all(&parent->child_wait);
    wait_wake_all(&init_process->child_wait);
    process_put(parent);
    if (nobody_waits)
        process_put(process);
}

void task_exit(int wait_status)
{
    struct task *task = task_current();
    struct process *process = task->process;
    sched_dying();
    task_tell_memory(task);
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_remove(&task->thread_link);
    bool last = list_empty(&process->threads);
    if (!process->exiting && task->tid == process->pid)
        process->wait_status = wait_status;
    spin_unlock_irq(&tasks_lock, irq);
    if (last && process == init_process)
        init_ended(process->wait_status);
    if (last)
        process_drop_resources(process);
    task_drop_mm(task);

    irq = spin_lock_irq(&tasks_lock);
    task_unpublish(task);
    spin_unlock_irq(&tasks_lock, irq);
    if (last)
        process_end(process);
    else
        wait_wake_all(&process->child_wait); /* an exec may wait to be alone */
    arch_irq_disable();
    task->process = NULL;
    process_put(process);
    sched_exit();
}

bool task_must_leave(const struct task *task)
{
    const struct process *process = task->process;
    const struct task *execing = __atomic_load_n(&process->execing, __ATOMIC_RELAXED);
    return __atomic_load_n(&process->exiting, __ATOMIC_RELAXED) || (execing && execing != task);
}

/* Make the other threads look at what has changed. tasks_lock is held. */
static void others_interrupt(struct task *self)
{
    list_for_each (link, &self->process->threads) {
        struct task *task = list_entry(link, struct task, thread_link);
        if (task != self)
            sched_interrupt(task);
    }
}

void process_exit(int wait_status)
{
    struct task *self = task_current();
    struct process *process = self->process;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    if (!process->exiting) {
        process->wait_status = wait_status;
        __atomic_store_n(&process->exiting, true, __ATOMIC_SEQ_CST);
        others_interrupt(self);
    }
    spin_unlock_irq(&tasks_lock, irq);
    task_exit(wait_status);
}

/* Alone, and nobody of this process can be found by another tid: its own becomes the pid.
 * tasks_lock is held. */
static bool alone(struct task *self)
{
    struct process *process = self->process;
    if (process->threads.next != &self->thread_link || self->thread_link.next != &process->threads)
        return false;
    if (self->tid != process->pid) {
        if (task_find_locked(process->pid))
            return false; /* the first thread is on its way out */
        task_take_pid(self);
    }
    return true;
}

int threads_end_others(void)
{
    struct task *self = task_current();
    struct process *process = self->process;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    bool lost = process->exiting || process->execing;
    bool done = !lost && alone(self);
    if (!lost && !done) {
        __atomic_store_n(&process->execing, self, __ATOMIC_SEQ_CST);
        others_interrupt(self);
    }
    spin_unlock_irq(&tasks_lock, irq);
    if (lost || done)
        return lost ? -EAGAIN : 0;
    while (!done) {
        wait_begin(&process->child_wait);
        irq = spin_lock_irq(&tasks_lock);
        done = alone(self);
        spin_unlock_irq(&tasks_lock, irq);
        if (!done)
            wait_sleep_deaf();
        wait_end(&process->child_wait);
    }
    __atomic_store_n(&process->execing, NULL, __ATOMIC_SEQ_CST);
    return 0;
}

/* ---- Waiting for children ----------------------------------------------- */

#define WNOHANG 1

/* A zombie child that pid asks for, taken out of the tree; NULL with *any telling whether such a
 * child exists at all. */
static struct process *zombie_take(struct process *parent, int pid, bool *any)
{
    struct process *found = NULL;
    *any = false;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_for_each (link, &parent->children) {
        struct process *child = list_entry(link, struct process, sibling);
        if (pid > 0 && child->pid != pid)
            continue;
        *any = true;
        if (child->zombie) {
            process_unpublish(child);
            found = child;
            break;
        }
    }
    spin_unlock_irq(&tasks_lock, irq);
    return found;
}

/* The zombie wait4() asks for, or NULL with the errno (0: WNOHANG and none yet). */
static struct process *zombie_wait(int pid, uint64_t options, long *err)
{
    struct process *parent = process_current(), *zombie;
    for (;;) {
        bool any;
        *err = 0;
        wait_begin(&parent->child_wait);
        zombie = zombie_take(parent, pid, &any);
        if (!zombie && !any)
            *err = -ECHILD;
        else if (!zombie && !(options & WNOHANG))
            *err = wait_sleep(0);
        wait_end(&parent->child_wait);
        if (zombie || *err || options & WNOHANG)
            return zombie;
    }
}

long sys_wait4(int pid, uaddr_t status_to, int options, uaddr_t usage)
{
    long err;
    struct process *zombie = zombie_wait(pid, (uint64_t)options, &err);
    if (!zombie)
        return err;
    int status = zombie->wait_status;
    pid = zombie->pid;
    process_put(zombie);
    if (status_to.v && arch_copy_to_user(status_to, &status, sizeof(status)))
        return -EFAULT;
    if (usage.v && arch_clear_user(usage, 144)) /* struct rusage */
        return -EFAULT;
    return pid;
}
