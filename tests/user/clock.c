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

#define LOOKS_MAX 1000000 /* longer than any difference that could not be measured */

/* Nor does it stand still for long, where another CPU's TSC is ahead. */
TEST(the_clock_moves_on_every_cpu, "")
{
    int cpus = cpu_count();
    for (int i = 0; i <= cpus; i++) { /* the first one again, once all have told the time */
        pin(i % cpus);
        long before = now_ns(), looks = 0;
        while (now_ns() == before && looks < LOOKS_MAX)
            looks++;
        CHECK(looks < LOOKS_MAX);
    }
}
