/* SPDX-License-Identifier: MIT */
/*
 * Where a traced task stops: at signals, system calls, single steps and events. It stops on its way
 * to or from user mode or inside a system call, where it holds no lock. What interrupts its sleep
 * is the tracer, or SIGKILL.
 */
#include "arch/x86/upcalls.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/task/exit.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/ptrace.h"
#include "uapi/sched.h"

/* ---- One stop ----------------------------------------------------------- */

/* The tracer's waits end, and it gets SIGCHLD. tasks_lock is held. */
static void tracer_tell(const struct tracee *tracee, int code, struct signal_entry **entry)
{
    struct siginfo info = process_child_info(tracee->process, SIGCHLD, CLD_TRAPPED, code & 0x7f);
    info.pid = tracee->tid;
    child_tell(tracee->tracer->process, &info, entry);
}

/* Must the task not stop, because its process ends? One that is ending anyway may stop to say so,
 * unless SIGKILL is what ends it. */
static bool must_go(const struct task *task, bool ending)
{
    return ending ? signal_killed(task) : signal_kill_due(task);
}

/* Enter the stop; false: nobody traces the task any more, or it must go. */
static bool trap_begin(int code, uint64_t message, struct siginfo *info, bool ending)
{
    struct task *self = task_current();
    struct signal_entry *entry = child_entry();
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct tracee *tracee = self->tracee;
    bool stops = tracee && !must_go(self, ending);
    if (stops) {
        (void)notice_take(self, NOTICE_TRAP);
        tracee->message = message;
        self->trap.code = code;
        self->trap.signal = 0;
        self->trap.info = info;
        self->trap.is_signal = info && info->signo == code && !message && info->code != code;
        __atomic_store_n(&self->trap.on, true, __ATOMIC_RELAXED);
        tracer_tell(tracee, code, &entry);
    }
    spin_unlock_irq(&tasks_lock, irq);
    entry_free(entry);
    return stops;
}

/* Stop until the tracer lets the task go on, or it must go. code: the signal that wait4() tells of,
 * and an event. info: what the tracer may read and change, or NULL. Returns the signal to go on
 * with; lost, if there is no stop. */
static int trap(int code, uint64_t message, struct siginfo *info, bool ending, int lost)
{
    struct task *self = task_current();
    struct wait_queue nobody;
    if (!trap_begin(code, message, info, ending))
        return lost;
    wait_queue_init(&nobody);
    wait_until_deaf(&nobody,
                    !__atomic_load_n(&self->trap.on, __ATOMIC_ACQUIRE) || must_go(self, ending));
    uint64_t irq = spin_lock_irq(&tasks_lock);
    int signal = self->trap.signal;
    self->trap.on = false;
    self->trap.info = NULL;
    bool over = !self->tracee;
    spin_unlock_irq(&tasks_lock, irq);
    if (over)
        (void)trace_unstep();
    return signal;
}

/* A stop that is not for a signal sent to the task. */
static int trap_own(int code, uint64_t message, bool ending)
{
    struct siginfo info = { .signo = code & 0x7f, .code = code, .pid = task_current()->tid };
    return trap(code, message, &info, ending, 0);
}

/* ---- Signals ------------------------------------------------------------ */

bool trace_signal(struct siginfo *info)
{
    struct task *self = task_current();
    if (info->signo == SIGKILL)
        return true;
    uint64_t irq = spin_lock_irq(&self->process->lock);
    self->signals.stop_taken = true; /* the tracer may make it a stop signal */
    spin_unlock_irq(&self->process->lock, irq);
    int signal = trap(info->signo, 0, info, false, info->signo);
    if (!signal)
        return false;
    if (signal != info->signo)
        *info = (struct siginfo){ .signo = signal, .pid = self->process->parent_pid };
    if (!(self->signals.mask & signal_bit(signal)))
        return true;
    (void)!thread_signal(0, self->tid, info); /* blocked meanwhile: later */
    return false;
}

void trace_stop(int signal)
{
    struct task *self = task_current();
    uint64_t irq = spin_lock_irq(&tasks_lock);
    bool seized = self->tracee && self->tracee->seized;
    spin_unlock_irq(&tasks_lock, irq);
    if (seized)
        (void)trap_own((signal ? signal : SIGTRAP) | PTRACE_EVENT_STOP << 8, 0, false);
    else if (signal)
        (void)trap(signal, 0, NULL, false, 0);
}

/* ---- Events ------------------------------------------------------------- */

