/* SPDX-License-Identifier: MIT */
/* What the TSC counts in a second. Private to arch/x86/. */
#ifndef ARCH_X86_CLOCKS_H
#define ARCH_X86_CLOCKS_H

#include "base/types.h"

/* TSC ticks a second, and by which clock; 0 when none answers plausibly. Takes less than a second
 * even where every clock is dead. */
uint64_t clocks_measure_tsc(const char **clock);

#endif
