/* SPDX-License-Identifier: MIT */
/* Where random calls point to: the arena, files, and what earlier calls returned. */
#define _GNU_SOURCE
#include "calls.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "raw.h"

char *arena;
const char *const paths[] = { "f",
                              "g",
                              "d",
                              "d/f",
                              "d/../f",
                              "link",
                              "link/..",
                              ".",
                              "..",
                              "",
                              "nowhere/x",
                              "f/x",
                              "d/",
                              "dangling",
                              "/",
                              HOME,
                              "/dev/zero",
                              "/dev/null",
                              "/proc/self/maps",
                              "/proc/self/ptes",
                              "/proc/self/exe",
                              "/proc/self/stat",
                              "/proc/self/mem",
                              "/proc",
                              "/proc/self",
                              "/proc/check",
                              "/proc/trace",
                              "/proc/counters",
                              "/dev/random",
                              "/proc/%d/maps",
                              "/proc/%d/ptes",
                              "/proc/%d/mem",
                              "/proc/%d",
                              NULL };
_Static_assert(COUNT_OF(paths) == ALL_PATHS + 1, "calls.h: ALL_PATHS");

/* ---- What calls returned ------------------------------------------------ */

static __thread uint64_t small[16], large[16];
static __thread unsigned smalls, larges;

void result_keep(long result)
{
    if (result > 0 && result < 0x10000)
        small[smalls++ % COUNT_OF(small)] = (uint64_t)result;
    else if (result > 0 && result < 1l << 47)
        large[larges++ % COUNT_OF(large)] = (uint64_t)result;
}

uint64_t result_small(void) { return ONE_OF(small); }

/* ---- Addresses and lengths ---------------------------------------------- */

uint64_t edge(void)
{
    static const uint64_t edges[] = { 0,
                                      1,
                                      7,
                                      8,
                                      16,
                                      255,
                                      4095,
                                      4096,
                                      4097,
                                      0x200000,
                                      0x40000000,
                                      INT_MAX,
                                      1ul << 31,
                                      UINT_MAX,
                                      1ul << 32,
                                      1ul << 47,
                                      (1ul << 47) - PAGE,
                                      (1ul << 47) - 1,
                                      LONG_MAX,
                                      1ul << 63,
                                      -1ul,
                                      -8ul,
                                      -PAGE,
                                      0xffff888000000000,
                                      0xffffffff80000000,
                                      0xffff800000000000 };
    switch (below(4)) {
    case 0: return 1ul << below(64);
    case 1: return (1ul << below(64)) - 1;
    case 2: return below(64);
    default: return ONE_OF(edges);
    }
}

/* In the thread's own shadow stack, near it, or in the arena's. */
static uint64_t shadow_address(void)
{
    uint64_t ssp = rdssp(), top = (uint64_t)page(SHADOW_STACK + 1) - 8;
    if (!ssp || below(2))
        return below(3) ? top : top - 8 * below(512);
    return below(2) ? ssp + 8 * below(8) - 32 : (ssp & -PAGE) + PAGE * below(4) - 2 * PAGE;
}

uint64_t address(void)
{
    static const unsigned offsets[] = { 0, 0, 0, 8, 4, 1, 4088, 4092, 4095 };
    switch (below(24)) {
    case 0:
    case 1: return edge();
    case 2: return shadow_address();
    case 3:
    case 4: return ONE_OF(large) + ONE_OF(offsets);
    default: return (uint64_t)page(below(ARENA_PAGES)) + ONE_OF(offsets);
    }
}

uint64_t length(void)
{
    static const uint64_t lengths[] = { 0, 1, 8, 16, 100, 1000, 4096, 4096, 8192, 5000, 0x10000 };
    return below(10) ? ONE_OF(lengths) : edge();
}

/* ---- The arena ---------------------------------------------------------- */

/* Structures that calls accept more often than random words. */
static void structures_fill(void)
{
    for (unsigned i = 0; i < PAGE / 64; i++) {
        uint64_t *action = (uint64_t *)page(ACTIONS) + 8 * i, *stack = (uint64_t *)page(STACKS);
        uint64_t *clone = (uint64_t *)page(CLONES);
        int *poll = (int *)page(POLLS);
        action[0] = below(4) ? (uint64_t)signal_handler : below(2);
        action[1] = 0x04000000 | (below(2) ? 4 : chance() & 0xfc000007); /* SA_RESTORER, ... */
        action[2] = below(8) ? (uint64_t)signal_restorer : address();
        action[3] = below(2) ? 0 : chance();
        stack[8 * i] = address();
        stack[8 * i + 1] = below(4) ? 0 : edge();
        stack[8 * i + 2] = below(4) ? 2 * PAGE : length();
        clone[8 * i] = below(2) ? 0 : 1ul << below(34);
        for (int j = 1; j < 8; j++)
            clone[8 * i + j] = below(3) ? 0 : j == 4 ? SIGCHLD : address();
        poll[2 * i] = (int)below(20);
        poll[2 * i + 1] = (int)chance();
    }
}

static void words_fill(void)
{
    for (unsigned i = 0; i < PATHS * PAGE / 8; i++)
        ((uint64_t *)arena)[i] = below(3) ? address() : edge();
    for (unsigned i = 0; paths[i]; i++)
        snprintf(page(PATHS) + 64 * i, 64, paths[i], getpid());
    memset(page(PATHS + 3), 'a', PAGE); /* a path without an end, as far as the vectors */
    for (unsigned i = 0; i < PAGE / 16; i++) {
        ((uint64_t *)page(PARTS))[2 * i] = address();
        ((uint64_t *)page(PARTS))[2 * i + 1] = length();
        ((uint64_t *)page(TIMES))[2 * i] = below(8) ? 0 : edge();
        ((uint64_t *)page(TIMES))[2 * i + 1] = below(8) ? below(100000) : edge();
    }
}

static void arena_make(void)
{
    int rw = PROT_READ | PROT_WRITE, file = open("f", O_RDWR | O_CREAT, 0755);
    arena = mmap(NULL, ARENA_PAGES * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    words_fill();
    structures_fill();
    mprotect(page(READ_ONLY), PAGE, PROT_READ);
    mprotect(page(NO_ACCESS), PAGE, PROT_NONE);
    munmap(page(UNMAPPED), PAGE);
    mmap(page(SHARED), 2 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    (void)!ftruncate(file, 3 * PAGE / 2);
    mmap(page(OF_FILE), 2 * PAGE, rw, MAP_SHARED | MAP_FIXED, file, 0);
    munmap(page(SHADOW_STACK), PAGE);
    raw3(SYS_map_shadow_stack, (long)page(SHADOW_STACK), PAGE, SHADOW_STACK_SET_TOKEN);
    close(file);
}

static void descriptors_open(void)
{
    static const char *const names[] = {
        "/dev/null", "/dev/null",       "/dev/null",      "f",    "g", "/dev/zero",
        HOME,        "/proc/self/maps", "/proc/self/mem", "/proc"
    };
    int ends[2];
    for (int fd = 0; fd < 20; fd++)
        close(fd);
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        int fd = open(names[i], O_RDWR | O_CREAT, 0755);
        if (fd < 0)
            fd = open(names[i], O_RDONLY);
        if (fd >= 0)
            fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    if (pipe2(ends, O_NONBLOCK) == 0)
        fcntl(ends[0], F_DUPFD, 14);
}

void places_make(void)
{
    arena_make();
    symlink("d", "link");
    symlink("nothing", "dangling");
    mkdir("d", 0755);
    descriptors_open();
}
