/* SPDX-License-Identifier: MIT */
/* Proves: process groups and sessions, and which processes a number given to kill() or wait()
 * means. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

#define BIG (32l << 20) /* a fork of so much takes longer than a signal */

/* told[0]: about to fork; told[1]: the group has been killed; told[2]: somebody is left. */
static void fork_and_outlive(volatile int *told)
{
    told[0] = 1;
    if (fork() != 0)
        _exit(0);
    while (!told[1])
        sched_yield();
    usleep(1000);
    told[2] = 1;
    _exit(0);
}

/* A member of the group forks while the group is killed: no child is left over. */
TEST_RACE(no_child_escapes_a_kill_of_its_group, "fork_deaf")
{
    volatile int *told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                              0);
    char *big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!portable())
        CHECK_EQ(file_put_text("/proc/self/fork", "leaves"), 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int i = 0; i < 8; i++) {
        told[0] = told[1] = 0;
        int member = fork();
        if (member == 0) {
            setpgid(0, 0);
            memset(big, 1, BIG);
            fork_and_outlive(told);
        }
        while (!told[0])
            sched_yield();
        CHECK_EQ(kill(-member, SIGKILL), 0);
        told[1] = 1;
        while (wait(NULL) > 0) {}
    }
    CHECK_EQ(told[2], 0);
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

/* ---- Who may be moved --------------------------------------------------- */

/* Start a child that calls begin, reports on a pipe that it has, and sleeps until it is killed. */
static int child_that(void (*begin)(void))
{
    int ends[2];
    char byte;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    int child = fork();
    if (child == 0) {
        begin();
        (void)!write(ends[1], "x", 1);
        for (;;)
            pause();
    }
    close(ends[1]);
    (void)!read(ends[0], &byte, 1); /* it has written, or an exec has closed its end */
    close(ends[0]);
    return child;
}

static void end(int child)
{
    kill(child, SIGKILL);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

static void lead_session(void) { CHECK_EQ(setsid(), getpid()); }
static void lead_group(void) { CHECK_EQ(setpgid(0, 0), 0); }

/* Start over in the function below. */
static void exec_self(void)
{
    setenv("GROUPS_SLEEP", "1", 1);
    execl("/proc/self/exe", "sleeper", (char *)NULL);
    _exit(1);
}
__attribute__((constructor)) static void sleep_if_asked(void)
{
    while (getenv("GROUPS_SLEEP"))
        pause();
}

TEST(setpgid_leaves_other_sessions_and_programs_alone, "")
{
    int leader = child_that(lead_session), execed = child_that(exec_self);
    FAILS(setpgid(leader, 0), EPERM);
    FAILS(setpgid(leader, getpgrp()), EPERM);
    FAILS(setpgid(0, leader), EPERM); /* a group of another session */
    FAILS(setpgid(execed, 0), EACCES);
    FAILS(setpgid(execed, execed), EACCES);
    FAILS(setpgid(getppid(), 0), ESRCH);
    CHECK_EQ(getpgid(execed), getpgrp());
    CHECK_EQ(getsid(leader), leader);
    end(leader);
    end(execed);
}

static void session_of_a_used_number(void)
{
    CHECK_EQ(setpgid(0, 0), 0);
    FAILS(setsid(), EPERM); /* it leads its group */
    int member = sleeper(), other = child_that(lead_group);
    CHECK_EQ(getpgid(member), getpid());
    CHECK_EQ(setpgid(0, other), 0);
    FAILS(setsid(), EPERM); /* the group of its number still has a member */
    end(member);
    CHECK_EQ(setsid(), getpid());
    CHECK(getpgrp() == getpid() && getsid(0) == getpid());
    end(other);
}

TEST(setsid_needs_a_number_that_no_group_has, "")
{
    CHECK_EQ(in_child(session_of_a_used_number, NULL), 0);
}

static void inherit(void)
{
    int session = setsid(), ends[2], saw[2];
    CHECK(pipe(ends) == 0);
    if (fork() == 0) {
        saw[0] = getpgrp();
        saw[1] = getsid(0);
        (void)!write(ends[1], saw, sizeof(saw));
        _exit(0);
    }
    CHECK_EQ(read(ends[0], saw, sizeof(saw)), sizeof(saw));
    CHECK(saw[0] == session && saw[1] == session);
    wait(NULL);
}

TEST(a_child_is_born_into_its_parents_group_and_session, "")
{
    CHECK_EQ(in_child(inherit, NULL), 0);
}

static volatile int thread_tid, thread_may_end;
static void *be_a_thread(void *unused)
{
    thread_tid = (int)syscall(SYS_gettid);
    while (!thread_may_end)
        usleep(1000);
    return unused;
}

TEST(a_threads_number_leads_to_its_process, "")
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, be_a_thread, NULL), 0);
    while (!thread_tid)
        usleep(1000);
    CHECK_EQ(getpgid(thread_tid), getpgrp());
    CHECK_EQ(getsid(thread_tid), getsid(0));
    CHECK_EQ(kill(thread_tid, 0), 0);
    FAILS(setpgid(thread_tid, 0), EINVAL);
    thread_may_end = 1;
    pthread_join(thread, NULL);
    FAILS(getpgid(thread_tid), ESRCH);
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
    CHECK(syscall(SYS_wait4, -1, &status, 4, NULL) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_wait4, -1, &status, 0x01000000, NULL) == -1 && errno == EINVAL);
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
    child = clone_ending_with(200); /* which is no signal, so none is sent */
    CHECK_EQ(waitpid(child, &status, __WCLONE), child);
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
