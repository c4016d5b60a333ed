/* SPDX-License-Identifier: MIT */
/* One TSC for all CPUs. Private to arch/x86/. */
#ifndef ARCH_X86_TSC_H
#define ARCH_X86_TSC_H

#include "base/types.h"

/* Does the CPU say that its TSC runs at one speed, whatever the CPU's own? */
bool tsc_is_invariant(void);
/* This CPU's TSC as the boot CPU's would stand. */
uint64_t tsc_now(void);

/* A CPU that starts, interrupts off: find how far its TSC is from the boot CPU's, which calls
 * tsc_answer() all the while. Bounded: without an answer they are taken to be equal. */
void tsc_follow(void);
void tsc_answer(void);

#endif
