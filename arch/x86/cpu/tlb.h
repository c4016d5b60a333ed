/* SPDX-License-Identifier: MIT */
/* Flush requests from other CPUs. Private to arch/x86/. */
#ifndef ARCH_X86_TLB_H
#define ARCH_X86_TLB_H

/* Answer the requests of other CPUs. */
void tlb_serve(void);

#endif
