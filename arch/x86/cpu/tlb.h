/* SPDX-License-Identifier: MIT */
/* Flush requests from other CPUs. Private to arch/x86/. */
#ifndef ARCH_X86_TLB_H
#define ARCH_X86_TLB_H

/* Answer what other CPUs ask of this one. */
void tlb_serve(void);

#endif
