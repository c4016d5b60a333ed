/* SPDX-License-Identifier: MIT */
/*
 * Make the n-th allocation fail (test build only), to prove that everything that can run out
 * returns -ENOMEM with nothing changed. Counts only allocations made while the task that armed it
 * runs.
 */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#include "base/types.h"

#ifdef CONFIG_TEST
/* Let the n-th allocation from now on by the current task fail; 0 disarms. */
void failpoint_arm(uint64_t n);
/* Allocations counted since arming. */
uint64_t failpoint_count(void);
/* True when this allocation shall fail. Called by every allocator once an allocation. */
bool failpoint_hit(void);
#else
static inline bool failpoint_hit(void) { return false; }
#endif

#endif
