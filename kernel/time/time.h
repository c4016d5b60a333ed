/* SPDX-License-Identifier: MIT */
/* The time of day, and times as programs pass them. */
#ifndef KERNEL_TIME_TIME_H
#define KERNEL_TIME_TIME_H

#include "base/types.h"

/* Linux's clocks. */
enum {
    CLOCK_REALTIME,
    CLOCK_MONOTONIC,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_THREAD_CPUTIME_ID,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME_COARSE,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_BOOTTIME,
};
#define TIMER_ABSTIME 1

/* Read the clock that keeps the time of day; before the first process. */
void time_init(void);
/* Nanoseconds since 1970. */
uint64_t wall_clock_ns(void);
/* A user's struct timespec in nanoseconds, at most 10^10 s; 0, -EFAULT, -EINVAL. */
MUST_CHECK int time_in(uaddr_t from, uint64_t *ns);
/* The reverse; 0, -EFAULT. */
MUST_CHECK long time_out(uint64_t ns, uaddr_t to);
/* By how much a clock that can be waited for is ahead of arch_clock_ns(); -EINVAL: no such clock,
 * -EOPNOTSUPP: it cannot be waited for. */
MUST_CHECK int clock_offset(int clock, int64_t *ns);

#endif
