/* SPDX-License-Identifier: MIT */
/* Proves: a call whose length the program chose lets others run meanwhile, and dies when told to.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "test.h"

#define LONG_BYTES (32u << 20)

/* Shared, so that the parent sees how far a call has come; it has one CPU with the parent, so that
 * nothing is seen of a call that does not let others run. */
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

TEST(a_long_getrandom_can_be_killed, "")
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

TEST(getrandom_refuses_what_it_does_not_know, "")
{
    char byte[2];
    CHECK(syscall(SYS_getrandom, byte, 1, 8) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_getrandom, byte, 1, 6) == -1 && errno == EINVAL);
    CHECK_EQ(syscall(SYS_getrandom, byte, 2, 1), 2);
    CHECK(syscall(SYS_getrandom, 8, 1, 0) == -1 && errno == EFAULT);
}

/* So many pages take longer than a time slice, after which the parent looks. */
#define POPULATE_BYTES (256ul << 20)

/* On one CPU with the parent, which tells by the frames in use how far the child has come. */
TEST(a_long_populate_can_be_killed, "")
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
