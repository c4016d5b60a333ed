/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "stress.h"

#include <sys/mman.h>
#include <time.h>

long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int time_left(void) { return now_ms() < deadline_ms; }

static __thread uint64_t random_state;

unsigned random_below(unsigned limit)
{
    if (!random_state)
        random_state = rdtsc() | 1;
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 11) % limit;
}

void random_seed(void) { random_state = rdtsc() * 2654435761u | 1; }

void sleep_us(long us)
{
    struct timespec pause = { 0, us * 1000 };
    nanosleep(&pause, NULL);
}

char *map(size_t bytes, int sharing)
{
    void *at = mmap(NULL, bytes, RW, sharing | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

__attribute__((noinline)) int deep(unsigned levels, void (*at_the_bottom)(void))
{
    int reached = 1;
    if (levels)
        reached += deep(levels - 1, at_the_bottom);
    else if (at_the_bottom)
        at_the_bottom();
    __asm__ volatile("" : : : "memory");
    return reached;
}

int reap(int pid)
{
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

void in_processes(int count, void (*body)(void))
{
    int pids[32];
    for (int i = 0; i < count; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0) {
            random_seed();
            body();
            _exit(0);
        }
    }
    for (int i = 0; i < count; i++)
        CHECK_EQ(reap(pids[i]), 0);
}

int busy_count(void) { return cpu_count() + 2; }

void *go_deep(void *levels) { return (void *)(long)deep((unsigned)(long)levels, NULL); }

void *exec_me(void *unused)
{
    char *const argv[] = { (char *)myself, "nothing", NULL };
    execv(myself, argv);
    return unused;
}
