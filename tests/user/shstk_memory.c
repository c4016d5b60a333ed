/* SPDX-License-Identifier: MIT */
/* Proves: what else can be done to memory can be done to a shadow stack, and makes no ordinary
 * memory of it. */
#define _GNU_SOURCE
#include "shielded.h"

static uint64_t stack;

static void load(void) { (void)*(volatile uint64_t *)stack; }
static void store(void) { *(volatile uint64_t *)stack = 1; }
static void write_ss(void) { wrss(stack, 1); }

static void codes_are(int loaded, int stored, int written)
{
    CHECK_EQ(shielded(load), loaded);
    CHECK_EQ(shielded(store), stored);
    CHECK_EQ(shielded(write_ss), written);
}

static void write_77(void)
{
    wrss(stack, 77);
    wrss(stack + PAGE, 78);
    CHECK_EQ(mprotect((void *)stack, PAGE, PROT_NONE), 0);
    CHECK_EQ(mprotect((void *)stack, PAGE, PROT_READ | PROT_WRITE), 0);
    CHECK_EQ(*(volatile uint64_t *)stack, 77);
    CHECK_EQ(mprotect((void *)stack, PAGE, PROT_READ), 0);
    CHECK_EQ(*(volatile uint64_t *)stack, 77);
    CHECK_EQ(mprotect((void *)stack, PAGE, PROT_READ | PROT_WRITE), 0);
    wrss(stack, 79);
    CHECK_EQ(*(volatile uint64_t *)stack, 79);
    CHECK_EQ(madvise((void *)stack, PAGE, MADV_DONTNEED), 0);
    CHECK_EQ(*(volatile uint64_t *)stack, 0);
    CHECK_EQ(*(volatile uint64_t *)(stack + PAGE), 78);
    wrss(stack, 80);
    CHECK_EQ(*(volatile uint64_t *)stack, 80);
    CHECK_EQ(munmap((void *)(stack + PAGE), PAGE), 0);
    CHECK_EQ(*(volatile uint64_t *)stack, 80);
}

TEST_CET(shstk_protection_binds_every_access, "")
{
    stack = map(3 * PAGE, 0);
    for (int touched = 0; touched < 2; touched++) {
        CHECK_EQ(mprotect((void *)stack, PAGE, PROT_NONE), 0);
        codes_are(SEGV_ACCERR, SEGV_ACCERR, SEGV_ACCERR);
        CHECK_EQ(mprotect((void *)stack, PAGE, PROT_READ), 0);
        codes_are(0, SEGV_ACCERR, SEGV_ACCERR);
        CHECK_EQ(mprotect((void *)stack, PAGE, PROT_READ | PROT_WRITE), 0);
        codes_are(0, SEGV_ACCERR, 0);
        load();
    }
    CHECK_EQ(shielded(write_77), 0);
    FAILS(mprotect((void *)stack, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), EINVAL);
    FAILS(mprotect((void *)stack, PAGE, PROT_EXEC), EINVAL);
    codes_are(0, SEGV_ACCERR, 0);
}

TEST_CET(shstk_may_be_unmapped_in_part, "")
{
    uint64_t whole = map(3 * PAGE, 0);
    CHECK_EQ(munmap((void *)(whole + PAGE), PAGE), 0);
    stack = whole;
    codes_are(0, SEGV_ACCERR, 0);
    stack = whole + 2 * PAGE;
    codes_are(0, SEGV_ACCERR, 0);
    stack = whole + PAGE;
    codes_are(SEGV_MAPERR, SEGV_MAPERR, SEGV_MAPERR);
    CHECK_EQ(mmap((void *)stack, PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
             stack);
    codes_are(0, 0, SEGV_ACCERR); /* what lies there now is no shadow stack */
}

static void kernel_reads(void)
{
    int ends[2];
    uint64_t seen = 0;
    wrss(stack, 0x4711);
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(write(ends[1], (void *)stack, 8), 8);
    CHECK_EQ(read(ends[0], &seen, 8), 8);
    CHECK_EQ(seen, 0x4711);
    CHECK_EQ(write(ends[1], &seen, 8), 8);
    FAILS(read(ends[0], (void *)stack, 8), EFAULT);
    CHECK_EQ(*(volatile uint64_t *)stack, 0x4711);
}

TEST_CET(shstk_can_be_read_by_the_kernel_and_not_written, "")
{
    stack = map(PAGE, 0);
    CHECK_EQ(shielded(kernel_reads), 0);
}

static void child_stores(void)
{
    wrss(stack, 0x4711);
    CHECK_EQ(shielded(store), SEGV_ACCERR); /* from a child, while both share the page */
    CHECK_EQ(shielded(write_ss), 0);
    CHECK_EQ(*(volatile uint64_t *)stack, 0x4711);
    store();
}

TEST_CET(shstk_shared_after_fork_refuses_stores_too, "")
{
    stack = map(PAGE, 0);
    CHECK_EQ(shielded(child_stores), SEGV_ACCERR);
}
