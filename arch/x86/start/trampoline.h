/* SPDX-License-Identifier: MIT */
/* trampoline.asm: where a started CPU begins. Private to arch/x86/. */
#ifndef ARCH_X86_TRAMPOLINE_H
#define ARCH_X86_TRAMPOLINE_H

#include "arch/x86/arch.h"

/* The code that is copied to a page below 640 KiB, and the words in it that the copy's address, or
 * a page table's, is added to. */
extern const uint8_t trampoline_start[], trampoline_end[], trampoline_gdt_base[], trampoline_far[],
    trampoline_cr3[];

/* What it reads; smp.c's. */
extern uint32_t ap_arrived;          /* [A] the next number */
extern uint64_t ap_stacks[CPUS_MAX]; /* [A] 0: wait, 1: stay out, else the top of the first stack */
extern uint64_t ap_root;             /* physical address of the page table to run on */

/* A started CPU's first C function, on its own stack. */
NORETURN void x86_ap_start(unsigned cpu);

#endif
