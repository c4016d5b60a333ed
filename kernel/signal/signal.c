/* SPDX-License-Identifier: MIT */
/* Signals: sent, blocked, ignored, and their default actions. Handlers are stored and inherited
 * but not yet called. */
#include "kernel/signal/signal.h"

#include "arch/x86/upcalls.h"
#include "base/log.h"
#include "base/string.h"
#include "base/trace.h"
#include "kernel/planted.h"
#include "kernel/sched/sched.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/exit.h"
#include "kernel/task/process.h"
#include "uapi/errno.h"

#define UNBLOCKABLE (signal_bit(SIGKILL) | signal_bit(SIGSTOP))

static uint64_t signal_bit(int signal) { return 1ull << (signal - 1); }

/* Signals that do nothing by default: SIGCHLD and its like, and, because there is no job control,
 * those that stop a process. */
static bool default_is_ignore(int signal)
{
    return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT
           || signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static bool signal_ignored(const struct process *process, int signal)
{
    uint64_t handler = process->action[signal].handler;
    return handler == SIG_IGN || (handler == SIG_DFL && default_is_ignore(signal));
}

/* The set of signals that task must act upon now. */
static uint64_t due_set(const struct task *task)
{
    return (__atomic_load_n(&task->process->pending, __ATOMIC_RELAXED)
            | __atomic_load_n(&task->pending, __ATOMIC_RELAXED))
           & ~__atomic_load_n(&task->signal_mask, __ATOMIC_RELAXED);
}

bool signal_due(const struct task *task)
{
    return task->process && (due_set(task) || task_must_leave(task));
}

bool signal_fatal_due(const struct task *task)
{
    for (uint64_t due = due_set(task); due; due &= due - 1) {
        int signal = __builtin_ctzll(due) + 1;
        if (signal == SIGKILL
            || (!default_is_ignore(signal) && !signal_ignored(task->process, signal)))
            return true;
    }
    return task_must_leave(task);
}

/* An ignored signal that a thread blocks is kept all the same: it may no longer be ignored once it
 * is unblocked. tasks_lock is held. */
static bool blocked_by(const struct task *task, int signal)
{
    return __atomic_load_n(&task->signal_mask, __ATOMIC_RELAXED) & signal_bit(signal);
}

/* Put signal into *pending, which is the process's own set or a thread's. False, with nothing done,
 * when the signal is ignored. tasks_lock is held. task is that thread, or the process's first. */
static bool signal_post(struct process *process, const struct task *task, uint64_t *pending,
                        int signal)
{
    spin_lock(&process->lock);
    bool ignored = signal_ignored(process, signal) && signal != SIGKILL
                   && !blocked_by(task, signal);
    if (!ignored)
        __atomic_or_fetch(pending, signal_bit(signal), __ATOMIC_RELAXED);
    spin_unlock(&process->lock);
    return !ignored;
}

/* tasks_lock is held. */
static void process_signal_locked(struct process *process, int signal)
{
    if (list_empty(&process->threads)
        || !signal_post(process, process_task(process), &process->pending, signal))
        return;
    list_for_each (link, &process->threads)
        sched_interrupt(list_entry(link, struct task, thread_link));
}

void process_signal(struct process *process, int signal)
{
    uint64_t irq = spin_lock_irq(planted_order(&tasks_lock, process));
    process_signal_locked(process, signal);
    spin_unlock_irq(&tasks_lock, irq);
}

bool processes_signal(const struct process *except, int signal)
{
    bool found = false;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_for_each (link, &all_processes) {
        struct process *process = list_entry(link, struct process, all_link);
        if (process->pid == 1 || process == except)
            continue;
        found = true;
        if (signal)
            process_signal_locked(process, signal);
    }
    spin_unlock_irq(&tasks_lock, irq);
    return found;
}

/* Send it to all processes of a group; -ESRCH when there are none. */
static int group_signal(int group, int signal)
{
    int err = -ESRCH;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_for_each (link, &all_processes) {
        struct process *process = list_entry(link, struct process, all_link);
        if (process->group != group)
            continue;
        err = 0;
        if (signal)
            process_signal_locked(process, signal);
    }
    spin_unlock_irq(&tasks_lock, irq);
    return err;
}

int thread_signal(int tgid, int tid, int signal)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct task *task = task_find_locked(tid);
    bool found = task && (!tgid || task->process->pid == tgid);
    if (found && signal && signal_post(task->process, task, &task->pending, signal))
        sched_interrupt(task);
    spin_unlock_irq(&tasks_lock, irq);
    return found ? 0 : -ESRCH;
}

void signal_force(int signal)
{
    struct task *task = task_current();
    uint64_t irq = spin_lock_irq(&task->process->lock);
    task->process->action[signal].handler = SIG_DFL;
    __atomic_store_n(&task->signal_mask, task->signal_mask & ~signal_bit(signal), __ATOMIC_RELAXED);
    __atomic_or_fetch(&task->pending, signal_bit(signal), __ATOMIC_RELAXED);
    spin_unlock_irq(&task->process->lock, irq);
    arch_request_user_return();
}

/* Take the lowest due signal; 0 when there is none. */
static int signal_take(struct task *task)
{
    struct process *process = task->process;
    uint64_t irq = spin_lock_irq(&process->lock);
    uint64_t due = due_set(task);
    int signal = due ? __builtin_ctzll(due) + 1 : 0;
    if (signal) {
        __atomic_and_fetch(&process->pending, ~signal_bit(signal), __ATOMIC_RELAXED);
        __atomic_and_fetch(&task->pending, ~signal_bit(signal), __ATOMIC_RELAXED);
    }
    spin_unlock_irq(&process->lock, irq);
    return signal;
}

