/* SPDX-License-Identifier: MIT */
/* The user's registers of a task that waits off its CPU, read and written for a tracer. What it
 * writes is either one of the program's own registers, or cut down to what a program may set. */
#include "arch/x86/arch.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/cpu/switch.h"
#include "arch/x86/entry/entry.h"
#include "arch/x86/signal/frame.h"
#include "uapi/errno.h"
#include "uapi/ptrace.h"

void arch_regs_get(struct arch_task *task, struct user_regs *regs)
{
    const struct trap_frame *frame = arch_user_frame(task);
    *regs = (struct user_regs){
        .orig_rax = frame->vector == TRAP_SYSCALL ? frame->error : TRAP_NOT_A_CALL,
        .cs = frame->cs,
        .ss = frame->ss,
        .rflags = frame->rflags,
        .fs_base = task->fs_base,
        .gs_base = task->gs_base,
    };
#define GET(name) regs->name = frame->name;
    EACH_GENERAL_REGISTER(GET)
#undef GET
}

int arch_regs_set(struct arch_task *task, const struct user_regs *regs)
{
    struct trap_frame *frame = arch_user_frame(task);
    bool code = regs->cs == frame->cs || regs->cs == USER_CS;
    bool stack = regs->ss == frame->ss || regs->ss == USER_DS;
    if (!code || !stack || regs->fs_base >= USER_END || regs->gs_base >= USER_END)
        return -EIO;
    program_flags_set(frame, regs->rflags);
    frame->cs = regs->cs;
    frame->ss = regs->ss;
    task->fs_base = regs->fs_base;
    task->gs_base = regs->gs_base;
    if (frame->vector == TRAP_SYSCALL || (int64_t)regs->orig_rax >= 0) {
        frame->vector = TRAP_SYSCALL;
        frame->error = (int64_t)regs->orig_rax >= 0 ? regs->orig_rax : TRAP_NOT_A_CALL;
    }
#define SET(name) frame->name = regs->name;
    EACH_GENERAL_REGISTER(SET)
#undef SET
    return 0;
}

bool arch_step_get(struct arch_task *task) { return arch_user_frame(task)->rflags & RFLAGS_TF; }

void arch_step_set(struct arch_task *task, bool on)
{
    struct trap_frame *frame = arch_user_frame(task);
    frame->rflags = (frame->rflags & ~RFLAGS_TF) | (on ? RFLAGS_TF : 0);
}

void calls_traced_load(bool on)
{
    wrmsr(MSR_LSTAR, (uint64_t)(on ? syscall_entry_traced : syscall_entry));
}

void arch_calls_trace(struct arch_task *task, bool on)
{
    if (task->calls_traced == on)
        return;
    task->calls_traced = on;
    if (percpu()->kernel_stack == task->kernel_stack_top) /* it is the running one */
        calls_traced_load(on);
}
