/* SPDX-License-Identifier: MIT */
/* Proves: process groups and sessions, and which processes a number given to kill() or wait()
 * means. */
#define _GNU_SOURCE
#include <limits.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "test.h"

/* Start a child that sleeps until it is killed. */
static int sleeper(void)
{
    int child = fork();
    if (child == 0) {
        for (;;)
            pause();
    }
    return child;
}

TEST(a_group_is_killed_as_a_whole, "")
{
    int status, a = sleeper(), b = sleeper(), other = sleeper();
    CHECK(setpgid(a, 0) == 0 && setpgid(b, a) == 0);
    CHECK_EQ(getpgid(b), a);
    CHECK_EQ(getpgid(other), getpgrp());
    CHECK_EQ(kill(-a, SIGKILL), 0);
    CHECK_EQ(waitpid(a, &status, 0), a);
    CHECK_EQ(waitpid(b, &status, 0), b);
    CHECK_EQ(waitpid(other, &status, WNOHANG), 0);
    CHECK(kill(-a, 0) == -1 && errno == ESRCH);
    kill(other, SIGKILL);
    waitpid(other, &status, 0);
}

TEST(wait_can_name_a_group, "")
{
    int status, a = sleeper(), b = sleeper();
    CHECK_EQ(setpgid(b, 0), 0);
    kill(a, SIGKILL);
    CHECK_EQ(waitpid(-b, &status, WNOHANG), 0);
    CHECK(waitpid(-999999, &status, WNOHANG) == -1 && errno == ECHILD);
    CHECK_EQ(waitpid(0, &status, 0), a);
    kill(b, SIGKILL);
    CHECK_EQ(waitpid(-b, &status, 0), b);
}

static void groups_refused(void)
{
    CHECK(getpgid(999999) == -1 && errno == ESRCH);
    CHECK(getsid(999999) == -1 && errno == ESRCH);
    CHECK(setpgid(999999, 0) == -1 && errno == ESRCH);
    CHECK(setpgid(0, -1) == -1 && errno == EINVAL);
    CHECK(setpgid(0, 999999) == -1 && errno == EPERM);
    CHECK_EQ(setsid(), getpid());
    CHECK(setsid() == -1 && errno == EPERM);
    CHECK(setpgid(0, 0) == -1 && errno == EPERM);
    CHECK_EQ(getsid(0), getpid());
}

TEST(groups_and_sessions_refuse_what_linux_refuses, "")
{
    CHECK_EQ(in_child(groups_refused, NULL), 0);
}

TEST(kill_and_wait_find_nobody_for_int_min, "")
{
    int status;
    CHECK(kill(INT_MIN, 0) == -1 && errno == ESRCH);
    CHECK(waitpid(INT_MIN, &status, WNOHANG) == -1 && errno == ESRCH);
}

TEST(wait_refuses_unknown_options, "")
{
    int status;
    CHECK(syscall(SYS_wait4, -1, &status, 0x100, NULL) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_wait4, -1, &status, 0x20000000, NULL) == -1 && errno == EINVAL);
    CHECK(waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED) == -1 && errno == ECHILD);
}

/* Start a child with this exit signal; it ends at once. */
static int clone_ending_with(int signal)
{
    long child = syscall(SYS_clone, (long)signal, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    return (int)child;
}

TEST(a_childs_end_sends_the_signal_given_to_clone, "")
{
    sigset_t set, now;
    int status;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int child = clone_ending_with(SIGUSR1);
    CHECK(waitpid(child, &status, WNOHANG) == -1 && errno == ECHILD);
    CHECK_EQ(waitpid(child, &status, __WCLONE), child);
    sigpending(&now);
    CHECK(sigismember(&now, SIGUSR1) && !sigismember(&now, SIGCHLD));
    child = clone_ending_with(SIGCHLD);
    CHECK_EQ(waitpid(child, &status, __WALL), child);
    sigpending(&now);
    CHECK(sigismember(&now, SIGCHLD));
    CHECK(syscall(SYS_clone, 200l, 0, 0, 0, 0) == -1 && errno == EINVAL);
}

TEST(a_blocked_signal_stays_pending_though_ignored, "")
{
    sigset_t set, now;
    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    raise(SIGURG);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigpending(&now);
    CHECK(!sigismember(&now, SIGURG));
    raise(SIGURG);
    sigpending(&now);
    CHECK(sigismember(&now, SIGURG));
}
