/* SPDX-License-Identifier: MIT */
/* Proves: a call whose length the program chooses lets other tasks run, and ends when its task is
 * killed. */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "test.h"

#define LONG_BYTES (32u << 20)

/* Shared memory: the parent sees how far the child's call has come. Both have one CPU, so the
 * parent sees nothing of a call that does not let others run. */
static unsigned char *shared_bytes(void)
{
    unsigned long first_cpu = 1;
    CHECK_EQ(syscall(SYS_sched_setaffinity, 0, sizeof(first_cpu), &first_cpu), 0);
    void *bytes = mmap(NULL, LONG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(bytes != MAP_FAILED);
    return bytes;
}

static int page_is_zero(const unsigned char *page)
{
    for (int i = 0; i < 4096; i++) {
        if (page[i])
            return 0;
    }
    return 1;
}

TEST(a_long_getrandom_can_be_killed, "no_breath")
{
    unsigned char *bytes = shared_bytes();
    int status, child = fork();
    if (child == 0) {
        syscall(SYS_getrandom, bytes, LONG_BYTES, 0);
        for (;;)
            pause();
    }
    while (page_is_zero(bytes))
        usleep(1000);
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    CHECK(page_is_zero(bytes + LONG_BYTES - 4096));
}

TEST(getrandom_refuses_unknown_flags, "")
{
    char byte[2];
    CHECK(syscall(SYS_getrandom, byte, 1, 8) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_getrandom, byte, 1, 6) == -1 && errno == EINVAL);
    CHECK_EQ(syscall(SYS_getrandom, byte, 2, 1), 2);
    CHECK(syscall(SYS_getrandom, 8, 1, 0) == -1 && errno == EFAULT);
}

/* Populating so many pages takes longer than a time slice, so the parent runs in between. */
#define POPULATE_BYTES (256ul << 20)

/* Parent and child share one CPU. The frames in use tell the parent how far the child has come. */
TEST(a_long_populate_can_be_killed, "no_breath")
{
    pin(0);
    long before = frames_in_use();
    int status, child = fork();
    if (child == 0) {
        mmap(NULL, POPULATE_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        for (;;)
            pause();
    }
    long taken;
    while ((taken = frames_in_use() - before) < 256)
        usleep(1000);
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    printf("    # killed after %ld of %ld pages\n", taken, (long)(POPULATE_BYTES / 4096));
    CHECK(taken < (long)(POPULATE_BYTES / 4096));
}
