/* SPDX-License-Identifier: MIT */
/* Mappings that change while other threads use them. */
#define _GNU_SOURCE
#include "stress.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#define ARENA_PAGES 64

static volatile char *arena;
static volatile int arena_done;

/* Every page of the arena is always mapped and writable. A thread's byte holds 0, or what that
 * thread has just stored. */
static void *use_the_arena(void *mark)
{
    while (!arena_done) {
        volatile char *at = arena + random_below(ARENA_PAGES) * PAGE + (long)mark;
        char saw = *at;
        if (saw != 0 && saw != (char)(long)mark)
            raw_exit(97);
        *at = (char)(long)mark;
    }
    return NULL;
}

/* Let the kernel read and write memory that may be unmapped at any moment. */
static void *use_through_the_kernel(void *unstable)
{
    int ends[2];
    char *at = unstable;
    if (pipe2(ends, O_NONBLOCK))
        raw_exit(96);
    while (!arena_done) {
        char byte = 0;
        char *there = at + random_below(16) * PAGE;
        if (write(ends[1], there, 1) < 0 && errno != EFAULT)
            raw_exit(95);
        if (write(ends[1], &byte, 1) != 1 || (read(ends[0], there, 1) < 0 && errno != EFAULT))
            raw_exit(94);
        while (read(ends[0], &byte, 1) == 1) {}
    }
    return NULL;
}

static void change_the_arena(void)
{
    unsigned first = random_below(ARENA_PAGES), count = 1 + random_below(ARENA_PAGES - first);
    char *at = (char *)arena + first * PAGE;
    switch (random_below(4)) {
    case 0: CHECK_EQ(madvise(at, count * PAGE, MADV_DONTNEED), 0); break;
    case 1: CHECK_EQ(mprotect(at, count * PAGE, RW | PROT_EXEC), 0); break;
    case 2: CHECK_EQ(mprotect(at, count * PAGE, RW), 0); break;
    case 3: CHECK(mmap(at, count * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0) == at); break;
    }
}

static void change_unstable(char *unstable)
{
    char *at = unstable + random_below(16) * PAGE;
    switch (random_below(4)) {
    case 0: munmap(at, PAGE * (1 + random_below(4))); break;
    case 1: mprotect(at, PAGE, PROT_READ); break;
    case 2: mprotect(at, PAGE, PROT_NONE); break;
    case 3: CHECK(mmap(unstable, 16 * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0) == unstable); break;
    }
}

static void remap_repeatedly(void)
{
    pthread_t threads[4];
    char *unstable = map(16 * PAGE + 4 * PAGE, MAP_PRIVATE);
    arena = map(ARENA_PAGES * PAGE, MAP_PRIVATE);
    for (long i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, use_the_arena, (void *)(i + 1)), 0);
    CHECK_EQ(pthread_create(&threads[3], NULL, use_through_the_kernel, unstable), 0);
    while (time_left()) {
        change_the_arena();
        change_unstable(unstable);
        if (random_below(20) == 0) {
            int child = fork();
            CHECK(child >= 0);
            if (child == 0)
                raw_exit(0);
            CHECK_EQ(reap(child), 0);
        }
    }
    arena_done = 1;
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

void load_mappings(void) { in_processes(2, remap_repeatedly); }
