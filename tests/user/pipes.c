/* SPDX-License-Identifier: MIT */
/*
 * Proves: a pipe keeps writes of up to PIPE_BUF whole and takes larger ones in parts; poll()
 * reports the truth about pipes, and takes as many files as a process can have; a reader that has
 * bytes returns with them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "test.h"

static char bytes[70000];

static int ready(int fd, short events)
{
    struct pollfd q = { fd, events, 0 };
    CHECK(poll(&q, 1, 0) >= 0);
    return q.revents;
}

TEST(a_nonblocking_write_to_a_pipe_is_whole_or_in_parts, "")
{
    int p[2], waiting = 0;
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    long room = write(p[1], bytes, sizeof(bytes)); /* a part of a large write */
    CHECK(room >= 4096 && room < (long)sizeof(bytes));
    CHECK(write(p[1], bytes, 1) == -1 && errno == EAGAIN);
    CHECK(ready(p[1], POLLOUT) == 0 && ready(p[0], POLLIN) == POLLIN);
    CHECK_EQ(read(p[0], bytes, 100), 100);
    penumbra_only();                  /* a pipe of Linux is made of pages: no room yet */
    CHECK(ready(p[1], POLLOUT) == 0); /* less room than PIPE_BUF */
    CHECK(write(p[1], bytes, 200) == -1 && errno == EAGAIN);
    CHECK_EQ(write(p[1], bytes, 5000), 100);
    for (long left = room; left > 0; left -= read(p[0], bytes, sizeof(bytes)))
        CHECK(ready(p[0], POLLIN) == POLLIN);
    CHECK(ready(p[1], POLLOUT | POLLWRNORM) == (POLLOUT | POLLWRNORM));
    CHECK_EQ(write(p[1], bytes, 4096), 4096);
    CHECK(ioctl(p[0], FIONREAD, &waiting) == 0 && waiting == 4096);
}

TEST(a_pipe_has_no_positions, "")
{
    int p[2];
    CHECK(pipe(p) == 0);
    CHECK(pwrite(p[1], bytes, 1, 0) == -1 && errno == ESPIPE);
    CHECK(pread(p[0], bytes, 1, 0) == -1 && errno == ESPIPE);
    CHECK(lseek(p[0], 0, SEEK_CUR) == -1 && errno == ESPIPE);
    int terminal = open("/dev/console", O_RDWR | O_NOCTTY); /* nor does a terminal */
    CHECK(pread(terminal, bytes, 1, 0) == -1 && errno == ESPIPE);
}

TEST(poll_takes_as_many_descriptors_as_a_process_can_have, "")
{
    static struct pollfd q[257];
    int p[2];
    CHECK(pipe(p) == 0);
    for (int i = 0; i < 257; i++)
        q[i] = (struct pollfd){ i == 200 ? p[0] : i == 100 ? 255 : p[1], POLLOUT | POLLIN, 0 };
    CHECK_EQ(poll(q, 256, 0), 255);
    CHECK(q[0].revents == POLLOUT && q[100].revents == POLLNVAL && q[200].revents == 0);
    penumbra_only(); /* Linux lets a process have more */
    CHECK(poll(q, 257, 0) == -1 && errno == EINVAL);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

TEST(poll_waits_for_data_hangup_and_timeout, "")
{
    int p[2], go[2];
    char c;
    CHECK(pipe(p) == 0 && pipe(go) == 0);
    fflush(stdout);
    int child = fork();
    if (child == 0) {
        close(p[0]);
        CHECK(read(go[0], &c, 1) == 1 && write(p[1], "x", 1) == 1);
        CHECK(read(go[0], &c, 1) == 1);
        _exit(0); /* the last writer closes */
    }
    close(p[1]);
    struct pollfd q = { p[0], POLLIN, 0 };
    double start = seconds();
    CHECK_EQ(poll(&q, 1, 50), 0);
    CHECK(seconds() - start >= 0.05);
    CHECK(write(go[1], "1", 1) == 1 && poll(&q, 1, -1) == 1 && q.revents == POLLIN);
    CHECK(read(p[0], &c, 1) == 1 && c == 'x');
    CHECK(write(go[1], "2", 1) == 1 && poll(&q, 1, -1) == 1 && q.revents == POLLHUP);
    CHECK(read(p[0], &c, 1) == 0 && waitpid(child, NULL, 0) == child);
}

/* ---- Two readers of one pipe --------------------------------------------- */

#define PIECE   256
#define SECONDS 4.0 /* how long the rounds go on */

/* The round that the writer and each reader are in. */
static struct shared {
    volatile int round, ours, theirs;
} * shared;

static void reader(int fd, volatile int *mine, size_t len)
{
    char to[2 * PIECE];
    for (int i = 1;; i++) {
        while (shared->round < i)
            sched_yield();
        if (read(fd, to, len) <= 0)
            _exit(0);
        *mine = i;
    }
}

/* Each round writes two pieces. `theirs` reads one; `ours` asks for both, and must not wait for the
 * second when `theirs` has taken it. */
TEST_RACE(a_pipe_reader_with_bytes_returns_though_another_takes_the_rest, "")
{
    int p[2];
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED && pipe(p) == 0);
    int cpus = cpu_count();
    fflush(stdout);
    for (int who = 0; who < 2; who++) {
        if (fork() == 0) {
            pin((who + 1) % cpus);
            reader(p[0], who ? &shared->theirs : &shared->ours, who ? PIECE : 2 * PIECE);
        }
    }
    pin(0);
    double begin = seconds();
    for (int i = 1; seconds() - begin < SECONDS; i++) {
        shared->round = i;
        CHECK_EQ(write(p[1], bytes, 2 * PIECE), 2 * PIECE);
        double start = seconds();
        while (shared->ours < i && seconds() - start < 3)
            sched_yield();
        CHECK_EQ(shared->ours, i);
        while (shared->theirs < i && seconds() - start < 3) {
            if (!ready(p[0], POLLIN) && shared->theirs < i) /* ours took both: write one more */
                CHECK_EQ(write(p[1], bytes, PIECE), PIECE);
        }
        CHECK_EQ(shared->theirs, i);
        while (ready(p[0], POLLIN))
            CHECK(read(p[0], bytes, PIECE) > 0);
    }
}
