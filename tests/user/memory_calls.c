/* SPDX-License-Identifier: MIT */
/* Proves: mincore, madvise, mprotect, msync and mlock do what Linux does, and where a range has a
 * hole, as much of it. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>

#include "test.h"

#define PAGE           4096ul
#define RW             (PROT_READ | PROT_WRITE)
#define ANON           (MAP_PRIVATE | MAP_ANONYMOUS)
#define POPULATE_READ  22
#define POPULATE_WRITE 23
#define GROWSDOWN      0x01000000
#define GROWSUP        0x02000000

static char *map(unsigned long pages, int prot)
{
    char *at = mmap(NULL, pages * PAGE, prot, ANON, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

/* Bit i: page i is in memory. */
static unsigned in_core(void *at, unsigned pages)
{
    unsigned char is_there[32];
    unsigned bits = 0;
    CHECK_EQ(mincore(at, pages * PAGE, is_there), 0);
    for (unsigned i = 0; i < pages; i++)
        bits |= (is_there[i] & 1u) << i;
    return bits;
}

static char *volatile target;
static void store(void) { *target = 1; }

TEST(mincore_tells_which_pages_are_in_memory, "")
{
    char *at = map(5, RW), *shared;
    unsigned char is_there[600];
    at[0] = 1;
    (void)*(volatile char *)(at + 2 * PAGE); /* the zero page counts as well */
    CHECK_EQ(in_core(at, 5), 5);
    shared = mmap(NULL, 3 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(in_core(shared, 3), 0);
    if (fork() == 0) {
        shared[PAGE] = 1;
        _exit(0);
    }
    wait(NULL);
    CHECK_EQ(in_core(shared, 3), 2); /* whoever brought it there */
    CHECK_EQ(mincore(at, 0, is_there), 0);
    FAILS(mincore(at + 1, PAGE, is_there), EINVAL);
    FAILS(mincore(at, PAGE, (void *)8), EFAULT);
    FAILS(mincore(at, -1ul, is_there), ENOMEM);
    munmap(at + PAGE, PAGE);
    memset(is_there, 0x55, sizeof(is_there));
    FAILS(mincore(at, 3 * PAGE, is_there), ENOMEM);
    CHECK_EQ(is_there[0], 1);
}

TEST(pages_are_populated_for_loads_and_for_stores, "")
{
    char *at = map(6, RW);
    CHECK_EQ(madvise(at, 2 * PAGE, POPULATE_READ), 0);
    CHECK_EQ(madvise(at + 3 * PAGE, PAGE + 1, POPULATE_WRITE), 0);
    CHECK_EQ(in_core(at, 6), 0x1b);
    at[0] = 1;
    int status, child = fork();
    if (child == 0) {
        CHECK_EQ(madvise(at, PAGE, POPULATE_WRITE), 0);
        _exit(at[0]++);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 1 << 8);
    CHECK_EQ(at[0], 1);
    mprotect(at + PAGE, PAGE, PROT_READ);
    FAILS(madvise(at, 6 * PAGE, POPULATE_WRITE), EINVAL);
    CHECK_EQ(madvise(at, 6 * PAGE, POPULATE_READ), 0);
    mprotect(at + PAGE, PAGE, PROT_NONE);
    FAILS(madvise(at, 6 * PAGE, POPULATE_READ), EINVAL);
    munmap(at + PAGE, PAGE);
    FAILS(madvise(at, 6 * PAGE, POPULATE_READ), ENOMEM);
    FAILS(madvise(at + 1, PAGE, POPULATE_READ), EINVAL);
}

TEST(advice_is_taken_around_a_hole, "")
{
    char *at = map(3, RW);
    at[0] = at[2 * PAGE] = 1;
    munmap(at + PAGE, PAGE);
    FAILS(madvise(at, 3 * PAGE, MADV_WIPEONFORK), ENOMEM);
    int status, child = fork();
    if (child == 0)
        _exit(at[0] + at[2 * PAGE]);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    FAILS(madvise(at, 3 * PAGE, MADV_DONTNEED), ENOMEM);
    CHECK_EQ(at[0] + at[2 * PAGE], 0);
}

TEST(mprotect_changes_what_lies_before_the_first_obstacle, "")
{
    char *at = map(4, RW);
    munmap(at + 2 * PAGE, PAGE);
    FAILS(mprotect(at, 4 * PAGE, PROT_READ), ENOMEM);
    target = at + PAGE;
    check_killed(store, SIGSEGV, SEGV_ACCERR, -1);
    at[3 * PAGE] = 1;
    FAILS(mprotect(at + 2 * PAGE, 2 * PAGE, PROT_READ), ENOMEM);
    at[3 * PAGE] = 2;
}

TEST(mprotect_checks_its_flags_as_linux_does, "")
{
    char *at = map(2, RW);
    FAILS(mprotect(at, PAGE, PROT_READ | 0x10), EINVAL);
    FAILS(syscall(SYS_mprotect, at + 1, PAGE, PROT_READ), EINVAL);
    FAILS(syscall(SYS_mprotect, at, -1l, PROT_READ), ENOMEM);
    CHECK_EQ(syscall(SYS_mprotect, at, 0l, 0x10), 0);
    FAILS(mprotect(at, PAGE, PROT_READ | GROWSDOWN), EINVAL);
    FAILS(mprotect(at, PAGE, PROT_READ | GROWSUP), EINVAL);
    FAILS(mprotect(at, PAGE, PROT_READ | GROWSUP | GROWSDOWN), EINVAL);
    munmap(at, 2 * PAGE);
    FAILS(mprotect(at, PAGE, PROT_READ | GROWSDOWN), ENOMEM);
    FAILS(mprotect(at, PAGE, PROT_READ | GROWSUP), ENOMEM);
}

TEST(mprotect_reaches_down_to_where_a_growing_mapping_begins, "")
{
    char *at = (char *)0x7000000000;
    CHECK_EQ(mmap(at, 4 * PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0), at);
    CHECK_EQ(mprotect(at + 2 * PAGE, PAGE, PROT_READ | GROWSDOWN), 0);
    target = at;
    check_killed(store, SIGSEGV, SEGV_ACCERR, -1);
    at[3 * PAGE] = 1;
}

TEST(msync_and_mlock_check_their_arguments, "")
{
    char *at = map(3, RW);
    CHECK_EQ(msync(at, 3 * PAGE, MS_SYNC), 0);
    CHECK_EQ(msync(at, 3 * PAGE, MS_ASYNC | MS_INVALIDATE), 0);
    CHECK_EQ(msync(at, 0, 0), 0);
    FAILS(msync(at, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    FAILS(msync(at, PAGE, 8), EINVAL);
    FAILS(msync(at + 1, PAGE, MS_SYNC), EINVAL);
    CHECK_EQ(mlock(at + 1, PAGE), 0);
    CHECK_EQ(in_core(at, 3), 3);
    CHECK_EQ(syscall(SYS_mlock2, at + 2 * PAGE, PAGE, 1), 0);
    CHECK_EQ(in_core(at, 3), 3);
    FAILS(syscall(SYS_mlock2, at, PAGE, 2), EINVAL);
    CHECK_EQ(munlock(at, 3 * PAGE), 0);
    FAILS(mlock(at, -4096ul), EINVAL);
    munmap(at + PAGE, PAGE);
    FAILS(msync(at, 3 * PAGE, MS_SYNC), ENOMEM);
    FAILS(mlock(at, 3 * PAGE), ENOMEM);
    FAILS(munlock(at, 3 * PAGE), ENOMEM);
    CHECK_EQ(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
    FAILS(mlockall(0), EINVAL);
    FAILS(mlockall(8), EINVAL);
    FAILS(mlockall(4), EINVAL);
    CHECK_EQ(munlockall(), 0);
}

/* As many pieces as there is room for: then there is no room left for one. */
TEST(the_whole_address_space_can_be_mapped, "")
{
    const unsigned long piece = 1ul << 34;
    unsigned long count = 0;
    while (mmap(NULL, piece, RW, ANON | MAP_NORESERVE, -1, 0) != MAP_FAILED)
        count++;
    CHECK_EQ(errno, ENOMEM);
    CHECK(count >= (1ul << 47) / piece - 4);
    CHECK(mmap(NULL, PAGE, RW, ANON, -1, 0) != MAP_FAILED);
}
