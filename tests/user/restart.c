/* SPDX-License-Identifier: MIT */
/* Proves: what a signal does to a system call that waits. */
#include <poll.h>
#include <sys/mman.h>
#include <time.h>

#include "test.h"
#include "uapi/futex.h"

static volatile int calls;
static void note(int signal)
{
    (void)signal;
    calls++;
}

static const struct timespec LITTLE = { 0, 30000000 }, LONG = { 0, 90000000 };

/* A child that sends signal after a while, and then, unless fd is negative, writes a byte. */
static void signal_soon(int signal, int fd)
{
    int parent = getpid();
    if (fork() == 0) {
        nanosleep(&LITTLE, NULL);
        kill(parent, signal);
        nanosleep(&LITTLE, NULL);
        _exit(fd >= 0 && write(fd, "x", 1) != 1);
    }
}

static void handle(int flags)
{
    struct sigaction action = { .sa_handler = note, .sa_flags = flags };
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
}

TEST(a_read_begins_again_or_fails_as_the_handler_says, "")
{
    char byte;
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    handle(SA_RESTART);
    signal_soon(SIGUSR1, ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(calls, 1);
    handle(0);
    signal_soon(SIGUSR1, -1);
    FAILS(read(ends[0], &byte, 1), EINTR);
    CHECK_EQ(calls, 2);
}

TEST(a_wait_goes_on_when_no_handler_runs, "")
{
    char byte;
    int ends[2], status;
    sigset_t set, old;
    CHECK_EQ(pipe(ends), 0);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);
    signal_soon(SIGURG, ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, &old), 0);
    CHECK(wait(&status) > 0 && status == 0);
}

static long ns_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000000000L + now.tv_nsec - start->tv_nsec;
}

/* nanosleep fails with what is left, even with SA_RESTART. */
TEST(a_sleep_that_a_handler_ends_tells_what_is_left, "")
{
    struct timespec left = { 9, 9 };
    handle(SA_RESTART);
    signal_soon(SIGUSR1, -1);
    FAILS(nanosleep(&(struct timespec){ 5, 0 }, &left), EINTR);
    CHECK(left.tv_sec == 4 && left.tv_nsec > 0);
    signal_soon(SIGUSR1, -1);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ 5, 0 }, NULL), EINTR);
}

TEST(a_sleep_that_no_handler_ends_goes_on_to_its_time, "")
{
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    signal_soon(SIGWINCH, -1);
    CHECK_EQ(nanosleep(&LONG, NULL), 0);
    CHECK(ns_since(&start) >= LONG.tv_nsec);
}

TEST(poll_and_wait_and_futex_end_with_eintr, "")
{
    int ends[2];
    static uint32_t word;
    struct timespec five = { 5, 0 };
    CHECK_EQ(pipe(ends), 0);
    struct pollfd entry = { ends[0], POLLIN, 0 };
    handle(SA_RESTART);
    signal_soon(SIGUSR1, -1);
    FAILS(poll(&entry, 1, 5000), EINTR);
    signal_soon(SIGUSR1, -1);
    CHECK_EQ(raw6(SYS_futex, (long)&word, FUTEX_WAIT, 0, (long)&five, 0, 0), -EINTR);
    handle(0);
    signal_soon(SIGUSR1, -1);
    CHECK_EQ(raw6(SYS_futex, (long)&word, FUTEX_WAIT, 0, 0, 0, 0), -EINTR);
    signal_soon(SIGUSR1, -1);
    FAILS(pause(), EINTR);
    CHECK_EQ(calls, 4);
    while (wait(NULL) > 0) {}
    if (fork() == 0) {
        nanosleep(&LONG, NULL);
        _exit(0);
    }
    signal_soon(SIGUSR1, -1);
    FAILS(wait(NULL), EINTR);
    handle(SA_RESTART);
    CHECK(wait(NULL) > 0 && wait(NULL) > 0);
}
