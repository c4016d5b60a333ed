/* SPDX-License-Identifier: MIT */
/* The end of a thread, of a process, and of all threads but one for exec. wait4.c reports it. */
#include "kernel/task/exit.h"

#include "base/log.h"
#include "kernel/fs/file.h"
#include "kernel/fs/inode.h"
#include "kernel/planted.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/sched/futex.h"
#include "kernel/sched/robust.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "kernel/task/shstk.h"
#include "kernel/task/usage.h"
#include "uapi/errno.h"

/* ---- Ending ------------------------------------------------------------- */

struct siginfo process_child_info(const struct process *child, int signal, int code, int value)
{
    struct usage use = usage_locked(child);
    return (struct siginfo){
        .signo = signal,
        .code = code,
        .pid = child->pid,
        .value = (uint64_t)value,
        .utime = usage_ticks(use.user),
        .stime = usage_ticks(use.system),
    };
}

int status_explain(int status, int *value)
{
    int signal = status_signal(status);
    *value = status == STATUS_CONTINUED ? SIGCONT : signal && signal != 0x7f ? signal : status >> 8;
    return status == STATUS_CONTINUED ? CLD_CONTINUED
           : signal == 0x7f           ? CLD_STOPPED
           : signal                   ? CLD_KILLED
                                      : CLD_EXITED;
}

/* What SIGCHLD, or whatever the exit signal is, tells parent of a process that has ended. signo 0:
 * parent would not keep it. tasks_lock is held. */
static struct siginfo end_info(const struct process *process, const struct process *parent)
{
    if (!process_hears(parent, process->exit_signal))
        return (struct siginfo){ 0 };
    int value, code = status_explain(process->wait_status, &value);
    return process_child_info(process, process->exit_signal, code, value);
}

/* init is gone: say how and switch off. */
static NORETURN void init_ended(int status)
{
    arch_cpus_stop(); /* no other CPU prints between these last lines */
    if (status_signal(status))
        log_line("init: killed by signal %d", status_signal(status));
    else
        log_line("init: exit status %d", status_code(status));
    arch_power_off();
}

void task_vfork_done(struct task *task)
{
    struct process *maker = NULL;
    if (!__atomic_load_n(&task->vfork, __ATOMIC_RELAXED))
        return; /* nobody waits, or has stopped waiting */
    uint64_t irq = spin_lock_irq(&tasks_lock);
    if (task->vfork) {
        maker = task->vfork->maker;
        process_hold(maker);
        __atomic_store_n(&task->vfork->done, true, __ATOMIC_RELEASE);
        task->vfork = NULL;
    }
    spin_unlock_irq(&tasks_lock, irq);
    if (!maker)
        return;
    wait_wake_all(&maker->child_wait);
    process_put(maker);
}

/* The word on which joining threads wait is cleared last: the shadow stack is gone by then. */
void task_tell_memory(struct task *task)
{
    const uint32_t zero = 0;
    bool others = __atomic_load_n(&task->mm->users, __ATOMIC_RELAXED) > 1;
    if (task->robust_list.v)
        futex_robust_end(task);
    shstk_thread_end(task);
    if (others && task->clear_tid.v && arch_copy_to_user(task->clear_tid, &zero, sizeof(zero)) == 0)
        futex_wake_word(task->clear_tid, 1);
    task->robust_list = task->clear_tid = uaddr(0);
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
    timers_end(process);
    usage_note_peak(process->mm, false);
    files_put(process->files);
    fs_put(process->fs);
    process->files = NULL;
    process->fs = NULL;
    uint64_t irq = spin_lock_irq(&process->lock);
    process->mm = NULL;
    struct inode *program = process->program;
    process->program = NULL;
    spin_unlock_irq(&process->lock, irq);
    program_end(program);
}

/* One child or more of a process have ended. Gives back the caller's reference. */
static void children_ended(struct process *parent, const struct siginfo *info)
{
    if (info->signo)
        (void)process_signal_info(parent, info);
    wait_wake_all(&parent->child_wait);
    process_put(parent);
}

/* The zombie is its parent's, or joins unwanted. tasks_lock is held. */
static void zombie_tell(struct process *process, struct list *unwanted)
{
    if (process_unwanted(process)) {
        process_unpublish(process);
        list_append(&process->sibling, unwanted);
    }
}

