/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks have in common. In Bochs the TSC counts executed instructions; elsewhere it
 * counts cycles, and the numbers mean little. A figure includes the few instructions of what
 * measures it.
 *
 * Given words, the programs run one more round of each figure whose name holds one of them, between
 * two of Bochs's breakpoints: scripts/profile. They run on Linux as well.
 */
#ifndef BENCH_FIGURE_H
#define BENCH_FIGURE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "raw.h"

static char **profiled; /* the words */

static inline void fail(const char *what)
{
    perror(what);
    _exit(1);
}

static inline void report(const char *name, uint64_t instructions)
{
    printf("bench: %s %lu instructions\n", name, instructions);
    fflush(stdout);
}

/* Bochs's magic breakpoint, which does nothing elsewhere. */
static inline void breakpoint(void) { __asm__ volatile("xchg %%bx, %%bx" : : : "memory"); }

/* Report the least result of so many measure(argument): a round with a timer tick in it does not
 * count. */
static inline void figure(const char *name, uint64_t (*measure)(long), long argument, int rounds)
{
    uint64_t best = ~0ull;
    for (int i = 0; i < rounds; i++) {
        uint64_t one = measure(argument);
        best = one < best ? one : best;
    }
    report(name, best);
    char **word = profiled;
    while (*word && !strstr(name, *word))
        word++;
    if (!*word)
        return;
    breakpoint();
    measure(argument);
    breakpoint();
}

static inline volatile char *fresh_pages(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        fail("mmap");
    return at;
}

static inline volatile char *filled_pages(size_t bytes)
{
    volatile char *at = fresh_pages(bytes);
    for (size_t i = 0; i < bytes; i += 4096)
        at[i] = 1;
    return at;
}

#endif
