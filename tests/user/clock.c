/* SPDX-License-Identifier: MIT */
/* Proves: the clock is one clock, whichever CPU is asked. */
#include <time.h>

#include "test.h"

static long now_ns(void)
{
    struct timespec now;
    CHECK_EQ(raw3(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0), 0);
    return now.tv_sec * 1000000000l + now.tv_nsec;
}

/* From CPU to CPU it neither goes back nor jumps. */
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

#define LOOKS 100000 /* for longer than a tick of the other CPUs, at which they tell the time */

/*
 * Nor does it wait for another CPU's: of many looks most show that time has passed. After each tick
 * of a CPU whose TSC is ahead by what could not be measured, the clock stands still for as long.
 */
TEST(the_clock_moves_on_every_cpu, "")
{
    int cpus = cpu_count();
    for (int i = 0; i <= cpus; i++) { /* the first one again, once all have told the time */
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
