/* SPDX-License-Identifier: MIT */
/* The TSC as a clock. Private to arch/x86/. */
#ifndef ARCH_X86_TIMER_H
#define ARCH_X86_TIMER_H

#include "base/types.h"

void timer_init(void);
uint64_t timer_tsc_hz(void);

#endif
