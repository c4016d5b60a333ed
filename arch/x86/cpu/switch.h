/* SPDX-License-Identifier: MIT */
/* switch.asm: changing stacks. Private to arch/x86/. */
#ifndef ARCH_X86_SWITCH_H
#define ARCH_X86_SWITCH_H

#include "base/types.h"

/* Save the registers that C wants preserved on this stack, store the stack's address, and go on
 * with the other stack. */
void x86_switch_stack(uint64_t *save_sp, uint64_t new_sp);
/* Where a new kernel task starts: calls the function in R12 with the argument in RBX. */
void kernel_task_begin(void);

/* user_regs.c: this CPU's SYSCALLs go through entry_syscall_traced(), or not. */
void calls_traced_load(bool on);

#endif
