/* SPDX-License-Identifier: MIT */
/* Proves: mappings behave as on Linux, running out of memory hurts no other process, and frames
 * come back. */
#include <fcntl.h>
#include <sys/mman.h>

#include "test.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

static char *map(size_t bytes)
{
    char *at = mmap(NULL, bytes, RW, ANON, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

TEST(mmap_checks_its_arguments, "")
{
    CHECK(mmap(NULL, 0, RW, ANON, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap((void *)1, 4096, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, 1ul << 60, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
    CHECK(mmap(NULL, 4096, RW, MAP_PRIVATE, 99, 0) == MAP_FAILED && errno == EBADF);
    CHECK(munmap((void *)1, 4096) == -1 && errno == EINVAL);
    CHECK(mprotect((void *)0x10000, 4096, RW) == -1 && errno == ENOMEM);
}

TEST(munmap_cuts_a_hole, "")
{
    char *at = map(3 * 4096);
    at[0] = 1, at[4096] = 2, at[8192] = 3;
    CHECK_EQ(munmap(at + 4096, 4096), 0);
    CHECK(at[0] == 1 && at[8192] == 3);
    CHECK_EQ(pte_of(getpid(), (uint64_t)at + 4096).state, 0);
    CHECK(mmap(at + 4096, 4096, RW, ANON | MAP_FIXED, -1, 0) == at + 4096);
    CHECK_EQ(at[4096], 0);
}

static char *shared_at;

/* The first store gives this process its own page. The second would succeed through a translation
 * that was not flushed. */
static void store_after_mprotect(void)
{
    shared_at[0] = 1;
    if (mprotect(shared_at, 4096, PROT_READ) == 0)
        *(volatile char *)shared_at = 2;
}

TEST(mprotect_takes_and_gives_the_right_to_store, "no_flush")
{
    pin(0);
    shared_at = map(4096);
    CHECK_EQ(mprotect(shared_at, 4096, PROT_READ), 0);
    CHECK_EQ(mprotect(shared_at, 4096, RW), 0);
    shared_at[0] = 7;
    for (int i = 0; i < 20; i++) /* often: a context switch in between would flush as well */
        check_killed(store_after_mprotect, SIGSEGV, SEGV_ACCERR, 7);
    CHECK_EQ(shared_at[0], 7);
}

TEST(brk_grows_and_shrinks, "")
{
    char *end = (char *)raw1(SYS_brk, 0);
    CHECK_EQ(raw1(SYS_brk, (long)(end + 8192)), end + 8192);
    end[8191] = 1;
    CHECK_EQ(raw1(SYS_brk, (long)end), end);
    CHECK_EQ(pte_of(getpid(), (uint64_t)end + 4096).state, 0);
}

TEST(private_file_mapping_keeps_stores_to_itself, "")
{
    int fd = open("/bin/ps", O_RDONLY);
    char *one = mmap(NULL, 4096, RW, MAP_PRIVATE, fd, 0),
         *two = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(one != MAP_FAILED && two != MAP_FAILED);
    CHECK(memcmp(one, "\177ELF", 4) == 0 && memcmp(two, "\177ELF", 4) == 0);
    uint64_t shared = pte_of(getpid(), (uint64_t)two).pfn;
    CHECK_EQ(pte_of(getpid(), (uint64_t)one).pfn, shared);
    one[0] = 'X';
    CHECK_EQ(two[0], 0x7f);
    CHECK_EQ(pte_of(getpid(), (uint64_t)two).pfn, shared);
    CHECK(pte_of(getpid(), (uint64_t)one).pfn != shared);
}

/* ---- Frames come back --------------------------------------------------- */

static void use_memory(void)
{
    char *at = map(1 << 20);
    memset(at, 1, 1 << 20);
    if (fork() == 0) {
        memset(at, 2, 1 << 19);
        _exit(0);
    }
    wait(NULL);
    munmap(at, 1 << 18);
}

TEST(frames_are_the_same_before_and_after, "ref_leak")
{
    in_child(use_memory, NULL); /* warm */
    long before = frames_in_use();
    in_child(use_memory, NULL);
    CHECK_EQ(frames_in_use(), before);
}

/* ---- Out of memory ------------------------------------------------------ */

static long fail_at;

/* Let the fail_at-th allocation of this process fail, then fork. The exit status is fork's
 * errno. */
static void fork_failing(void)
{
    char text[32];
    snprintf(text, sizeof(text), "%ld", fail_at);
    penumbra_only();
    int fd = open("/proc/failpoint", O_WRONLY);
    CHECK(fd >= 0 && raw_write(fd, text, (long)strlen(text)) > 0);
    raw1(SYS_close, fd); /* the write takes effect here */
    long child = raw0(SYS_fork);
    if (child == 0)
        raw_exit(0);
    raw_write(raw3(SYS_open, (long)"/proc/failpoint", O_WRONLY, 0), "0", 1);
    if (child < 0)
        raw_exit((int)-child);
    raw6(SYS_wait4, child, 0, 0, 0, 0, 0);
    raw_exit(0);
}

/* Where a page fault of the process meets the failing allocation, SIGKILL ends the process: that is
 * right, too. */
TEST(fork_survives_the_failure_of_every_allocation, "oom_leak")
{
    fail_at = 1000000;
    CHECK_EQ(in_child(fork_failing, NULL), 0);
    long before = frames_in_use(), failed = 0;
    for (fail_at = 1; fail_at <= 60; fail_at++) {
        int status = in_child(fork_failing, NULL);
        CHECK(status == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == ENOMEM)
              || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        failed += WIFEXITED(status) && WEXITSTATUS(status) == ENOMEM;
    }
    CHECK(failed >= 8);
    CHECK_EQ(frames_in_use(), before);
}

static void eat_everything(void)
{
    for (;;) {
        volatile char *at = mmap(NULL, 1 << 24, RW, ANON, -1, 0);
        if (at == MAP_FAILED)
            _exit(12);
        for (size_t i = 0; i < 1 << 24; i += 4096)
            at[i] = 1;
    }
}

TEST(out_of_memory_kills_the_process_and_not_the_kernel, "")
{
    in_child(use_memory, NULL); /* warm */
    long before = frames_in_use();
    int status = in_child(eat_everything, NULL);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || WEXITSTATUS(status) == 12);
    CHECK_EQ(frames_in_use(), before);
}

/* ---- 1 GiB leaves: only where that much memory is free in one block ----- */

#define ONE_GIB (1ul << 30)

TEST_3_GIB(huge_1g_leaf_splits_and_copies_2m, "skip_cow_copy")
{
    volatile char *at = mmap(NULL, ONE_GIB, RW, ANON | MAP_HUGETLB | 30 << 26, -1, 0);
    CHECK(at != MAP_FAILED);
    at[0] = 1;
    at[ONE_GIB - 1] = 2;
    CHECK_EQ(pte_of(getpid(), (uint64_t)at).bytes, ONE_GIB);
    int status, child = fork();
    if (child == 0) {
        at[1] = 3;
        struct pte pte = pte_of(getpid(), (uint64_t)at);
        CHECK(pte.bytes == 2ul << 20 && pte.state == 'w' && at[0] == 1);
        CHECK_EQ(pte_of(getpid(), (uint64_t)at + (2ul << 20)).state, 'a');
        CHECK_EQ(at[ONE_GIB - 1], 2);
        _exit(0);
    }
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    CHECK_EQ(at[1], 0);
    at[1] = 4;
    CHECK_EQ(munmap((void *)at, ONE_GIB), 0);
}
