/* SPDX-License-Identifier: MIT */
/* Proves: resource limits are kept, inherited and enforced, and go down and up as for root. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "test.h"

#define MIB  (1ul << 20)
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void limit_set(int resource, unsigned long soft)
{
    struct rlimit limit, now;
    CHECK_EQ(getrlimit(resource, &limit), 0);
    limit.rlim_cur = soft;
    CHECK_EQ(setrlimit(resource, &limit), 0);
    CHECK_EQ(prlimit(0, resource, NULL, &now), 0);
    CHECK(now.rlim_cur == soft && now.rlim_max == limit.rlim_max);
}

TEST(every_limit_is_kept_lowered_and_raised, "")
{
    for (int i = 0; i < 16; i++) {
        struct rlimit limit, low, now;
        CHECK_EQ(getrlimit(i, &limit), 0);
        CHECK(limit.rlim_cur <= limit.rlim_max);
        low = (struct rlimit){ limit.rlim_max / 4, limit.rlim_max / 2 };
        CHECK_EQ(prlimit(getpid(), i, &low, &now), 0);
        CHECK(memcmp(&now, &limit, sizeof(now)) == 0);
        CHECK(getrlimit(i, &now) == 0 && memcmp(&now, &low, sizeof(now)) == 0);
        CHECK_EQ(setrlimit(i, &limit), 0); /* root may */
    }
}

TEST(limits_refuse_what_linux_refuses, "")
{
    struct rlimit limit = { 2, 1 };
    FAILS(setrlimit(RLIMIT_CORE, &limit), EINVAL);
    FAILS(getrlimit(99, &limit), EINVAL);
    limit = (struct rlimit){ 1, RLIM_INFINITY };
    FAILS(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
    FAILS(setrlimit(99, &limit), EINVAL);
    FAILS(syscall(SYS_setrlimit, RLIMIT_CORE, 8), EFAULT);
    FAILS(syscall(SYS_getrlimit, RLIMIT_CORE, 8), EFAULT);
    FAILS(prlimit(999999, RLIMIT_STACK, NULL, &limit), ESRCH);
    CHECK_EQ(prlimit(getppid(), RLIMIT_STACK, NULL, &limit), 0);
}

/* The program that exec runs has to wait with its output: meanwhile its limit is read, and
 * changed. */
TEST(limits_go_on_in_children_and_programs, "")
{
    int output[2], begun[2], status, child;
    char buffer[4096] = "";
    struct rlimit limit = { 9, 11 }, was;
    CHECK(pipe2(output, O_NONBLOCK) == 0 && pipe2(begun, O_CLOEXEC) == 0);
    while (write(output[1], buffer, sizeof(buffer)) > 0) {}
    CHECK_EQ(fcntl(output[1], F_SETFL, 0), 0);
    limit_set(RLIMIT_NOFILE, 37);
    child = fork();
    if (child == 0) {
        dup2(output[1], 1);
        execl("/bin/ps", "ps", NULL);
        _exit(99);
    }
    close(output[1]);
    close(begun[1]);
    CHECK_EQ(read(begun[0], buffer, 1), 0); /* exec has closed the other end */
    CHECK_EQ(prlimit(child, RLIMIT_NOFILE, &limit, &was), 0);
    CHECK_EQ(was.rlim_cur, 37);
    CHECK_EQ(prlimit(child, RLIMIT_NOFILE, NULL, &was), 0);
    CHECK(was.rlim_cur == 9 && was.rlim_max == 11);
    CHECK_EQ(fcntl(output[0], F_SETFL, 0), 0);
    while (read(output[0], buffer, sizeof(buffer)) > 0) {}
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0 && was.rlim_cur == 37);
}

/* A vfork child shares the memory, but not the limits. */
TEST(a_limit_binds_one_process, "")
{
    int status, child = (int)raw0(SYS_vfork);
    if (child == 0) {
        struct rlimit limit = { MIB, RLIM_INFINITY };
        _exit(setrlimit(RLIMIT_AS, &limit) || mmap(NULL, 64 * MIB, RW, ANON, -1, 0) != MAP_FAILED);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(mmap(NULL, 64 * MIB, RW, ANON, -1, 0) != MAP_FAILED);
}

TEST(descriptors_stay_below_their_limit, "")
{
    limit_set(RLIMIT_NOFILE, 10);
    int fd = 0;
    while (fd >= 0 && fd < 200)
        fd = open("/dev/null", O_RDONLY);
    CHECK(fd == -1 && errno == EMFILE);
    FAILS(dup(0), EMFILE);
    FAILS(dup2(0, 10), EBADF);
    FAILS(fcntl(0, F_DUPFD, 10), EINVAL);
    CHECK_EQ(dup2(0, 9), 9);
    struct pollfd entries[11] = { 0 };
    FAILS(poll(entries, 11, 0), EINVAL);
    limit_set(RLIMIT_NOFILE, 20);
    CHECK_EQ(dup(0), 10);
}

TEST(mappings_stay_within_the_address_space_limit, "")
{
    char *at = mmap(NULL, 32 * MIB, RW, ANON, -1, 0);
    limit_set(RLIMIT_AS, 40 * MIB);
    FAILS((long)mmap(NULL, 64 * MIB, PROT_NONE, ANON, -1, 0), ENOMEM);
    FAILS((long)mremap(at, 32 * MIB, 64 * MIB, MREMAP_MAYMOVE), ENOMEM);
    FAILS((long)mremap(at, 32 * MIB, 32 * MIB, MREMAP_MAYMOVE | 4, NULL), ENOMEM);
    char *end = sbrk(0);
    CHECK(sbrk(64 * MIB) == (void *)-1);
    CHECK_EQ(sbrk(0), end);
    /* what takes the place of something needs no more */
    CHECK_EQ(mmap(at, 32 * MIB, PROT_READ, ANON | MAP_FIXED, -1, 0), at);
    char *moved = mremap(at, 32 * MIB, 32 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, at - 64 * MIB);
    CHECK_EQ(moved, at - 64 * MIB);
    CHECK_EQ(munmap(moved, 32 * MIB), 0);
    CHECK(mmap(NULL, 16 * MIB, RW, ANON, -1, 0) != MAP_FAILED);
}

TEST(private_writable_memory_stays_within_the_data_limit, "")
{
    char *closed = mmap(NULL, 32 * MIB, PROT_READ, ANON, -1, 0);
    limit_set(RLIMIT_DATA, 16 * MIB);
    FAILS((long)mmap(NULL, 32 * MIB, RW, ANON, -1, 0), ENOMEM);
    FAILS(mprotect(closed, 32 * MIB, RW), ENOMEM);
    CHECK(sbrk(32 * MIB) == (void *)-1);
    CHECK(mmap(NULL, 32 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    CHECK(mmap(NULL, 32 * MIB, PROT_READ, ANON, -1, 0) != MAP_FAILED);
    CHECK_EQ(mprotect(closed, MIB, RW), 0);
}

static void use_stack(size_t bytes)
{
    volatile char *top = __builtin_frame_address(0);
    for (size_t i = 0; i < bytes; i += 4096)
        *(top - 128 - i) = 1;
}
static void use_2_mib(void) { use_stack(2 * MIB); }
static void use_12_mib(void) { use_stack(12 * MIB); }

TEST(the_stack_grows_to_the_limit_that_is_set, "")
{
    limit_set(RLIMIT_STACK, MIB);
    check_killed(use_2_mib, SIGSEGV, SEGV_MAPERR, -1);
    limit_set(RLIMIT_STACK, 16 * MIB);
    use_12_mib();
}
