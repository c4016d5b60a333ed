/* SPDX-License-Identifier: MIT */
/* Processes that switch a shadow stack on for themselves, on Linux as well as here. */
#ifndef TESTS_USER_SHIELDED_H
#define TESTS_USER_SHIELDED_H

#include <sys/mman.h>

#include "test.h"

#define PAGE 4096ul

static inline void say_code(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    raw_exit(info->si_code);
}

/* Run body in a child with a shadow stack and WRSS. Returns its exit status, which is the si_code
 * of the SIGSEGV that ended it; -1: another end. Nothing returns past the first call. */
static inline int shielded(void (*body)(void))
{
    int status = -1;
    struct sigaction action = { .sa_sigaction = say_code, .sa_flags = SA_SIGINFO };
    fflush(stdout);
    int child = fork();
    if (child == 0) {
        CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
        CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_SHSTK), 0);
        CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS), 0);
        body();
        raw_exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline uint64_t status_now(void)
{
    uint64_t value = ~0ul;
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_STATUS, (long)&value), 0);
    return value;
}

static inline uint64_t map(size_t bytes, int flags)
{
    long stack = raw3(SYS_map_shadow_stack, 0, (long)bytes, flags);
    CHECK(stack > 0);
    return (uint64_t)stack;
}

#endif
