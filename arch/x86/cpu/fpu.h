/* SPDX-License-Identifier: MIT */
/* A task's x87, SSE and AVX state. Private to arch/x86/. */
#ifndef ARCH_X86_FPU_H
#define ARCH_X86_FPU_H

void fpu_init(void);
void fpu_init_this(void); /* what fpu_init() decided, on each other CPU */
/* area: arch_fpu_bytes() bytes */
void fpu_save(void *area);
void fpu_restore(const void *area);

#endif
