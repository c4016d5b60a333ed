/* SPDX-License-Identifier: MIT */
/*
 * Stopping a process and letting it go on (job control).
 *
 *    a stop signal is taken   every thread gets NOTICE_STOP; stop.left counts them
 *    a thread sees it         task.stopped; the last one makes the stop whole: stop.status
 *    SIGCONT is sent          no thread is stopped, or has yet to; one gets NOTICE_CONTINUED
 *
 * stop.signal is set from the first step to the last. While it is, stop.left is the number of
 * threads with NOTICE_STOP. A stopped thread sleeps until it is not, or must leave. All that is
 * said here of a process changes with tasks_lock held.
 */
#include "kernel/planted.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/task/exit.h"
#include "kernel/task/process.h"

/* ---- Telling the parent ------------------------------------------------- */

struct signal_entry *child_entry(void)
{
    const struct siginfo info = { .signo = SIGCHLD, .code = CLD_STOPPED };
    return entry_create(&info);
}

void child_tell(struct process *listener, const struct siginfo *info, struct signal_entry **entry)
{
    const struct signal_action *action = signal_action(listener, SIGCHLD);
    if (*entry)
        (*entry)->info = *info;
    if (action->handler != SIG_IGN && !(action->flags & SA_NOCLDSTOP))
        signal_post(listener, NULL, info, entry);
    wait_wake_all(&listener->child_wait);
}

static void parent_tell(struct process *process, int code, int signal, struct signal_entry **entry)
{
    struct siginfo info = process_child_info(process, SIGCHLD, code, signal);
    if (process->parent)
        child_tell(process->parent, &info, entry);
}

/* ---- Orphaned groups ---------------------------------------------------- */

/* Does no member have a parent in another group of its session, who could let it go on? */
static bool group_orphaned(int group)
{
    list_for_each (link, &all_processes) {
        const struct process *process = list_entry(link, struct process, all_link);
        const struct process *parent = process->parent;
        if (process->group == group && !process->zombie && parent && parent != init_process
            && parent->group != group && parent->session == process->session)
            return false;
    }
    return true;
}

static bool group_has_stopped(int group)
{
    list_for_each (link, &all_processes) {
        const struct process *process = list_entry(link, struct process, all_link);
        if (process->group == group && process->stop.whole)
            return true;
    }
    return false;
}

void group_parent_gone(const struct process *process, const struct process *parent)
{
    int group = process->group;
    if (parent->group != group && parent->session == process->session && group_orphaned(group)
        && group_has_stopped(group)) {
        group_signal(group, SIGHUP);
        group_signal(group, SIGCONT);
    }
}

/* ---- Stopping ----------------------------------------------------------- */

/* The task takes part in the stop that is under way, or is whole already. */
static void stop_add(struct task *task)
{
    if (task->stopped || task->signals.notice & NOTICE_STOP)
        return;
    notice_set(task, NOTICE_STOP);
    task->process->stop.left++;
    sched_interrupt(task);
}

/* Every thread of the current process is to stop. */
static void stop_begin(struct process *process, int signal)
{
    if (!process->stop.whole)
        process->stop.signal = signal;
    list_for_each (link, &process->threads)
        stop_add(list_entry(link, struct task, thread_link));
}

void signal_stop(int signal)
{
    struct task *self = task_current();
    struct process *process = self->process;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    bool orphaned = signal != SIGSTOP && planted_orphan(group_orphaned(process->group));
    if (self->signals.stop_taken && !process->exiting && !process->execing && !orphaned)
        stop_begin(process, signal);
    spin_unlock_irq(&tasks_lock, irq);
}

void stop_join(struct task *thread)
{
    if (task_current()->signals.notice & NOTICE_STOP) {
        notice_set(thread, NOTICE_STOP);
        thread->process->stop.left++;
    }
}

/* One thread fewer has yet to stop. */
static void stop_count(struct process *process, struct signal_entry **entry)
{
    if (--process->stop.left || process->stop.whole || list_empty(&process->threads))
        return;
    process->stop.whole = true;
    process->stop.status = status_stopped(process->stop.signal);
    parent_tell(process, CLD_STOPPED, process->stop.signal, entry);
}

void stop_leave(struct task *task)
{
    if (!__atomic_load_n(&task->signals.notice, __ATOMIC_RELAXED))
        return;
    struct signal_entry *entry = child_entry();
    uint64_t irq = spin_lock_irq(&tasks_lock);
    if (notice_take(task, NOTICE_STOP))
        stop_count(task->process, &entry);
    spin_unlock_irq(&tasks_lock, irq);
    entry_free(entry);
}

void stop_rejoin(struct task *task)
{
    if (task->process->stop.signal)
        stop_add(task);
}

void stop_hand_over(struct task *task)
{
    if (!task->stopped)
        return;
    __atomic_store_n(&task->stopped, false, __ATOMIC_RELEASE);
    notice_set(task, NOTICE_TRAP);
    sched_interrupt(task);
}

/* Stop, until the process goes on or ends. */
static void stop_sleep(struct task *self)
{
    struct wait_queue nobody;
    wait_queue_init(&nobody);
    wait_until_deaf(&nobody,
                    !__atomic_load_n(&self->stopped, __ATOMIC_ACQUIRE) || signal_kill_due(self));
    uint64_t irq = spin_lock_irq(&tasks_lock);
    self->stopped = false;
    spin_unlock_irq(&tasks_lock, irq);
}

void notices_act(void)
{
    struct task *self = task_current();
    struct process *process = self->process;
    struct signal_entry *entry = child_entry();
    uint64_t irq = spin_lock_irq(&tasks_lock);
    if (notice_take(self, NOTICE_CONTINUED))
        parent_tell(process, CLD_CONTINUED, SIGCONT, &entry);
    bool stops = notice_take(self, NOTICE_STOP), traps = notice_take(self, NOTICE_TRAP);
    bool traced = self->tracee;
    int signal = process->stop.signal;
    if (stops) {
        self->stopped = !traced;
        stop_count(process, &entry);
    }
    spin_unlock_irq(&tasks_lock, irq);
    entry_free(entry);
    if (traced && (stops || traps))
        trace_stop(signal);
    else if (stops)
        stop_sleep(self);
    if (task_must_leave(self))
        task_exit(0);
}

/* ---- Going on ----------------------------------------------------------- */

/* No thread is stopped from now on, or has yet to. */
static void stop_end(struct process *process)
{
    list_for_each (link, &process->threads) {
        struct task *task = list_entry(link, struct task, thread_link);
        (void)notice_take(task, NOTICE_STOP);
        __atomic_store_n(&task->stopped, false, __ATOMIC_RELEASE);
        tracee_notify(task);
        if (link == process->threads.next)
            notice_set(task, NOTICE_CONTINUED);
        sched_interrupt(task);
    }
    process->stop = (struct stop){ .status = STATUS_CONTINUED };
}

void signal_counter(struct process *process, int signal)
{
    bool goes_on = signal == SIGCONT;
    uint64_t gone = goes_on ? SIGNALS_STOP : signal_bit(SIGCONT);
    spin_lock(&process->lock);
    pending_drop(&process->pending, gone, &process->pending.spare);
    list_for_each (link, &process->threads) {
        struct task_signals *own = &list_entry(link, struct task, thread_link)->signals;
        pending_drop(&own->pending, gone, &own->pending.spare);
        if (goes_on)
            own->stop_taken = false;
    }
    spin_unlock(&process->lock);
    if (goes_on && process->stop.signal)
        stop_end(process);
}
