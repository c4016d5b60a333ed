/* SPDX-License-Identifier: MIT */
/* Threads fault and store while their process forks: what a child finds is what was there at one
 * moment, and does not change any more. */
#define _GNU_SOURCE
#include "stress.h"

#include <pthread.h>
#include <sys/mman.h>

#define WRITERS 3
#define PAGES   24
#define APART   (1ul << 20) /* two of them share a table of leaves */
#define ROUNDS  40

static char *memory;
static int stop; /* atomic */

/* A writer counts the first word of a page up, then the second. */
static volatile long *words(int page) { return (volatile long *)(memory + (uint64_t)page * APART); }

static void *count_up(void *writer)
{
    for (int i = 0; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); i++) {
        volatile long *page = words((int)(long)writer
                                    + WRITERS * (int)random_below(PAGES / WRITERS));
        page[0]++;
        page[1]++;
        if (i % 64 == 0)
            deep(random_below(50), NULL);
    }
    return NULL;
}

static void look_twice(void)
{
    long first[PAGES];
    for (int i = 0; i < PAGES; i++) {
        first[i] = words(i)[0];
        CHECK(first[i] == words(i)[1] || first[i] == words(i)[1] + 1);
    }
    for (int i = 0; i < PAGES; i++) {
        CHECK_EQ(words(i)[0], first[i]);
        words(i)[0] = -1; /* nor does the parent find what the child stores */
    }
}

static void fork_under_writers(void)
{
    pthread_t writers[WRITERS];
    memory = map(PAGES * APART, MAP_PRIVATE);
    stop = 0;
    for (long i = 0; i < WRITERS; i++)
        CHECK_EQ(pthread_create(&writers[i], NULL, count_up, (void *)i), 0);
    for (int i = 0; i < ROUNDS && time_left(); i++) {
        int child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            look_twice();
            _exit(0);
        }
        if (random_below(2))
            sleep_us(random_below(300));
        CHECK_EQ(reap(child), 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < WRITERS; i++)
        CHECK_EQ(pthread_join(writers[i], NULL), 0);
    for (int i = 0; i < PAGES; i++)
        CHECK_EQ(words(i)[0], words(i)[1]);
    munmap(memory, PAGES * APART);
}

static void fork_under_writers_repeatedly(void)
{
    while (time_left())
        fork_under_writers();
}

void load_snapshots(void) { in_processes(2, fork_under_writers_repeatedly); }