/* Act on the current task's due signals: returns, or ends the process. */
static void signal_act(void)
{
    struct task *task = task_current();
    int signal;
    if (task_must_leave(task))
        task_exit(0); /* the process's own status is set already */
    while ((signal = signal_take(task)) != 0) {
        if (signal != SIGKILL && signal_ignored(task->process, signal))
            continue;
        if (task->process->action[signal].handler > SIG_IGN)
            log_line("signal: pid %d has a handler for signal %d, but handlers are not called yet: "
                     "default action",
                     task->process->pid, signal);
        if (signal == SIGKILL || !default_is_ignore(signal))
            process_exit(status_killed(signal));
    }
}

void entry_user_return(struct trap_frame *frame)
{
    (void)frame;
    if (signal_due(task_current()))
        signal_act();
    sched_yield_if_due();
}

/* ---- Refusals ----------------------------------------------------------- */

static const char *signal_name(int signal)
{
    switch (signal) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGILL: return "SIGILL";
    case SIGFPE: return "SIGFPE";
    case SIGTRAP: return "SIGTRAP";
    case SIGKILL: return "SIGKILL";
    default: return "signal";
    }
}

static const char *code_name(int signal, int si_code)
{
    if (signal == SIGBUS)
        return si_code == BUS_ADRERR ? "BUS_ADRERR" : "SI_KERNEL";
    if (signal != SIGSEGV)
        return "-";
    return si_code == SEGV_MAPERR   ? "SEGV_MAPERR"
           : si_code == SEGV_ACCERR ? "SEGV_ACCERR"
           : si_code == SEGV_CPERR  ? "SEGV_CPERR"
                                    : "SI_KERNEL";
}

void entry_refused(struct trap_frame *frame, const struct refusal *why)
{
    struct task *task = task_current();
    log_line("refused: pid %d (%s) %s %s addr %#lx error %#lx rip %#lx: %s", task->process->pid,
             task->name, signal_name(why->signal), code_name(why->signal, why->si_code),
             why->si_addr, why->error, frame->rip, why->reason);
    trace_record(TRACE_REFUSAL, 0, why->si_addr, frame->rip,
                 (why->error & 0xffffffff) | (uint64_t)why->si_code << 32
                     | (uint64_t)why->signal << 48);
    signal_force(why->signal);
}

/* ---- System calls ------------------------------------------------------- */

static bool signal_valid(int signal) { return signal >= 1 && signal <= SIGNAL_COUNT; }

long sys_rt_sigaction(int signal, uaddr_t from, uaddr_t to, size_t set_bytes)
{
    struct signal_action new, old;
    struct process *process = process_current();
    if (!signal_valid(signal) || set_bytes != 8
        || (from.v && (signal == SIGKILL || signal == SIGSTOP)))
        return -EINVAL;
    if (from.v && arch_copy_from_user(&new, from, sizeof(new)))
        return -EFAULT;
    uint64_t irq = spin_lock_irq(&process->lock);
    old = process->action[signal];
    if (from.v) {
        process->action[signal] = new;
        if (signal_ignored(process, signal))
            __atomic_and_fetch(&process->pending, ~signal_bit(signal), __ATOMIC_RELAXED);
    }
    spin_unlock_irq(&process->lock, irq);
    return to.v && arch_copy_to_user(to, &old, sizeof(old)) ? -EFAULT : 0;
}

long sys_rt_sigprocmask(int how, uaddr_t from, uaddr_t to, size_t set_bytes)
{
    struct task *task = task_current();
    uint64_t old = task->signal_mask, set, new;
    if (set_bytes != 8)
        return -EINVAL;
    if (from.v) {
        if (arch_copy_from_user(&set, from, sizeof(set)))
            return -EFAULT;
        switch (how) {
        case SIG_BLOCK: new = old | set; break;
        case SIG_UNBLOCK: new = old & ~set; break;
        case SIG_SETMASK: new = set; break;
        default: return -EINVAL;
        }
        __atomic_store_n(&task->signal_mask, new & ~UNBLOCKABLE, __ATOMIC_RELAXED);
        if (signal_due(task))
            arch_request_user_return();
    }
    return to.v && arch_copy_to_user(to, &old, sizeof(old)) ? -EFAULT : 0;
}

long sys_rt_sigpending(uaddr_t to, size_t set_bytes)
{
    if (set_bytes != 8)
        return -EINVAL;
    uint64_t pending = (process_current()->pending | task_current()->pending)
                       & task_current()->signal_mask;
    return arch_copy_to_user(to, &pending, sizeof(pending)) ? -EFAULT : 0;
}

static long signal_one(struct process *process, int signal)
{
    if (!process)
        return -ESRCH;
    if (signal)
        process_signal(process, signal);
    process_put(process);
    return 0;
}

long sys_kill(int pid, int signal)
{
    if (!(signal == 0 || signal_valid(signal)))
        return -EINVAL;
    if (pid == -1)
        return processes_signal(process_current(), signal) ? 0 : -ESRCH;
    if (pid == INT32_MIN)
        return -ESRCH;
    if (pid <= 0)
        return group_signal(pid ? -pid : (int)sys_getpgid(0), signal);
    return signal_one(process_find(pid), signal);
}

long sys_tkill(int tid, int signal)
{
    if (tid <= 0 || !(signal == 0 || signal_valid(signal)))
        return -EINVAL;
    return thread_signal(0, tid, signal);
}

long sys_tgkill(int pid, int tid, int signal)
{
    if (pid <= 0 || tid <= 0 || !(signal == 0 || signal_valid(signal)))
        return -EINVAL;
    return thread_signal(pid, tid, signal);
}
