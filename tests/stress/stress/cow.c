/* SPDX-License-Identifier: MIT */
/* Copy-on-write by parents and children that share the same pages. */
#define _GNU_SOURCE
#include "stress.h"

#include <sys/mman.h>

#define SHARED_PAGES 48

static volatile long *pages;

static volatile long *word_of(int i) { return pages + i * (PAGE / (int)sizeof(long)); }

/* Every process writes its own mark into the same pages, and must find it again. */
static void mark_and_look(long mark)
{
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < SHARED_PAGES; i++)
            *word_of((i * 7 + round) % SHARED_PAGES) = mark + round;
        if (random_below(2))
            raw0(SYS_sched_yield);
        for (int i = 0; i < SHARED_PAGES; i++)
            CHECK_EQ(*word_of(i), mark + round);
    }
}

static void families(void)
{
    int pids[3];
    pages = (volatile long *)map(SHARED_PAGES * PAGE, MAP_PRIVATE);
    for (long family = 1; time_left(); family++) {
        mark_and_look(family * 1000);
        for (int i = 0; i < 3; i++) {
            pids[i] = fork();
            CHECK(pids[i] >= 0);
            if (pids[i] == 0) {
                CHECK_EQ(*word_of(5) / 1000, family);
                mark_and_look(family * 1000 + 100 * (i + 1));
                _exit(0);
            }
        }
        mark_and_look(family * 1000 + 500);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(reap(pids[i]), 0);
    }
}

void load_cow(void) { in_processes(busy_count() / 2, families); }
