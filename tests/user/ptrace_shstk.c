/* SPDX-License-Identifier: MIT */
/* Proves: a tracer reads and sets a tracee's SSP, unlocks its features, and writes its shadow
 * stack, within Linux's bounds. */
#include "tracing.h"

#define NT_X86_SHSTK 0x204
#define PTRACE_PRCTL 30
#define SHSTK_LOCK   0x5003
#define SHSTK_UNLOCK 0x5004
#define SHSTK_STATUS 0x5005
#define SHSTK_ENABLE 0x5001

static void exit_7(void) { _exit(7); }

static long ssp_move(long request, int pid, uint64_t *ssp, size_t len)
{
    struct iovec part = { ssp, len };
    return trace(request, pid, NT_X86_SHSTK, &part);
}

TEST_SHSTK(a_tracer_sets_ssp_within_bounds, "ptrace_any_ssp")
{
    uint64_t ssp = 0, bad;
    int child = traced(exit_7);
    CHECK_EQ(ssp_move(PTRACE_GETREGSET, child, &ssp, 8), 0);
    CHECK(ssp && ssp % 8 == 0);
    bad = ssp + 4;
    FAILS(ssp_move(PTRACE_SETREGSET, child, &bad, 8), EINVAL);
    bad = 1ul << 47;
    FAILS(ssp_move(PTRACE_SETREGSET, child, &bad, 8), EINVAL);
    FAILS(ssp_move(PTRACE_SETREGSET, child, &ssp, 0), EINVAL);
    FAILS(ssp_move(PTRACE_SETREGSET, child, &ssp, 4), EINVAL);
    CHECK_EQ(ssp_move(PTRACE_SETREGSET, child, &ssp, 8), 0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), 7 << 8);
    child = traced(exit_7);
    CHECK_EQ(ssp_move(PTRACE_GETREGSET, child, &ssp, 8), 0);
    ssp += 8; /* one return address too few */
    CHECK_EQ(ssp_move(PTRACE_SETREGSET, child, &ssp, 8), 0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGSEGV));
    finish(child);
}

TEST_SHSTK(a_tracers_poke_leaves_a_shadow_stack_what_it_is, "")
{
    uint64_t ssp, top;
    int child = traced(exit_7);
    CHECK_EQ(ssp_move(PTRACE_GETREGSET, child, &ssp, 8), 0);
    CHECK_EQ(trace(PTRACE_PEEKDATA, child, ssp, &top), 0);
    CHECK_EQ(trace(PTRACE_POKEDATA, child, ssp, (void *)top), 0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), 7 << 8);
    child = traced(exit_7);
    CHECK_EQ(ssp_move(PTRACE_GETREGSET, child, &ssp, 8), 0);
    CHECK_EQ(trace(PTRACE_POKEDATA, child, ssp, (void *)(top + 1)), 0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGSEGV));
    finish(child);
}

TEST_SHSTK(a_tracer_alone_unlocks_features, "")
{
    uint64_t features = 0;
    int child = traced(exit_7);
    FAILS(syscall(SYS_arch_prctl, SHSTK_UNLOCK, 1), EINVAL);
    CHECK_EQ(trace(PTRACE_PRCTL, child, (unsigned long)&features, (void *)SHSTK_STATUS), 0);
    CHECK_EQ(features, 1);
    CHECK_EQ(trace(PTRACE_PRCTL, child, ~0ul, (void *)SHSTK_LOCK), 0);
    CHECK_EQ(trace(PTRACE_PRCTL, child, ~0ul, (void *)SHSTK_UNLOCK), 0);
    FAILS(trace(PTRACE_PRCTL, child, 2, (void *)SHSTK_ENABLE), EINVAL);
    CHECK_EQ(after(PTRACE_CONT, child, 0), 7 << 8);
}
