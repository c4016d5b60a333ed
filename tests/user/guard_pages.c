/* SPDX-License-Identifier: MIT */
/* Proves: an unmapped page lies at both ends of every shadow stack, and placement keeps it free. */
#include <sys/mman.h>

#include "test.h"

#define STACK_BYTES 8192

static uint64_t stack_map(unsigned flags)
{
    long stack = raw3(SYS_map_shadow_stack, 0, STACK_BYTES, flags);
    CHECK(stack > 0);
    return (uint64_t)stack;
}

static uint64_t guarded;

static void load_below(void) { (void)*(volatile char *)(guarded - 1); }
static void load_above(void) { (void)*(volatile char *)(guarded + STACK_BYTES); }

TEST_SHSTK(guard_page_below, "no_guard")
{
    guarded = stack_map(0);
    check_killed(load_below, SIGSEGV, SEGV_MAPERR, 4);
}

TEST_SHSTK(guard_page_above, "no_guard")
{
    guarded = stack_map(0);
    check_killed(load_above, SIGSEGV, SEGV_MAPERR, 4);
}

/* Switch to the shadow stack and push until it is full: the CALL beyond its end must fault in the
 * guard page. */
static void overflow(void)
{
    uint64_t stack = stack_map(SHADOW_STACK_SET_TOKEN);
    rstorssp(stack + STACK_BYTES - 8);
    __asm__ volatile("1: add $8, %%rsp\n call 1b" : : : "memory", "cc");
}

TEST_SHSTK(overflow_ends_in_the_guard_page, "")
{
    check_killed(overflow, SIGSEGV, SEGV_MAPERR, -1);
}

static void underflow(void)
{
    uint64_t stack = stack_map(SHADOW_STACK_SET_TOKEN);
    rstorssp(stack + STACK_BYTES - 8);
    incssp(1);
    for (;;)
        incssp(1);
}

TEST_SHSTK(underflow_ends_in_the_guard_page, "")
{
    check_killed(underflow, SIGSEGV, SEGV_MAPERR, -1);
}

TEST_SHSTK(placement_keeps_the_guards_free, "")
{
    uint64_t stacks[6];
    for (int i = 0; i < 6; i++) {
        stacks[i] = stack_map(0);
        if (i % 2)
            CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    }
    for (int i = 0; i < 6; i++) {
        char path[32], line[160];
        snprintf(path, sizeof(path), "/proc/%d/maps", getpid());
        FILE *maps = fopen(path, "r");
        unsigned long start, end;
        while (maps && fgets(line, sizeof(line), maps)) {
            if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start != stacks[i])
                CHECK(end <= stacks[i] - 4096 || start >= stacks[i] + STACK_BYTES + 4096);
        }
        fclose(maps);
    }
}

TEST_SHSTK(map_fixed_may_fill_a_guard, "")
{
    uint64_t stack = stack_map(0);
    char *guard = (char *)stack - 4096;
    CHECK(mmap(guard, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
          == guard);
    guard[0] = 1;
}

static void push_for_ever(void) { __asm__ volatile("1: push %%rax\n jmp 1b" : : : "memory"); }

TEST(the_stack_grows_to_its_limit_and_no_further, "")
{
    volatile char big[1 << 20];
    for (size_t i = 0; i < sizeof(big); i += 4096)
        big[sizeof(big) - 1 - i] = 1;
    check_killed(push_for_ever, SIGSEGV, SEGV_MAPERR, -1);
}
