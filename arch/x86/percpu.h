/* SPDX-License-Identifier: MIT */
/* What each CPU has for itself, reached through GS. Private to arch/x86/. */
#ifndef ARCH_X86_PERCPU_H
#define ARCH_X86_PERCPU_H

#include "arch/x86/arch.h"

/* All fields: this CPU only, interrupts off where an interrupt handler uses them too. frame.inc mirrors the first ones. */
struct percpu {
    struct percpu *self;
    uint64_t       kernel_stack;        /* top of the running task's */
    uint64_t       user_rsp;            /* scratch of the SYSCALL entry */
    uint32_t       user_work;           /* entry_user_return() is asked for */
    uint32_t       cpu_id;
    struct task   *task;
    struct mm     *mm;
    int            pid;
    const struct trap_frame *fault_frame;   /* innermost exception taken in the kernel */
};

static inline struct percpu *percpu(void)
{
    struct percpu *cpu;
    __asm__("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

#endif
