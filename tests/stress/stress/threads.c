/* SPDX-License-Identifier: MIT */
/* Threads that start and exit. */
#define _GNU_SOURCE
#include "stress.h"

#include <pthread.h>

static void *leave_for_all(void *unused)
{
    (void)unused;
    raw_exit(deep(random_below(50), NULL) ? 0 : 1);
    return NULL;
}

/* A process that one of its threads ends while others start and exit. */
static void end_by_a_thread(void)
{
    int child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        pthread_t thread;
        for (int i = 0; i < 3; i++)
            pthread_create(&thread, NULL, i == 1 ? leave_for_all : go_deep, (void *)20l);
        for (;;)
            sleep_us(1000);
    }
    CHECK_EQ(reap(child), 0);
}

static void thread_repeatedly(void)
{
    pthread_t threads[8];
    void *reached;
    while (time_left()) {
        long levels = random_below(400);
        for (int i = 0; i < 8; i++) {
            CHECK_EQ(pthread_create(&threads[i], NULL, go_deep, (void *)levels), 0);
            if (i & 1)
                CHECK_EQ(pthread_detach(threads[i]), 0);
        }
        for (int i = 0; i < 8; i += 2) {
            CHECK_EQ(pthread_join(threads[i], &reached), 0);
            CHECK_EQ((long)reached, levels + 1);
        }
        end_by_a_thread();
    }
}

void load_threads(void) { in_processes(3, thread_repeatedly); }
