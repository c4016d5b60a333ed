/* SPDX-License-Identifier: MIT */
/* A program's instruction was refused: told in the log and in the trace, and the program gets its
 * signal. */
#include "arch/x86/upcalls.h"
#include "base/log.h"
#include "base/trace.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"

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

/* As on Linux, a signal that says no more than its number has no address. */
static uint64_t address_told(const struct refusal *why)
{
    bool none = why->si_code == SI_KERNEL || (why->signal == SIGSEGV && why->si_code == SEGV_CPERR)
                || (why->signal == SIGBUS && why->si_code == BUS_ADRALN);
    return none ? 0 : why->si_addr;
}

/* A program that has a handler, or a tracer, may cause such signals by the thousand, and is not the
 * log's. */
void entry_refused(struct trap_frame *frame, const struct refusal *why)
{
    struct task *task = task_current();
    if (why->signal == SIGTRAP && trace_step_lost())
        return;
    if (!task_traced(task)
        && (signal_action(task->process, why->signal)->handler <= SIG_IGN
            || task->signals.mask & signal_bit(why->signal)))
        log_line("refused: pid %d (%s) %s %s addr %#lx error %#lx rip %#lx: %s", task->process->pid,
                 task->name, signal_name(why->signal), code_name(why->signal, why->si_code),
                 why->si_addr, why->error, frame->rip, why->reason);
    trace_record(TRACE_REFUSAL, 0, why->si_addr, frame->rip,
                 (why->error & 0xffffffff) | (uint64_t)why->si_code << 32
                     | (uint64_t)why->signal << 48);
    struct siginfo info = {
        .signo = why->signal,
        .code = why->si_code,
        .addr = address_told(why),
    };
    arch_signal_note(&task->arch, frame, why->si_addr);
    signal_force(&info, false);
}
