/* SPDX-License-Identifier: MIT */
/* The mistakes that planted.h can make, each with its consequence. */
#include "kernel/planted.h"

#include "arch/x86/arch.h"
#include "base/defect.h"
#include "kernel/task/task.h"

/* wrss_always: every protected program may write its own return addresses. */
bool planted_wrss(bool allowed) { return allowed || defect_on(DEFECT_WRSS_ALWAYS); }

/*
 * lock_order: the lock of the process tree is taken inside the process's lock, which stands below
 * it. The lock checks panic. Without them nothing would happen until another CPU took the two in
 * the right order at the same time.
 */
struct spinlock *planted_order(struct spinlock *lock, struct process *process)
{
    if (defect_on(DEFECT_LOCK_ORDER)) {
        uint64_t irq = spin_lock_irq(&process->lock);
        spin_lock(lock);
        spin_unlock(lock);
        spin_unlock_irq(&process->lock, irq);
    }
    return lock;
}

/* cpu_stuck: CPU 1 never leaves its first idle moment, and answers nothing but flush requests. */
unsigned planted_idle(unsigned cpu)
{
    while (cpu == 1 && defect_on(DEFECT_CPU_STUCK))
        arch_pause();
    return cpu;
}

/* program_writable: a running program sees its file change under it. */
bool planted_busy(bool busy) { return busy && !defect_on(DEFECT_PROGRAM_WRITABLE); }

/* robust_no_wake: who waits for a futex whose owner has died sleeps on. */
bool planted_wake(bool due) { return due && !defect_on(DEFECT_ROBUST_NO_WAKE); }

/* oom_kills_asker: the process that holds all memory lives, and others die for it. */
bool planted_other(bool other) { return other && !defect_on(DEFECT_OOM_KILLS_ASKER); }

/* no_breath: a long call goes on to its end, whoever waits for the CPU or kills the task. */
bool planted_breath(bool due) { return due && !defect_on(DEFECT_NO_BREATH); }

/* sigreturn_any_page: a program writes the SSP that it goes on with into memory of its own. */
bool planted_signal_page(bool shadow_stack)
{
    return shadow_stack || defect_on(DEFECT_SIGRETURN_ANY_PAGE);
}

/* sigreturn_unchecked_token: any word of a shadow stack becomes the SSP. */
bool planted_signal_token(bool marked)
{
    return marked || defect_on(DEFECT_SIGRETURN_UNCHECKED_TOKEN);
}

/* overruns_lost: how often a timer expired while its signal waited is not counted. */
bool planted_overrun(bool waits) { return waits && !defect_on(DEFECT_OVERRUNS_LOST); }

/* ptrace_anyone: who does not trace a task has its memory and its registers. */
bool planted_tracer(bool mine) { return mine || defect_on(DEFECT_PTRACE_ANYONE); }

/* ptrace_any_ssp: a tracer sets an SSP that is misaligned, or the kernel's. */
bool planted_ssp_range(bool allowed) { return allowed || defect_on(DEFECT_PTRACE_ANY_SSP); }

/* orphans_stop: a process stops that nobody can let go on. */
bool planted_orphan(bool orphaned) { return orphaned && !defect_on(DEFECT_ORPHANS_STOP); }

/* close_wakes_nobody: a fault waits for a file that is gone. */
bool planted_close(bool due) { return due && !defect_on(DEFECT_CLOSE_WAKES_NOBODY); }

/* fork_deaf: a child is made while its parent is being killed. */
bool planted_fork(bool due) { return due && !defect_on(DEFECT_FORK_DEAF); }

/* vm_write_forced: another process's memory is written as a debugger writes it. */
unsigned planted_vm(unsigned flags)
{
    return flags | (defect_on(DEFECT_VM_WRITE_FORCED) ? GUP_FORCE : 0);
}

/* exec_shares_files: what a new program closes is closed for those that share its open files. */
uint64_t planted_exec(uint64_t flags) { return defect_on(DEFECT_EXEC_SHARES_FILES) ? 0 : flags; }
