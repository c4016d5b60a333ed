/* SPDX-License-Identifier: MIT */
/* Proves: a switch of shadow stacks needs a restore token that is genuine, unused and aligned. */
#include "test.h"

static uint64_t stack_with_token(void)
{
    long stack = raw3(SYS_map_shadow_stack, 0, 4096, SHADOW_STACK_SET_TOKEN);
    CHECK(stack > 0);
    return (uint64_t)stack + 4096 - 8;
}

TEST_SHSTK(a_token_opens_its_stack_and_calls_work_there, "token_unchecked")
{
    uint64_t token = stack_with_token(), ssp = rdssp();
    CHECK_EQ(*(volatile uint64_t *)token, (token + 8) | 1);
    rstorssp(token);
    saveprevssp();
    CHECK_EQ(rdssp(), token + 8);
    CHECK_EQ(getpid(), raw0(SYS_getpid)); /* CALL and RET on the new stack */
    rstorssp(ssp - 8);
    saveprevssp();
    CHECK_EQ(rdssp(), ssp);
}

static void forged(void)
{
    uint64_t stack = (uint64_t)raw3(SYS_map_shadow_stack, 0, 4096, 0);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS), 0);
    wrss(stack + 64, stack + 128 + 1); /* the token names another address than its own */
    rstorssp(stack + 64);
}

TEST_SHSTK(a_forged_token_is_refused, "") { check_killed(forged, SIGSEGV, SEGV_CPERR, 4); }

static void absent(void)
{
    uint64_t stack = (uint64_t)raw3(SYS_map_shadow_stack, 0, 4096, 0);
    rstorssp(stack + 4096 - 8);
}

TEST_SHSTK(a_stack_without_a_token_is_refused, "") { check_killed(absent, SIGSEGV, SEGV_CPERR, 4); }

static void reused(void)
{
    uint64_t token = stack_with_token(), ssp = rdssp();
    rstorssp(token);
    saveprevssp();
    rstorssp(ssp - 8); /* back, without leaving a token there */
    rstorssp(token);
}

TEST_SHSTK(a_token_works_once, "") { check_killed(reused, SIGSEGV, SEGV_CPERR, 4); }

static void misaligned(void)
{
    uint64_t token = stack_with_token();
    rstorssp(token + 4);
}

/* RSTORSSP itself demands 8-byte alignment: #GP, before any token is looked at (Intel SDM vol.
 * 2). */
TEST_SHSTK(a_misaligned_token_is_refused, "")
{
    check_killed(misaligned, SIGSEGV, 128 /* SI_KERNEL */, 0);
}

TEST_SHSTK(map_shadow_stack_checks_its_arguments, "")
{
    CHECK_EQ(raw3(SYS_map_shadow_stack, 0, 4096, 2), -EINVAL);
    CHECK_EQ(raw3(SYS_map_shadow_stack, 0, 4, SHADOW_STACK_SET_TOKEN), -ENOSPC);
    CHECK_EQ(raw3(SYS_map_shadow_stack, 0, 12, SHADOW_STACK_SET_TOKEN), -EINVAL);
    CHECK_EQ(raw3(SYS_map_shadow_stack, 0, 0, 0), -EINVAL);
    CHECK_EQ(raw3(SYS_map_shadow_stack, 0x10000, 4096, 0), -ERANGE);
    CHECK_EQ(raw3(SYS_map_shadow_stack, 0x7000000800, 4096, 0), -EINVAL);
    CHECK_EQ(raw3(SYS_map_shadow_stack, 0, 1l << 50, 0), -ENOMEM);
    CHECK_EQ(raw3(SYS_map_shadow_stack, 0, -1l, 0), -EOVERFLOW);
    CHECK_EQ(raw3(SYS_map_shadow_stack, 0x7fffffffe000, 1l << 20, 0), -ENOMEM);
    CHECK_EQ(raw3(SYS_map_shadow_stack, 0x7000000000, 4096, 0), 0x7000000000);
    CHECK_EQ(raw3(SYS_map_shadow_stack, 0x7000000000, 4096, 0), -EEXIST);
}

/* Sizes of any number of words and bytes, with a token and without: the token is the last word of
 * the size, and all else is 0. */
TEST_SHSTK(map_shadow_stack_puts_the_token_at_the_end_of_the_size, "token_unchecked")
{
    static const uint64_t sizes[] = { 8, 16, 4088, 4096, 4104, 8192, 12280, 65536, 1 << 20 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        for (int flags = 0; flags <= SHADOW_STACK_SET_TOKEN; flags++) {
            long stack = raw3(SYS_map_shadow_stack, 0, sizes[i], flags);
            CHECK_EQ(stack % 4096, 0);
            const uint64_t *words = (const uint64_t *)stack;
            uint64_t end = (uint64_t)stack + sizes[i], last = sizes[i] / 8 - 1;
            CHECK_EQ(words[last], flags ? end | 1 : 0);
            CHECK(words[0] == 0 || last == 0);
        }
    }
    CHECK(raw3(SYS_map_shadow_stack, 0, 1, 0) > 0);
}

TEST(map_shadow_stack_needs_the_cpu, "")
{
    long stack = raw3(SYS_map_shadow_stack, 0, 4096, 0);
    CHECK_EQ(stack > 0, has_user_shstk());
    if (stack < 0)
        CHECK_EQ(stack, -EOPNOTSUPP);
}
