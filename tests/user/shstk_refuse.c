/* SPDX-License-Identifier: MIT */
/* Proves: no ordinary store reaches a shadow stack, and every wrong use of one ends in SIGSEGV with
 * the right code and address. */
#include <fcntl.h>
#include <sys/mman.h>

#include "test.h"

static void store_to_own_shadow_stack(void) { *(volatile uint64_t *)rdssp() = 0x1234; }

TEST_SHSTK(store_to_a_shadow_stack_is_refused, "refusals_off")
{
    check_killed(store_to_own_shadow_stack, SIGSEGV, SEGV_ACCERR, 7);
}

static void store_to_untouched_shadow_stack(void)
{
    uint64_t stack = (uint64_t)raw3(SYS_map_shadow_stack, 0, 8192, 0);
    *(volatile uint64_t *)stack = 1;
}

TEST_SHSTK(store_to_an_untouched_shadow_stack_page_is_refused, "refusals_off")
{
    check_killed(store_to_untouched_shadow_stack, SIGSEGV, SEGV_ACCERR, 6);
}

TEST_SHSTK(a_refused_store_allocates_nothing, "")
{
    uint64_t stack = (uint64_t)raw3(SYS_map_shadow_stack, 0, 8192, 0);
    int ends[2];
    CHECK(pipe(ends) == 0 && write(ends[1], "12345678", 8) == 8);
    CHECK(read(ends[0], (void *)stack, 8) == -1 && errno == EFAULT);
    CHECK_EQ(pte_of(getpid(), stack).state, 0);
}

TEST_SHSTK(read_into_a_shadow_stack_is_efault, "refusals_off")
{
    uint64_t ssp = rdssp(), before = *(volatile uint64_t *)ssp;
    int zero = open("/dev/zero", O_RDONLY);
    CHECK(zero >= 0);
    CHECK(read(zero, (void *)ssp, 8) == -1 && errno == EFAULT);
    CHECK_EQ(*(volatile uint64_t *)ssp, before);
    CHECK_EQ(pte_of(getpid(), ssp).state, 'c');
}

TEST_SHSTK(a_load_from_a_shadow_stack_is_allowed, "")
{
    uint64_t stack = (uint64_t)raw3(SYS_map_shadow_stack, 0, 8192, 0);
    CHECK_EQ(*(volatile uint64_t *)stack, 0);
    CHECK_EQ(pte_of(getpid(), stack).state, 'r');
}

static uint64_t data[512] __attribute__((aligned(4096)));

static void rstorssp_on_data(void)
{
    data[511] = (uint64_t)&data[512] | 1; /* a valid token, but in ordinary memory */
    rstorssp((uint64_t)&data[511]);
}

TEST_SHSTK(shadow_stack_access_to_data_is_refused, "")
{
    /* RSTORSSP reads first (measured on Bochs) */
    check_killed(rstorssp_on_data, SIGSEGV, SEGV_ACCERR, 0x45);
}

static void rstorssp_on_nothing(void) { rstorssp(0x10000000); }

TEST_SHSTK(shadow_stack_access_to_nothing_is_maperr, "")
{
    check_killed(rstorssp_on_nothing, SIGSEGV, SEGV_MAPERR, -1);
}

/* The shadow stack enabled here holds no return address, so this never returns. */
static void wrss_own(void)
{
    raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK);
    raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_SHSTK);
    wrss(rdssp() - 8, 1);
    raw_exit(0);
}

TEST_SHSTK(wrss_without_permission_is_refused, "wrss_always")
{
    check_killed(wrss_own, SIGILL, 0, -1);
}

static void wrss_on_data(void)
{
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS), 0);
    data[0] = 1;
    wrss((uint64_t)data, 2);
}

TEST_SHSTK(wrss_to_data_is_refused, "") { check_killed(wrss_on_data, SIGSEGV, SEGV_ACCERR, 0x47); }

TEST_SHSTK(wrss_with_permission_writes, "")
{
    uint64_t stack = (uint64_t)raw3(SYS_map_shadow_stack, 0, 4096, 0);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS), 0);
    wrss(stack + 8, 77);
    CHECK_EQ(*(volatile uint64_t *)(stack + 8), 77);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_WRSS), 0);
    check_killed(wrss_own, SIGILL, 0, -1);
}

TEST_SHSTK(shadow_stacks_never_become_writable_or_executable, "")
{
    void *stack = (void *)raw3(SYS_map_shadow_stack, 0, 8192, 0);
    CHECK(mprotect(stack, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == -1);
    CHECK(mprotect(stack, 4096, PROT_READ | PROT_EXEC) == -1);
    CHECK_EQ(mprotect(stack, 4096, PROT_READ), 0);
    CHECK_EQ(munmap(stack, 8192), 0);
}

static void call_into_read_only_shadow_stack(void)
{
    uint64_t start = (rdssp() - 8) & ~4095ul;
    CHECK_EQ(raw3(SYS_mprotect, (long)start, 4096, PROT_READ), 0);
    /* call $+5 pushes no shadow word */
    __asm__ volatile("call 1f\n1: add $8, %%rsp\n nop" : : : "memory", "cc");
    CHECK_EQ(1, 0);
}

TEST_SHSTK(a_read_only_shadow_stack_refuses_call, "")
{
    check_killed(call_into_read_only_shadow_stack, SIGSEGV, SEGV_ACCERR, -1);
}

static void fetch_from_data(void)
{
    data[0] = 0xc3;
    ((void (*)(void))(uintptr_t)data)();
}

TEST(fetch_from_data_is_refused, "") { check_killed(fetch_from_data, SIGSEGV, SEGV_ACCERR, 0x15); }

static void store_to_text(void) { *(volatile char *)(uintptr_t)store_to_text = 0; }

TEST(store_to_text_is_refused, "") { check_killed(store_to_text, SIGSEGV, SEGV_ACCERR, 7); }

static void load_from_nothing(void)
{
    char *volatile nothing = (char *)8;
    (void)*(volatile char *)nothing;
}

TEST(load_from_nothing_is_maperr, "") { check_killed(load_from_nothing, SIGSEGV, SEGV_MAPERR, 4); }

static void load_from_the_kernel(void) { (void)*(volatile char *)0xffff888000000000; }

TEST(load_from_the_kernel_is_refused, "")
{
    check_killed(load_from_the_kernel, SIGSEGV, SEGV_MAPERR, -1);
}

TEST(system_calls_never_touch_kernel_addresses, "")
{
    CHECK(write(1, (void *)0xffff888000000000, 8) == -1 && errno == EFAULT);
    int ends[2];
    CHECK(pipe(ends) == 0 && write(ends[1], "xy", 2) == 2);
    CHECK(read(ends[0], (void *)0xffffffff80000000, 1) == -1 && errno == EFAULT);
    CHECK(read(ends[0], (void *)0x00007ffffffff000, 1) == -1 && errno == EFAULT);
}
