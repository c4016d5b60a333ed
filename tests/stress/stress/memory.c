/* SPDX-License-Identifier: MIT */
/* Running out of memory. */
#define _GNU_SOURCE
#include "stress.h"

#include <pthread.h>
#include <sys/mman.h>

static void *take_memory(void *unused)
{
    for (;;) {
        volatile char *at = mmap(NULL, 1 << 20, RW, PRIVATE, -1, 0);
        if (at == MAP_FAILED)
            return unused;
        for (int i = 0; i < 1 << 20; i += PAGE)
            at[i] = 1;
        if (random_below(30) == 0 && fork() == 0) {
            for (int i = 0; i < 1 << 20; i += PAGE)
                at[i] = 2;
        }
    }
}

static void be_greedy(void)
{
    pthread_t thread;
    if (random_below(2))
        pthread_create(&thread, NULL, take_memory, NULL);
    take_memory(NULL);
    _exit(12);
}

/* The hogs must share no page with process 1: then process 1 needs no memory to go on. So they are
 * a program of their own. */
void hogs(void)
{
    do {
        int pids[4];
        for (int i = 0; i < 4; i++) {
            pids[i] = fork();
            if (pids[i] == 0)
                be_greedy();
        }
        for (int i = 0; i < 4; i++) {
            int status = 0;
            if (pids[i] > 0 && waitpid(pids[i], &status, 0) == pids[i])
                CHECK(status == SIGKILL || status == 12 << 8);
        }
    } while (time_left());
}

void load_memory(void)
{
    char ms[24];
    snprintf(ms, sizeof(ms), "%ld", load_ms);
    char *const argv[] = { (char *)myself, "hogs", ms, NULL };
    execv(myself, argv);
    CHECK(!"exec");
}