static void unwanted_put(struct list *unwanted)
{
    list_for_each_safe (link, after, unwanted)
        process_put(list_entry(link, struct process, sibling));
}

void process_zombie_tell(struct process *process)
{
    struct list unwanted = LIST_INIT(unwanted);
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct process *parent = process->parent;
    struct siginfo info = end_info(process, parent);
    process->watch = NULL;
    process_hold(parent);
    zombie_tell(process, &unwanted);
    spin_unlock_irq(&tasks_lock, irq);
    children_ended(parent, &info);
    unwanted_put(&unwanted);
}

/* No thread is left: the process becomes a zombie, or vanishes if nobody would wait for it. */
static void process_end(struct process *process)
{
    struct list unwanted = LIST_INIT(unwanted);
    uint64_t irq = spin_lock_irq(planted_order(&tasks_lock, process));
    struct process *zombie, *parent = process->parent;
    struct process *reaper = process_orphans_give(process, &unwanted, &zombie);
    struct siginfo orphan, info = end_info(process, parent);
    if (reaper)
        orphan = end_info(zombie, reaper);
    process->zombie = true;
    group_parent_gone(process, parent);
    bool watched = tracee_zombie(process);
    if (!watched)
        zombie_tell(process, &unwanted);
    process_hold(parent);
    if (reaper)
        process_hold(reaper);
    spin_unlock_irq(&tasks_lock, irq);

    if (watched)
        process_put(parent);
    else
        children_ended(parent, &info);
    if (reaper)
        children_ended(reaper, &orphan);
    unwanted_put(&unwanted);
}

void task_exit(int wait_status)
{
    struct task *task = task_current();
    struct process *process = task->process;
    struct list dropped = LIST_INIT(dropped);
    struct list tracees = LIST_INIT(tracees);
    trace_exit(process->exiting ? process->wait_status : wait_status);
    sched_dying();
    task_tell_memory(task);
    uint64_t irq = spin_lock_irq(&tasks_lock);
    usage_hand_over(task);
    list_remove(&task->thread_link);
    tracees_leave(task, &tracees);
    tracee_task_gone(task, process->exiting ? process->wait_status : wait_status);
    bool last = list_empty(&process->threads);
    if (!last)
        process_children_pass(task);
    if (!process->exiting && last)
        process->wait_status = wait_status;
    spin_unlock_irq(&tasks_lock, irq);
    stop_leave(task);
    tracees_free(&tracees);
    if (last && process == init_process)
        init_ended(process->wait_status);
    if (last)
        process_drop_resources(process);
    task_drop_mm(task);

    irq = spin_lock_irq(&tasks_lock);
    task_unpublish(task);
    spin_lock(&process->lock);
    pending_drop(&task->signals.pending, ~0ull, &dropped);
    spin_unlock(&process->lock);
    usage_hand_over(task); /* giving up the memory took its time */
    spin_unlock_irq(&tasks_lock, irq);
    entries_free(&dropped);
    entries_free(&task->signals.pending.spare);
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

/* The task is alone, and no other task of the process can be found by a tid: its own tid becomes
 * the pid. tasks_lock is held. */
static bool alone_locked(struct task *self)
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

static bool alone(struct task *self)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    bool yes = alone_locked(self);
    spin_unlock_irq(&tasks_lock, irq);
    return yes;
}

int threads_end_others(void)
{
    struct task *self = task_current();
    struct process *process = self->process;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    bool lost = process->exiting || process->execing;
    bool done = !lost && alone_locked(self);
    if (!lost && !done) {
        __atomic_store_n(&process->execing, self, __ATOMIC_SEQ_CST);
        others_interrupt(self);
    }
    spin_unlock_irq(&tasks_lock, irq);
    if (lost || done)
        return lost ? -EAGAIN : 0;
    wait_until_deaf(&process->child_wait, alone(self));
    __atomic_store_n(&process->execing, NULL, __ATOMIC_SEQ_CST);
    return 0;
}

long sys_exit(int status) { task_exit(status_exited(status)); }

long sys_exit_group(int status) { process_exit(status_exited(status)); }
