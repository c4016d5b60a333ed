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

/* ---- Values by type and name -------------------------------------------- */

static int is(const char *name, const char *words)
{
    const char *at = strstr(words, name);
    size_t len = strlen(name);
    return at && (at == words || at[-1] == ' ') && (at[len] == ' ' || !at[len]);
}

static uint64_t path(unsigned count)
{
    return below(8) ? (uint64_t)page(PATHS) + 64 * below(count) : address();
}

static uint64_t descriptor(void)
{
    static const int odd[] = { -1, -100, INT_MIN, INT_MAX, 255, 256, 1000 };
    return below(4) == 0 ? result_small() : (uint64_t)(below(8) ? (int)below(20) : ONE_OF(odd));
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

/* A process, a thread or a group of the family; never process 1, which watches it. */
static uint64_t task(void)
{
    int id = below(4) ? member() : (int)(below(2) ? result_small() : flags());
    id = below(8) ? id : -id;
    return (uint64_t)(id == 1 ? getpid() : id);
}

/* ---- Names of values: the kernel's headers for programs ----------------- */

static const struct constant {
    const char *name;
    uint64_t value;
} constants[] = {
#include "uapi_constants.h"
};

/* Do the letters before the first '_' of a constant occur in the name of a call? MADV_FREE's do in
 * madvise. */
static int belongs(const struct constant *constant, const struct call *call)
{
    char word[32];
    size_t len = strcspn(constant->name, "_");
    for (size_t i = 0; i < len && i < sizeof(word) - 1; i++)
        word[i] = (char)(constant->name[i] | 0x20);
    word[len < sizeof(word) ? len : sizeof(word) - 1] = 0;
    return len > 1 && strstr(call->name, word) != NULL;
}

/* A value that the headers name, if possible for this call; perhaps two of them together. */
static uint64_t named(const struct call *call)
{
    unsigned count = 0;
    uint64_t value = ONE_OF(constants).value;
    for (unsigned i = 0; i < COUNT_OF(constants); i++) {
        if (belongs(&constants[i], call) && below(++count) == 0)
            value = constants[i].value;
    }
    return below(4) ? value : value | ONE_OF(constants).value;
}

/* ---- Arguments ---------------------------------------------------------- */

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
        return below(8) ? 0x5001 + below(5) : 0x1001 + below(4);
    return below(16);
}

/* Where a structure is that the call reads, or 0. */
static uint64_t structure(const struct call *call, const char *name)
{
    static const struct {
        const char *call, *argument;
        unsigned page, bytes;
    } known[] = {
        { "rt_sigaction", "new", ACTIONS, 64 },
        { "sigaltstack", "new", STACKS, 64 },
        { "clone3", "args", CLONES, 64 },
        { "poll", "entries", POLLS, 8 },
    };
    for (unsigned i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(call->name, known[i].call) == 0 && strcmp(name, known[i].argument) == 0)
            return (uint64_t)page(known[i].page) + known[i].bytes * below(32);
    }
    if (is(name, "time timeout remainder"))
        return (uint64_t)page(TIMES) + 16 * below(8);
    if (is(name, "path target"))
        return path(is(call->name, "unlink unlinkat") ? RELATIVE_PATHS : ALL_PATHS);
    return strstr(name, "parts") ? (uint64_t)page(PARTS) : 0;
}

static uint64_t value(const struct call *call, const struct argument *argument)
{
    const char *name = argument->name;
    uint64_t known = structure(call, name);
    if (known && below(8))
        return known;
    if (strcmp(argument->type, "uaddr_t") == 0 || is(name, "start stack end new_start"))
        return below(6) ? address() : 0;
    if (is(name, "fd folder") || (is(name, "from to") && strcmp(argument->type, "int") == 0))
        return descriptor();
    if (is(name, "len size new_len set_bytes offset count"))
        return is(name, "set_bytes") && below(3) ? 8 : below(6) ? length() : address();
    if (is(name, "pid tid group id"))
        return task();
    if (is(name, "timeout_ms"))
        return below(4);
    switch (below(6)) {
    case 0: return flags();
    case 1: return address();
    case 2: return named(call);
    default: return sensible(call, name);
    }
}

/*
 * Keep a call from ending the run: the machine stays on. Calls that end or block the caller are
 * kept only now and then; 0 says to draw again.
 */
static int confined(const struct call *call, uint64_t *a)
{
    if (strcmp(call->name, "reboot") == 0)
        a[0] &= 0xffff;
    if (is(call->name, "exit exit_group execve rt_sigprocmask rt_sigreturn ptrace"))
        return below(20) == 0;
    return !is(call->name, "kill tkill tgkill pause rt_sigsuspend rt_sigtimedwait wait4 waitid")
           || below(4) == 0;
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
