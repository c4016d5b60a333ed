/* SPDX-License-Identifier: MIT */
/* What a process and its tasks have decided about signals: actions, masks and signal stacks; and
 * taking a signal that is due. */
#include "kernel/ptrace/tracee.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/exit.h"
#include "kernel/task/process.h"
#include "uapi/errno.h"

#define SA_KNOWN                                                                                   \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART | SA_NODEFER \
     | SA_RESETHAND | SA_IA32)

/* ---- Looking ------------------------------------------------------------ */

bool signal_default_ignored(int signal)
{
    return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT;
}

const struct signal_action *signal_action(const struct process *process, int signal)
{
    static const struct signal_action none = { .handler = SIG_DFL };
    bool acted = __atomic_load_n(&process->acted, __ATOMIC_ACQUIRE) & signal_bit(signal);
    return acted ? &process->action[signal] : &none;
}

bool signal_ignored(const struct process *process, int signal)
{
    uint64_t handler = signal_action(process, signal)->handler;
    return handler == SIG_IGN || (handler == SIG_DFL && signal_default_ignored(signal));
}

static uint64_t pending_set(const struct task *task)
{
    return __atomic_load_n(&task->process->pending.set, __ATOMIC_RELAXED)
           | __atomic_load_n(&task->signals.pending.set, __ATOMIC_RELAXED);
}

/* The set of signals that task must act upon now. */
static uint64_t due_set(const struct task *task)
{
    int forced = task->signals.forced.signo;
    return (pending_set(task) & ~__atomic_load_n(&task->signals.mask, __ATOMIC_RELAXED))
           | (forced ? signal_bit(forced) : 0);
}

bool signal_due(const struct task *task)
{
    return task->process
           && (due_set(task) || __atomic_load_n(&task->signals.notice, __ATOMIC_RELAXED)
               || task_must_leave(task));
}

bool signal_fatal_due(const struct task *task)
{
    const struct process *process = task->process;
    uint64_t fatal = task_traced(task) ? signal_bit(SIGKILL) : ~SIGNALS_STOP;
    for (uint64_t due = due_set(task) & fatal; due; due &= due - 1) {
        int signal = __builtin_ctzll(due) + 1;
        if (signal_action(process, signal)->handler == SIG_DFL && !signal_default_ignored(signal)
            && (!process->unkillable || signal == task->signals.forced.signo))
            return true;
    }
    return task_must_leave(task);
}

bool signal_kill_due(const struct task *task)
{
    return signal_killed(task) || task_must_leave(task);
}

bool signal_killed(const struct task *task) { return pending_set(task) & signal_bit(SIGKILL); }

/* ---- Taking ------------------------------------------------------------- */

bool signal_take(uint64_t among, struct siginfo *info)
{
    struct task *task = task_current();
    struct process *process = task->process;
    struct signal_entry *used;
    if (!(pending_set(task) & among))
        return false;
    uint64_t irq = spin_lock_irq(&process->lock);
    bool taken = pending_take(&task->signals.pending, among, info, &used)
                 || pending_take(&process->pending, among, info, &used);
    if (taken && signal_bit(info->signo) & SIGNALS_STOP)
        task->signals.stop_taken = true;
    spin_unlock_irq(&process->lock, irq);
    entry_free(used);
    return taken;
}

void signal_force(const struct siginfo *info, bool fatal)
{
    struct task *task = task_current();
    struct process *process = task->process;
    uint64_t bit = signal_bit(info->signo);
    uint64_t irq = spin_lock_irq(&process->lock);
    uint64_t handler = signal_action(process, info->signo)->handler;
    if (fatal || handler == SIG_IGN || task->signals.mask & bit) {
        process->action[info->signo].handler = handler = SIG_DFL;
        __atomic_store_n(&task->signals.mask, task->signals.mask & ~bit, __ATOMIC_SEQ_CST);
    }
    if (handler == SIG_DFL)
        process->unkillable = false;
    spin_unlock_irq(&process->lock, irq);
    task->signals.forced = *info;
    arch_request_user_return();
}

void signal_force_kernel(int signal, bool fatal)
{
    struct siginfo info = { .signo = signal, .code = SI_KERNEL };
    signal_force(&info, fatal);
}

/* ---- Actions ------------------------------------------------------------ */

/* Drop what is pending of a signal that is ignored from now on. tasks_lock is held. */
static void process_drop(struct process *process, int signal, struct list *dropped)
{
    pending_drop(&process->pending, signal_bit(signal), dropped);
    list_for_each (link, &process->threads)
        pending_drop(&list_entry(link, struct task, thread_link)->signals.pending,
                     signal_bit(signal), dropped);
}

int signal_action_change(int signal, const struct signal_action *new, struct signal_action *old)
{
    struct process *process = process_current();
    struct list dropped;
    if (!signal_valid(signal) || (new &&signal_bit(signal) & SIGNALS_UNBLOCKABLE))
        return -EINVAL;
    list_init(&dropped);
    uint64_t irq = spin_lock_irq(&tasks_lock);
    spin_lock(&process->lock);
    *old = *signal_action(process, signal);
    old->flags &= ~SA_IA32;
    if (new) {
        process->action[signal] = (struct signal_action){
            new->handler,
            new->flags &SA_KNOWN,
            new->restorer,
            new->mask & ~SIGNALS_UNBLOCKABLE,
        };
        __atomic_or_fetch(&process->acted, signal_bit(signal), __ATOMIC_RELEASE);
        if (signal_ignored(process, signal))
            process_drop(process, signal, &dropped);
    }
    spin_unlock(&process->lock);
    spin_unlock_irq(&tasks_lock, irq);
    entries_free(&dropped);
    return 0;
}

