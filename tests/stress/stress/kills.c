/* SPDX-License-Identifier: MIT */
/* SIGKILL at any moment of fork and exec. */
#define _GNU_SOURCE
#include "stress.h"

#include <pthread.h>

/* Fork and exec until killed. */
static void fork_and_exec_for_ever(void)
{
    for (;;) {
        int child = fork();
        if (child == 0) {
            pthread_t thread;
            switch (random_below(3)) {
            case 0: exec_me(NULL); break;
            case 1:
                pthread_create(&thread, NULL, exec_me, NULL);
                deep(200, NULL);
                break;
            case 2:
                pthread_create(&thread, NULL, go_deep, (void *)100l);
                exec_me(NULL);
                break;
            }
            _exit(0);
        }
        if (child > 0 && random_below(2))
            waitpid(child, NULL, 0);
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
    }
}

static void kill_repeatedly(void)
{
    while (time_left()) {
        int child = fork();
        CHECK(child >= 0);
        if (child == 0)
            fork_and_exec_for_ever();
        sleep_us(500 + random_below(6000));
        CHECK_EQ(kill(child, SIGKILL), 0);
        CHECK_EQ(reap(child), SIGKILL);
    }
}

void load_kills(void) { in_processes(busy_count() / 2, kill_repeatedly); }
