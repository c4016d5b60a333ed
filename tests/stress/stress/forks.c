/* SPDX-License-Identifier: MIT */
/* Storms of forks, deep in a shadow stack. */
#define _GNU_SOURCE
#include "stress.h"

static int generations;

/* Both processes return through all frames pushed before the fork. */
static void fork_once(void)
{
    int child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (generations-- > 0)
            (void)deep(random_below(40), fork_once);
        return;
    }
    CHECK_EQ(reap(child), 0);
}

static void fork_repeatedly(void)
{
    int self = (int)raw0(SYS_getpid);
    while (time_left()) {
        unsigned levels = random_below(300);
        generations = 2;
        CHECK_EQ(deep(levels, fork_once), levels + 1);
        if (raw0(SYS_getpid) != self)
            _exit(0);
    }
}

void load_forks(void) { in_processes(busy_count(), fork_repeatedly); }
