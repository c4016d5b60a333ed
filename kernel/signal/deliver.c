/* SPDX-License-Identifier: MIT */
/*
 * The way back to user mode: signals that are due take effect, and a system call that one
 * interrupted ends or begins again.
 */
#include "arch/x86/upcalls.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/restart.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/exit.h"
#include "kernel/task/process.h"
#include "uapi/errno.h"

/* ---- Interrupted system calls ------------------------------------------- */

#define RESTART_SYSCALL 219

/* What an interrupted call returned, as a positive number; 0: it was not interrupted. */
static int interrupted(const struct trap_frame *frame)
{
    uint64_t code = -frame->rax;
    bool known = code >= ERESTARTSYS && code <= ERESTART_RESTARTBLOCK;
    return known && frame->vector == TRAP_SYSCALL && frame->error != TRAP_NOT_A_CALL ? (int)code
                                                                                     : 0;
}

/* Make the call again, or let it return -EINTR. action: of the handler that runs first, or NULL. */
static void call_resume(struct trap_frame *frame, const struct signal_action *action)
{
    int code = interrupted(frame);
    if (!code)
        return;
    bool again = !action || code == ERESTARTNOINTR
                 || (code == ERESTARTSYS && action->flags & SA_RESTART);
    if (again) {
        frame->rax = code == ERESTART_RESTARTBLOCK ? RESTART_SYSCALL : frame->error;
        frame->rip -= SYSCALL_BYTES;
    } else {
        frame->rax = (uint64_t)-EINTR;
    }
    frame->error = TRAP_NOT_A_CALL;
}

long sys_restart_syscall(void)
{
    const struct restart restart = task_current()->signals.restart;
    return restart.again ? restart.again(&restart) : -EINTR;
}

/* ---- Handlers ----------------------------------------------------------- */

static void handler_begin(struct trap_frame *frame, const struct siginfo *info,
                          const struct signal_action *action)
{
    struct task_signals *own = &task_current()->signals;
    struct signal_setup setup = {
        .info = info,
        .with_info = action->flags & SA_SIGINFO,
        .compat = action->flags & SA_IA32,
        .switch_stack = action->flags & SA_ONSTACK,
        .handler = action->handler,
        .restorer = action->restorer,
        .mask = own->restore_mask ? own->saved_mask : own->mask,
        .stack = &own->stack,
        .trap = &task_current()->arch.trap,
    };
    uint64_t sp;
    call_resume(frame, action);
    bool stepping = trace_unstep();
    if (!(action->flags & SA_RESTORER) || arch_signal_store(frame, &setup, &sp)
        || (setup.compat ? shadow_absent() : shadow_push(action->restorer))) {
        signal_force_kernel(SIGSEGV, info->signo == SIGSEGV); /* not to the same handler again */
        return;
    }
    arch_signal_enter(frame, &setup, sp);
    own->restore_mask = false;
    if (own->stack.flags & SS_AUTODISARM)
        signal_stack_reset(&own->stack);
    uint64_t more = action->flags & SA_NODEFER ? 0 : signal_bit(info->signo);
    signal_mask_set(own->mask | action->mask | more);
    if (stepping)
        trace_handler();
}

/* The handler has returned, and err says whether its frame could be read. */
static long handler_end(struct trap_frame *frame, const struct signal_return *back, int err)
{
    struct stack_info stack = { back->stack_base, back->stack_flags, 0, back->stack_bytes };
    signal_mask_set(back->mask);
    if (err)
        signal_force_kernel(SIGSEGV, false);
    else
        (void)!signal_stack_set(&stack, frame->rsp);
    task_current()->signals.restart.again = NULL;
    frame->error = TRAP_NOT_A_CALL;
    return (long)frame->rax;
}

long sys_rt_sigreturn(void)
{
    struct task *task = task_current();
    struct trap_frame *frame = arch_user_frame(&task->arch);
    struct signal_return back = { .mask = task->signals.mask };
    int err = arch_signal_leave(frame, &back);
    return handler_end(frame, &back, err ? err : shadow_pop());
}

long signal_return32(bool with_info)
{
    struct task *task = task_current();
    struct trap_frame *frame = arch_user_frame(&task->arch);
    const struct stack_info *stack = &task->signals.stack;
    struct signal_return back = { task->signals.mask, stack->base, stack->bytes, stack->flags };
    int err = shadow_absent();
    return handler_end(frame, &back, err ? err : arch_signal_leave32(frame, with_info, &back));
}

/* ---- Acting ------------------------------------------------------------- */

/* The process's action, which with SA_RESETHAND is for this once. */
static struct signal_action action_take(struct process *process, int signal)
{
    uint64_t irq = spin_lock_irq(&process->lock);
    struct signal_action action = *signal_action(process, signal);
    if (action.handler > SIG_IGN && action.flags & SA_RESETHAND)
        process->action[signal].handler = SIG_DFL;
    spin_unlock_irq(&process->lock, irq);
    return action;
}

static void signal_act(struct trap_frame *frame, const struct siginfo *info)
{
    struct process *process = process_current();
    struct signal_action action = action_take(process, info->signo);
    if (action.handler > SIG_IGN)
        handler_begin(frame, info, &action);
    else if (action.handler == SIG_IGN || signal_default_ignored(info->signo)
             || process->unkillable)
        return;
    else if (signal_bit(info->signo) & SIGNALS_STOP)
        signal_stop(info->signo);
    else
        process_exit(status_killed(info->signo));
}

static bool forced_take(struct task_signals *own, struct siginfo *info)
{
    *info = own->forced;
    own->forced.signo = 0;
    return info->signo != 0;
}

/* Act on all of the current task's due signals: returns, or ends the process. */
static void signals_act(struct trap_frame *frame)
{
    struct task_signals *own = &task_current()->signals;
    struct siginfo info;
    if (task_must_leave(task_current()))
        task_exit(0); /* the process's own status is set already */
    for (;;) {
        if (__atomic_load_n(&own->notice, __ATOMIC_RELAXED))
            notices_act();
        else if (!forced_take(own, &info) && !signal_take(~own->mask, &info))
            break;
        else if (!task_traced(task_current()) || trace_signal(&info))
            signal_act(frame, &info);
    }
    call_resume(frame, NULL);
    if (own->restore_mask) {
        own->restore_mask = false;
        signal_mask_set(own->saved_mask);
    }
}

void entry_user_return(struct trap_frame *frame)
{
    const struct task *task = task_current();
    if (signal_due(task) || interrupted(frame) || task->signals.restore_mask)
        signals_act(frame);
    sched_yield_if_due();
}
