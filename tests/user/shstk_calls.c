/* SPDX-License-Identifier: MIT */
/* Proves: arch_prctl() and map_shadow_stack() answer as on Linux, and threads, longjmp() and
 * vfork() can do with a shadow stack what a C library with CET asks of them. */
#define _GNU_SOURCE
#include "shielded.h"
#include "thread.h"

/* ---- arch_prctl --------------------------------------------------------- */

static uint64_t mask;

/* What a call that changes feature must answer when mask is locked. */
static long answer(uint64_t feature) { return feature & mask ? -EPERM : 0; }

static void lock_and_try(void)
{
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_LOCK, (long)mask), 0);
    CHECK_EQ(status_now(), 3); /* what is locked stays as it is */
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 1), answer(1));
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 2), answer(2));
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 3), mask & 3 ? -EPERM : -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 4), mask & 4 ? -EPERM : -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, 4), mask & 4 ? -EPERM : -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, 0), -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_LOCK, 0), 0); /* unlocks nothing */
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, 2), answer(2));
    CHECK_EQ(status_now(), mask & 2 ? 3 : 1);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_LOCK, 2), 0); /* adds to what was locked */
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 2), -EPERM);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, 1), answer(1));
    CHECK_EQ(status_now() & 1, mask & 1);
    if (!(mask & 1))
        CHECK_EQ(status_now(), 0); /* WRSS went with it, though it is locked */
}

TEST_CET(shstk_locks_bind_what_was_locked, "")
{
    static const uint64_t masks[] = { 0, 1, 2, 3, 4, 5, 1ul << 63, ~0ul };
    for (size_t i = 0; i < sizeof(masks) / sizeof(*masks); i++) {
        mask = masks[i];
        CHECK_EQ(shielded(lock_and_try), 0);
    }
}

static void as_musl_starts(void)
{
    uint64_t ssp = rdssp();
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_SHSTK), 0);
    CHECK_EQ(rdssp(), ssp);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_LOCK, -1), 0);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_SHSTK), -EPERM);
    CHECK_EQ(rdssp(), ssp);
}

TEST_CET(shstk_may_be_enabled_twice_and_then_locked, "") { CHECK_EQ(shielded(as_musl_starts), 0); }

static void enable_one_way_and_another(void)
{
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK), 0);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK), 0); /* again: nothing to do */
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS), -EPERM);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_WRSS), -EPERM);
    CHECK_EQ(status_now(), 0);
}

TEST_CET(shstk_wrss_needs_a_shadow_stack, "") { CHECK_EQ(shielded(enable_one_way_and_another), 0); }

/* ---- map_shadow_stack --------------------------------------------------- */

static __attribute__((noinline)) long leaf(long value)
{
    __asm__ volatile("" : "+r"(value));
    return value;
}

static size_t size;

static void switch_and_call(void)
{
    uint64_t stack = map(size, SHADOW_STACK_SET_TOKEN), token = stack + size - 8, ssp = rdssp();
    CHECK_EQ(*(volatile uint64_t *)token, (token + 8) | 1);
    rstorssp(token);
    saveprevssp();
    long there = (long)rdssp(), called = leaf(7); /* one word is room enough for that */
    rstorssp(ssp - 8);
    saveprevssp();
    CHECK_EQ(there, token + 8);
    CHECK_EQ(called, 7);
    CHECK_EQ(rdssp(), ssp);
    CHECK_EQ(munmap((void *)stack, size), 0);
}

TEST_CET(shstk_of_every_size_can_be_switched_to, "token_unchecked")
{
    static const size_t sizes[] = { 8, 16, 2048, 4088, 4096, 4104, 6144, 8192, 1 << 16, 1 << 20 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        size = sizes[i];
        CHECK_EQ(shielded(switch_and_call), 0);
    }
}

/* What the call answers for these sizes, without a token and with one; 0: an address. */
TEST_CET(shstk_sizes_and_flags_are_checked, "")
{
    static const struct {
        long size;
        int without, with;
    } cases[] = {
        { 0, EINVAL, ENOSPC },
        { 1, 0, ENOSPC },
        { 7, 0, ENOSPC },
        { 8, 0, 0 },
        { 9, 0, EINVAL },
        { 4, 0, ENOSPC },
        { 4092, 0, EINVAL },
        { 4095, 0, EINVAL },
        { 4096, 0, 0 },
        { 4097, 0, EINVAL },
        { 4104, 0, 0 },
        { 1l << 47, ENOMEM, ENOMEM },
        { 1l << 62, ENOMEM, ENOMEM },
        { -1l, EOVERFLOW, EOVERFLOW },
        { -4096l, ENOMEM, ENOMEM },
        { -4095l, EOVERFLOW, EOVERFLOW },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (int flags = 0; flags < 4; flags++) {
            long got = raw3(SYS_map_shadow_stack, 0, cases[i].size, flags);
            int expect = flags > 1 ? EINVAL : flags ? cases[i].with : cases[i].without;
            CHECK_EQ(got < 0 ? -got : 0, expect);
        }
    }
}

