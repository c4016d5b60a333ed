/* SPDX-License-Identifier: MIT */
/* trap_entry.asm and syscall_entry.asm, and what they call in trap.c. Private to arch/x86/. */
#ifndef ARCH_X86_ENTRY_H
#define ARCH_X86_ENTRY_H

#include "arch/x86/arch.h"

extern const uint64_t trap_vectors[256]; /* each vector's entry */
void syscall_entry(void);
void syscall32_entry(void);
void syscall_entry_traced(void);
void task_begin(void);  /* where a new user task starts */
void trap_return(void); /* returns to where the frame at RSP says */

/* An exception or interrupt. Interrupts are off, and may be on when it returns. */
void x86_trap(struct trap_frame *frame);
/* On the way to user mode, interrupts off, as long as work is asked for. */
void x86_user_work(struct trap_frame *frame);
/* IRETQ could not return to user mode by *frame. Interrupts are off. */
void x86_return_refused(struct trap_frame *frame);

/* uaccess.asm: XSAVE to and XRSTOR from len bytes of user memory; FXSAVE and FXRSTOR for mask 0. 0
 * or -EFAULT, also when the CPU refuses what it reads. */
MUST_CHECK int x86_fpu_save_user(uaddr_t area, size_t len, uint32_t mask);
MUST_CHECK int x86_fpu_restore_user(uaddr_t area, size_t len, uint32_t mask);

/* planted_entry.asm, in the test kernel: entries with defects */
void planted_nmi_entry(void);
void planted_gp_entry(void);

#endif
