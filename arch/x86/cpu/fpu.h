/* SPDX-License-Identifier: MIT */
/* A task's x87, SSE and AVX state. Private to arch/x86/. */
#ifndef ARCH_X86_FPU_H
#define ARCH_X86_FPU_H

#include "base/types.h"

void fpu_init(void);
void fpu_init_this(void); /* what fpu_init() decided, on each other CPU */
/* area: arch_fpu_bytes() bytes */
void fpu_save(void *area);
void fpu_restore(const void *area);
/* The same with an area in user space as a signal frame has it, 64-byte aligned, of
 * fpu_user_bytes() bytes. 0, or -EFAULT: the area cannot be reached, or what is in it is refused;
 * the registers are then as after arch_fpu_reset(). At 0 that is what is restored. */
size_t fpu_user_bytes(void);
MUST_CHECK int fpu_save_user(uint64_t area);
MUST_CHECK int fpu_restore_user(uint64_t area);
bool fpu_has_xsave(void);
/* The si_code of the SIGFPE for what the running program has just computed, with SSE or x87. */
int fpu_error_code(bool simd);

#endif