long sys_rt_sigaction(int signal, uaddr_t from, uaddr_t to, size_t set_bytes)
{
    struct signal_action new, old;
    if (set_bytes != 8)
        return -EINVAL;
    if (from.v && arch_copy_from_user(&new, from, sizeof(new)))
        return -EFAULT;
    if (from.v)
        new.flags &= ~SA_IA32;
    int err = signal_action_change(signal, from.v ? &new : NULL, &old);
    if (err)
        return err;
    return to.v && arch_copy_to_user(to, &old, sizeof(old)) ? -EFAULT : 0;
}

void signal_actions_copy(struct process *process, const struct process *from, bool without_handlers)
{
    uint64_t acted = 0;
    for (uint64_t left = from->acted; left; left &= left - 1) {
        int signal = __builtin_ctzll(left) + 1;
        struct signal_action action = from->action[signal];
        if (without_handlers && action.handler != SIG_IGN)
            continue;
        process->action[signal] = without_handlers ? (struct signal_action){ .handler = SIG_IGN }
                                                   : action;
        acted |= signal_bit(signal);
    }
    process->acted = acted;
}

void signals_exec(struct process *process)
{
    signal_actions_copy(process, process, true);
    signal_stack_reset(&task_current()->signals.stack);
}

/* ---- Masks -------------------------------------------------------------- */

/* A sender makes a signal pending first, and looks at the mask second. */
void signal_mask_set(uint64_t mask)
{
    struct task *task = task_current();
    mask &= ~SIGNALS_UNBLOCKABLE;
    __atomic_store_n(&task->signals.mask, mask, __ATOMIC_SEQ_CST);
    if (pending_set(task) & ~mask)
        arch_request_user_return();
}

long sys_rt_sigprocmask(int how, uaddr_t from, uaddr_t to, size_t set_bytes)
{
    uint64_t old = task_current()->signals.mask, set;
    if (set_bytes != 8)
        return -EINVAL;
    if (from.v) {
        if (arch_copy_from_user(&set, from, sizeof(set)))
            return -EFAULT;
        switch (how) {
        case SIG_BLOCK: set = old | set; break;
        case SIG_UNBLOCK: set = old & ~set; break;
        case SIG_SETMASK: break;
        default: return -EINVAL;
        }
        signal_mask_set(set);
    }
    return to.v && arch_copy_to_user(to, &old, sizeof(old)) ? -EFAULT : 0;
}

long sys_rt_sigpending(uaddr_t to, size_t set_bytes)
{
    uint64_t pending = pending_set(task_current()) & task_current()->signals.mask;
    if (set_bytes > sizeof(pending))
        return -EINVAL;
    return arch_copy_to_user(to, &pending, set_bytes) ? -EFAULT : 0;
}

/* ---- Signal stacks ------------------------------------------------------ */

void signal_stack_reset(struct stack_info *stack)
{
    *stack = (struct stack_info){ .flags = SS_DISABLE };
}

/* A stack that disarms itself is never in use. */
static bool stack_used(const struct stack_info *stack, uint64_t sp)
{
    return !(stack->flags & SS_AUTODISARM) && stack_info_holds(stack, sp);
}

int signal_stack_set(const struct stack_info *new, uint64_t sp)
{
    struct stack_info *stack = &task_current()->signals.stack;
    uint32_t mode = new->flags & ~SS_AUTODISARM;
    if (stack_used(stack, sp))
        return -EPERM;
    if (mode & ~(SS_ONSTACK | SS_DISABLE) || mode == (SS_ONSTACK | SS_DISABLE))
        return -EINVAL;
    if (mode != SS_DISABLE && new->bytes < MINSIGSTKSZ)
        return -ENOMEM;
    *stack = *new;
    if (mode == SS_DISABLE)
        stack->base = stack->bytes = 0;
    return 0;
}

long sys_sigaltstack(uaddr_t from, uaddr_t to)
{
    const struct task *task = task_current();
    uint64_t sp = arch_user_frame(&task_current()->arch)->rsp;
    struct stack_info new, old = task->signals.stack;
    if (from.v && arch_copy_from_user(&new, from, sizeof(new)))
        return -EFAULT;
    uint32_t state = !old.bytes ? SS_DISABLE : stack_used(&old, sp) ? SS_ONSTACK : 0;
    old.flags = state | (old.flags & SS_AUTODISARM);
    old.pad = 0;
    int err = from.v ? signal_stack_set(&new, sp) : 0;
    if (err)
        return err;
    return to.v && arch_copy_to_user(to, &old, sizeof(old)) ? -EFAULT : 0;
}

/* ---- New tasks ---------------------------------------------------------- */

void task_signals_init(struct task *task)
{
    pending_init(&task->signals.pending);
    signal_stack_reset(&task->signals.stack);
}

void task_signals_inherit(struct task *task, bool own_stack)
{
    const struct task *self = task_current();
    task->signals.mask = self->signals.mask;
    if (own_stack)
        task->signals.stack = self->signals.stack;
}
