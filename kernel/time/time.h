/* SPDX-License-Identifier: MIT */
/* The time of day, and times as programs pass them. */
#ifndef KERNEL_TIME_TIME_H
#define KERNEL_TIME_TIME_H

#include "base/types.h"

/* Read the clock that keeps the time of day; before the first process. */
void time_init(void);
/* Nanoseconds since 1970. */
uint64_t wall_clock_ns(void);
/* A user's struct timespec in nanoseconds, at most 10^10 s; 0, -EFAULT, -EINVAL. */
MUST_CHECK int time_in(uaddr_t from, uint64_t *ns);

#endif
