/* SPDX-License-Identifier: MIT */
/* Proves: a page cut off a file is gone from every mapping, and an access beyond the file's end is
 * SIGBUS. */
#include <fcntl.h>
#include <sys/mman.h>

#include "test.h"

#define RW       (PROT_READ | PROT_WRITE)
#define CHILDREN 60
#define NAME     "/tmp/truncate"

static int file_of(long bytes)
{
    int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(unlink(NAME), 0);
    CHECK_EQ(ftruncate(fd, bytes), 0);
    return fd;
}

static char *map_file(int fd, size_t bytes, int flags)
{
    char *at = mmap(NULL, bytes, RW, flags, fd, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

/* ---- SIGBUS ------------------------------------------------------------- */

static char *volatile looked_at;
static void look_at_it(void) { _exit(*looked_at); }

/* What a child sees at address: the byte there, or -1 for SIGBUS (BUS_ADRERR at that address). */
static int look(char *address)
{
    struct refusal refusal;
    looked_at = address;
    int pid, status = in_child(look_at_it, &pid);
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    CHECK_EQ(WTERMSIG(status), SIGBUS);
    CHECK(refusal_of(pid, &refusal));
    CHECK_EQ(refusal.code, BUS_ADRERR);
    CHECK_EQ(refusal.addr, address);
    return -1;
}

TEST(truncation_reaches_shared_mappings, "stale_cut")
{
    int fd = file_of(4096);
    char *at = map_file(fd, 4096, MAP_SHARED);
    at[0] = 'B';
    CHECK_EQ(ftruncate(fd, 0), 0);
    CHECK_EQ(look(at), -1);
    CHECK_EQ(ftruncate(fd, 4096), 0);
    CHECK_EQ(look(at), 0);
    CHECK_EQ(pwrite(fd, "Z", 1, 0), 1);
    CHECK_EQ(look(at), 'Z');
}

TEST(truncation_reaches_private_copies, "stale_cut")
{
    int fd = file_of(2 * 4096);
    char *at = map_file(fd, 2 * 4096, MAP_PRIVATE);
    at[0] = 'A', at[4096] = 'B';
    CHECK_EQ(ftruncate(fd, 4096), 0);
    CHECK_EQ(look(at), 'A');
    CHECK_EQ(look(at + 4096), -1);
    CHECK_EQ(ftruncate(fd, 2 * 4096), 0);
    CHECK_EQ(look(at + 4096), 0);
}

TEST(an_open_that_truncates_reaches_mappings, "stale_cut")
{
    int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK_EQ(ftruncate(fd, 4096), 0);
    char *at = map_file(fd, 4096, MAP_SHARED);
    at[0] = 'B';
    CHECK(open(NAME, O_RDWR | O_TRUNC) >= 0);
    CHECK_EQ(look(at), -1);
    CHECK_EQ(unlink(NAME), 0);
}

TEST(an_access_beyond_the_end_of_a_file_is_sigbus, "")
{
    char *at = map_file(file_of(100), 2 * 4096, MAP_SHARED);
    CHECK_EQ(look(at + 4095), 0);
    CHECK_EQ(look(at + 4096), -1);
}

/* ---- While others fork -------------------------------------------------- */

static struct {
    volatile int forked, cut;
} * shared;

/* Fork children before, while and after the page is cut off. Each looks at the page afterwards. */
static void fork_many(char *at)
{
    int status, stale = 0;
    for (int i = 0; i < CHILDREN; i++) {
        if (fork() == 0) {
            while (!shared->cut)
                usleep(1000);
            _exit(*(volatile char *)at);
        }
        shared->forked++;
    }
    while (wait(&status) > 0)
        stale += !WIFSIGNALED(status) || WTERMSIG(status) != SIGBUS;
    _exit(stale);
}

TEST_CPUS(truncation_misses_no_child, "stale_cut")
{
    int status, fd = file_of(4096);
    char *at = map_file(fd, 4096, MAP_SHARED);
    shared = mmap(NULL, 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    at[0] = 'B';
    if (fork() == 0)
        fork_many(at);
    while (shared->forked < CHILDREN / 3) {}
    CHECK_EQ(ftruncate(fd, 0), 0);
    int meanwhile = shared->forked;
    shared->cut = 1;
    CHECK(wait(&status) > 0);
    printf("    # cut after %d of %d forks\n", meanwhile, CHILDREN);
    CHECK_EQ(status, 0);
}