#define PLAIN (1u << 31) /* traced, and not seized */

/* The tracer's options; 0 if there is none. */
static unsigned options_now(void)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    const struct tracee *tracee = task_current()->tracee;
    unsigned options = !tracee ? 0 : tracee->options | (tracee->seized ? 0 : PLAIN);
    spin_unlock_irq(&tasks_lock, irq);
    return options;
}

void trace_event(int event, uint64_t message)
{
    if (task_traced(task_current()) && options_now() & 1u << event)
        (void)trap_own(SIGTRAP | event << 8, message, event == PTRACE_EVENT_EXIT);
}

void trace_exec(int former_tid)
{
    unsigned options = options_now();
    if (options & 1u << PTRACE_EVENT_EXEC)
        trace_event(PTRACE_EVENT_EXEC, (uint64_t)former_tid);
    else if (options & PLAIN)
        signal_send_self(SIGTRAP);
}

void trace_exit(int wait_status)
{
    if (status_signal(wait_status) != SIGKILL)
        trace_event(PTRACE_EVENT_EXIT, (uint64_t)wait_status);
}

/* ---- Single steps ------------------------------------------------------- */

void trace_handler(void) { (void)trap_own(SIGTRAP, 0, false); }

bool trace_step_lost(void) { return !task_traced(task_current()) && trace_unstep(); }

/* ---- System calls ------------------------------------------------------- */

static void call_stop(uint64_t message)
{
    const struct task *self = task_current();
    int code = SIGTRAP | (options_now() & PTRACE_O_TRACESYSGOOD ? 0x80 : 0);
    int signal = trap_own(code, message, false);
    const struct siginfo info = { .signo = signal, .code = SI_KERNEL };
    if (signal)
        (void)!thread_signal(0, self->tid, &info);
}

/* The tracer may change the number, to -1 for no call at all, and the arguments. */
void entry_syscall_traced(struct trap_frame *frame)
{
    struct task *self = task_current();
    if (!task_traced(self)) {
        arch_calls_trace(&self->arch, false);
        entry_syscall(frame);
        return;
    }
    bool stops = self->trap.calls;
    if (stops) {
        frame->rax = (uint64_t)-ENOSYS;
        call_stop(PTRACE_EVENTMSG_SYSCALL_ENTRY);
        if (signal_kill_due(self))
            return;
        if (frame->error != TRAP_NOT_A_CALL)
            frame->rax = frame->error;
    }
    if (frame->error != TRAP_NOT_A_CALL)
        entry_syscall(frame);
    if (self->trap.calls)
        call_stop(PTRACE_EVENTMSG_SYSCALL_EXIT);
    const struct siginfo step = { .signo = SIGTRAP, .code = TRAP_BRKPT, .addr = frame->rip };
    if (self->trap.stepping)
        signal_force(&step, false);
}

/* ---- New tasks ---------------------------------------------------------- */

int trace_clone_begin(struct trace_clone *clone, uint64_t flags)
{
    *clone = (struct trace_clone){ 0 };
    if (!task_traced(task_current()) || flags & CLONE_UNTRACED)
        return 0;
    unsigned options = options_now();
    int event = flags & CLONE_VFORK                                    ? PTRACE_EVENT_VFORK
                : flags & CLONE_THREAD || (flags & CSIGNAL) != SIGCHLD ? PTRACE_EVENT_CLONE
                                                                       : PTRACE_EVENT_FORK;
    if (options & 1u << event)
        clone->event = event;
    if (!clone->event && !(flags & CLONE_PTRACE))
        return 0;
    clone->child = tracee_create();
    return clone->child ? 0 : -ENOMEM;
}

void trace_clone_adopt(struct trace_clone *clone, struct task *child)
{
    const struct task *self = task_current();
    if (self->trap.stepping)
        arch_step_set(&child->arch, false);
    if (!clone->child)
        return;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    const struct tracee *own = self->tracee;
    if (own) {
        clone->child->options = own->options;
        clone->child->seized = own->seized;
        tracee_begin(clone->child, child, own->tracer);
        if (own->seized)
            notice_set(child, NOTICE_TRAP);
        else
            signal_post_kernel(child->process, child, SIGSTOP);
        clone->child = NULL;
    }
    spin_unlock_irq(&tasks_lock, irq);
}

void trace_clone_end(struct trace_clone *clone, int tid)
{
    kfree(clone->child);
    if (clone->event && tid)
        trace_event(clone->event, (uint64_t)tid);
}
