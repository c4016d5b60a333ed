/* SPDX-License-Identifier: MIT */
/* Proves: all CPUs read the same clock. */
#include <time.h>

#include "test.h"

static long now_ns(void)
{
    struct timespec now;
    CHECK_EQ(raw3(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0), 0);
    return now.tv_sec * 1000000000l + now.tv_nsec;
}

/* Read on one CPU after the other, the clock neither goes back nor jumps. */
TEST_CPUS(the_clock_is_the_same_on_every_cpu, "")
{
    int cpus = cpu_count();
    long before = now_ns();
    for (int i = 0; i < 200; i++) {
        pin(i % cpus);
        long now = now_ns();
        CHECK(now >= before);
        CHECK(now - before < 10000000000l);
        before = now;
    }
}

#define LOOKS 100000 /* reading so often takes longer than a tick */

/*
 * Nor does the clock of one CPU wait for another's: most of many readings show that time has
 * passed. Some do not: where another CPU's TSC is ahead by less than could be measured, the clock
 * stands still for that long after each tick of that CPU.
 */
TEST(the_clock_moves_on_every_cpu, "")
{
    int cpus = cpu_count();
    for (int i = 0; i <= cpus; i++) { /* the first one again, after a tick of each */
        long before = 0, still = 0;
        pin(i % cpus);
        for (long looks = 0; looks < LOOKS; looks++) {
            long now = now_ns();
            still += now == before;
            before = now;
        }
        CHECK(still < LOOKS / 10 * 9);
    }
}