TEST_CET(shstk_addresses_are_checked, "")
{
    static const struct {
        long address;
        int error;
    } cases[] = {
        { 1, ERANGE },
        { 4096, ERANGE },
        { (1l << 32) - 1, ERANGE },
        { (1l << 32) + 8, EINVAL },
        { 1l << 47, ENOMEM },
        { -4096l, ENOMEM },
        { (1l << 47) - 4096, ENOMEM },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        CHECK_EQ(raw3(SYS_map_shadow_stack, cases[i].address, PAGE, 0), -cases[i].error);
    long at = 0x7000000000;
    CHECK_EQ(raw3(SYS_map_shadow_stack, at, PAGE, SHADOW_STACK_SET_TOKEN), at);
    CHECK_EQ(raw3(SYS_map_shadow_stack, at, PAGE, 0), -EEXIST);
    CHECK_EQ(raw3(SYS_map_shadow_stack, at - (long)PAGE, 2 * PAGE, 0), -EEXIST);
    CHECK_EQ(*(volatile uint64_t *)(at + PAGE - 8), (at + PAGE) | 1); /* it has survived */
}

TEST_CET(shstk_guard_gaps_lie_between_two, "")
{
    uint64_t stacks[16];
    for (int i = 0; i < 16; i++) {
        stacks[i] = map(PAGE, 0);
        for (int k = 0; k < i; k++)
            CHECK(stacks[k] >= stacks[i] + 2 * PAGE || stacks[i] >= stacks[k] + 2 * PAGE);
    }
}

/* ---- Threads ------------------------------------------------------------ */

static struct raw_thread first, second;
static volatile uint64_t status_of_first, status_of_second, ssp_of_first, ssp_of_second;

static void inherits(void *unused)
{
    (void)unused;
    status_of_second = status_now();
    ssp_of_second = rdssp();
}

static void switches_its_own_on(void *unused)
{
    (void)unused;
    if (raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_SHSTK) == 0) {
        ssp_of_first = rdssp();
        status_of_first = status_now();
        thread_start(&second, inherits, NULL);
        thread_join(&second);
    }
    for (;;)
        raw1(SYS_exit, 0); /* there is no frame to return to */
}

static void one_thread_alone(void)
{
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK), 0);
    thread_start(&first, switches_its_own_on, NULL);
    thread_join(&first);
    CHECK_EQ(status_of_first, 1);
    CHECK_EQ(status_of_second, 1);
    CHECK(ssp_of_first && ssp_of_second && (ssp_of_first ^ ssp_of_second) >= PAGE);
    CHECK_EQ(status_now(), 0);
    CHECK_EQ(rdssp(), 0);
}

TEST_CET(shstk_is_switched_on_for_one_thread, "") { CHECK_EQ(shielded(one_thread_alone), 0); }

/* ---- As a C library with CET does it ------------------------------------ */

static void *place[5];
static uint64_t ssp_there;

static __attribute__((noinline)) void deep(int levels)
{
    if (levels) {
        deep(levels - 1);
        __asm__ volatile("" : : : "memory");
        return;
    }
    for (uint64_t words = (ssp_there - rdssp()) / 8, now; words; words -= now) {
        now = words < 255 ? words : 255;
        incssp(now);
    }
    __builtin_longjmp(place, 1);
}

static void jump_out(void)
{
    ssp_there = rdssp();
    if (__builtin_setjmp(place) == 0)
        deep(600);
    CHECK_EQ(rdssp(), ssp_there);
}

static void jump_without_the_stack(void)
{
    ssp_there = rdssp();
    if (__builtin_setjmp(place) == 0) {
        ssp_there = rdssp() - 8; /* as if one frame were left behind */
        deep(3);
    }
}

TEST_CET(shstk_longjmp_pops_what_it_leaves, "")
{
    CHECK_EQ(shielded(jump_out), 0);
    CHECK_EQ(shielded(jump_without_the_stack), SEGV_CPERR);
}

/* The return address goes off both stacks before the call, so that the child needs no RET. */
long vfork_stub(void);
__asm__(".pushsection .text\n"
        ".globl vfork_stub\n"
        "vfork_stub: pop %rdx\n mov $1, %eax\n incsspq %rax\n mov $58, %eax\n syscall\n"
        "jmp *%rdx\n"
        ".popsection");

static __attribute__((noinline)) int vfork_and_call(void)
{
    int status = -1;
    volatile long seen = 0;
    long child = vfork_stub();
    if (child == 0) {
        seen = leaf(41); /* over the slots of the parent's calls that are over */
        raw_exit((int)leaf(5));
    }
    CHECK_EQ(waitpid((int)child, &status, 0), child);
    CHECK_EQ(seen, 41);
    return WEXITSTATUS(status);
}

static void vforks(void)
{
    uint64_t ssp = rdssp();
    CHECK_EQ(vfork_and_call(), 5);
    CHECK_EQ(rdssp(), ssp);
}

TEST_CET(shstk_vfork_by_a_jump_leaves_the_parents_frames, "") { CHECK_EQ(shielded(vforks), 0); }
