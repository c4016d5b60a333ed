/* SPDX-License-Identifier: MIT */
/* This CPU's segments, TSS and per-CPU data. Private to arch/x86/. */
#ifndef ARCH_X86_GDT_H
#define ARCH_X86_GDT_H

#include "base/types.h"

#define IST_COUNT 4 /* #DF, NMI, #MC and #DB have stacks of their own */

/* Give another CPU, before it starts, the tops of its stacks for these exceptions. */
void gdt_prepare(unsigned cpu, const uint64_t ist_tops[IST_COUNT]);
/* Load this CPU's GDT, LDTR, TSS and GS base. The boot CPU's stacks are in the image. */
void gdt_init(unsigned cpu);
void gdt_set_kernel_stack(uint64_t top); /* where the next entry from user mode starts */

#endif
