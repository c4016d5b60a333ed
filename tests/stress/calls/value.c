/* SPDX-License-Identifier: MIT */
/* The kernel's list of system calls serves as a grammar. An argument's type and name select its
 * value, mostly an edge of the possible range. */
#define _GNU_SOURCE
#include "calls.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "raw.h"

/* ---- The grammar: kernel/syscall/list.h --------------------------------- */

struct argument {
    const char *type, *name;
};

struct call {
    int number;
    const char *name;
    struct argument arguments[6];
};

/* clang-format off */
#define SYSCALL0(n, name) { n, #name, { { 0 } } },
#define SYSCALL1(n, name, t1, a1) { n, #name, { { #t1, #a1 } } },
#define SYSCALL2(n, name, t1, a1, t2, a2) { n, #name, { { #t1, #a1 }, { #t2, #a2 } } },
#define SYSCALL3(n, name, t1, a1, t2, a2, t3, a3) \
    { n, #name, { { #t1, #a1 }, { #t2, #a2 }, { #t3, #a3 } } },
#define SYSCALL4(n, name, t1, a1, t2, a2, t3, a3, t4, a4) \
    { n, #name, { { #t1, #a1 }, { #t2, #a2 }, { #t3, #a3 }, { #t4, #a4 } } },
#define SYSCALL5(n, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
    { n, #name, { { #t1, #a1 }, { #t2, #a2 }, { #t3, #a3 }, { #t4, #a4 }, { #t5, #a5 } } },
#define SYSCALL6(n, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6) \
    { n, #name, { { #t1, #a1 }, { #t2, #a2 }, { #t3, #a3 }, { #t4, #a4 }, { #t5, #a5 }, \
                  { #t6, #a6 } } },
static const struct call calls[] = {
#include "../../kernel/syscall/list.h"
};
/* clang-format on */

/* ---- Random numbers ----------------------------------------------------- */

__thread uint64_t chance_state;

uint64_t chance(void)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return chance_state * 0x2545f4914f6cdd1dul;
}

unsigned below(unsigned limit) { return (unsigned)(chance() >> 33) % limit; }

/* ---- Where calls point to ----------------------------------------------- */

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
                              "/proc",
                              "/proc/self",
                              "/dev/random",
                              NULL };
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

uint64_t address(void)
{
    static const unsigned offsets[] = { 0, 0, 0, 8, 4, 1, 4088, 4092, 4095 };
    if (below(12) == 0)
        return edge();
    return (uint64_t)page(below(ARENA_PAGES)) + ONE_OF(offsets);
}

#define PATH_COUNT     (COUNT_OF(paths) - 1)
#define RELATIVE_COUNT 14 /* the first paths; only these are removed, never a device */

static uint64_t path(unsigned count)
{
    return below(8) ? (uint64_t)page(PATHS) + 64 * below(count) : address();
}

uint64_t length(void)
{
    static const uint64_t lengths[] = { 0,    1,    8,    16,   100,     1000,
                                        4096, 4096, 8192, 5000, 0x10000, 0x200000 };
    return below(10) ? ONE_OF(lengths) : edge();
}

/* ---- Values by type and name -------------------------------------------- */

static int is(const char *name, const char *words)
{
    const char *at = strstr(words, name);
    size_t len = strlen(name);
    return at && (at == words || at[-1] == ' ') && (at[len] == ' ' || !at[len]);
}

static uint64_t descriptor(void)
{
    static const int odd[] = { -1, -100, INT_MIN, INT_MAX, 255, 256, 1000 };
    return (uint64_t)(below(8) ? (int)below(20) : ONE_OF(odd));
}

static uint64_t flags(void)
{
    switch (below(4)) {
    case 0: return 1ul << below(32);
    case 1: return 1ul << below(32) | 1ul << below(32) | 1ul << below(12);
    case 2: return below(40);
    default: return edge();
    }
}

/* An argument that the call accepts: with random ones mmap, arch_prctl, clone and the like would
 * nearly always fail at once. */
static uint64_t sensible(const struct call *call, const char *name)
{
    static const int maps[] = { MAP_PRIVATE | MAP_ANONYMOUS,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                                MAP_SHARED | MAP_ANONYMOUS,
                                MAP_SHARED,
                                MAP_PRIVATE,
                                MAP_SHARED | MAP_FIXED,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE };
    static const int opens[] = { O_RDWR | O_CREAT,   O_RDONLY,    O_WRONLY | O_APPEND,
                                 O_RDWR | O_TRUNC,   O_DIRECTORY, O_CREAT | O_EXCL | O_RDWR,
                                 O_NONBLOCK | O_RDWR };
    static const int clones[] = { SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD,
                                  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD
                                      | CLONE_SYSVSEM };
    if (strcmp(call->name, "mmap") == 0)
        return (uint64_t)(strcmp(name, "prot") == 0 ? (int)below(8) : ONE_OF(maps));
    if (strncmp(call->name, "open", 4) == 0)
        return (uint64_t)ONE_OF(opens);
    if (strcmp(call->name, "clone") == 0)
        return (uint64_t)ONE_OF(clones);
    if (strcmp(call->name, "arch_prctl") == 0)
        return below(2) ? 0x1001 + below(4) : 0x5001 + below(5);
    return below(16);
}

static uint64_t value(const struct call *call, const struct argument *argument)
{
    const char *name = argument->name;
    if (is(name, "path target"))
        return path(is(call->name, "unlink unlinkat") ? RELATIVE_COUNT : PATH_COUNT);
    if (is(name, "parts"))
        return below(4) ? (uint64_t)page(PARTS) : address();
    if (is(name, "time timeout remainder"))
        return below(4) ? (uint64_t)page(TIMES) + 16 * below(8) : address();
    if (strcmp(argument->type, "uaddr_t") == 0 || is(name, "start stack end new_start"))
        return below(6) ? address() : 0;
    if (is(name, "fd folder") || (is(name, "from to") && strcmp(argument->type, "int") == 0))
        return descriptor();
    if (is(name, "len size new_len set_bytes offset count"))
        return below(3) || !is(name, "set_bytes") ? length() : 8;
    if (is(name, "pid tid group"))
        return below(2) ? (uint64_t)getpid() : flags();
    if (is(name, "timeout_ms"))
        return below(4);
    return below(3) ? sensible(call, name) : flags();
}

/*
 * Keep a call from reaching beyond the family or ending the run: signals go to the caller, and the
 * machine stays on. Calls that end the caller are kept only now and then; 0 says to draw again.
 */
static int confined(const struct call *call, uint64_t *a)
{
    if (is(call->name, "kill tkill tgkill")) {
        a[0] = (uint64_t)getpid();
        if (strcmp(call->name, "tgkill") == 0)
            a[1] = below(2) ? (uint64_t)raw0(SYS_gettid) : a[1];
        return below(4) == 0;
    }
    if (strcmp(call->name, "reboot") == 0)
        a[0] &= 0xffff;
    return !is(call->name, "exit exit_group execve rt_sigprocmask") || below(20) == 0;
}

void call_draw(struct drawn *drawn)
{
    const struct call *call;
    do {
        call = &ONE_OF(calls);
        *drawn = (struct drawn){ call->name, call->number, { 0 } };
        for (int i = 0; i < 6 && call->arguments[i].type; i++)
            drawn->arguments[i] = value(call, &call->arguments[i]);
    } while (!confined(call, drawn->arguments));
}
