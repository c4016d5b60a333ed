/* SPDX-License-Identifier: MIT */
/* Proves: all threads of a process stop, groups do, and orphaned groups only by SIGSTOP. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "jobs.h"

/* ---- Threads ------------------------------------------------------------ */

static volatile unsigned long turns[3];

static void *turn(void *counter)
{
    for (;;)
        ++*(volatile unsigned long *)counter;
    return NULL;
}

static volatile unsigned long *shared_turns;
static void *count_all(void *unused)
{
    (void)unused;
    for (;;) {
        *shared_turns = turns[0] + turns[1] + turns[2];
        sched_yield();
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&thread, NULL, turn, (void *)&turns[i]), 0);
    CHECK_EQ(pthread_create(&thread, NULL, count_all, NULL), 0);
}

TEST(all_threads_stop_and_go_on, "")
{
    shared_turns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared_turns != MAP_FAILED);
    int child = job(run_threads);
    for (int i = 0; i < 3; i++) {
        kill(child, SIGSTOP);
        CHECK_EQ(change(child), STOPPED(SIGSTOP));
        unsigned long then = *shared_turns;
        usleep(60000);
        CHECK_EQ(*shared_turns, then);
        kill(child, SIGCONT);
        CHECK_EQ(change(child), CONTINUED);
        while (*shared_turns == then)
            usleep(1000);
    }
    kill(child, SIGSTOP);
    CHECK_EQ(change(child), STOPPED(SIGSTOP));
    end(child);
}

static void *thread_leaves(void *unused)
{
    (void)unused;
    syscall(SYS_exit, 0);
    return NULL;
}
static void threads_come_and_go(void)
{
    tell();
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, thread_leaves, NULL) == 0)
            pthread_join(thread, NULL);
    }
}

TEST(a_stop_is_whole_while_threads_come_and_go, "")
{
    int child = job(threads_come_and_go);
    for (int i = 0; i < 40; i++) {
        kill(child, SIGSTOP);
        CHECK_EQ(change(child), STOPPED(SIGSTOP));
        CHECK_EQ(state(child), 'T');
        kill(child, SIGCONT);
        CHECK_EQ(change(child), CONTINUED);
    }
    end(child);
}

/* ---- Groups ------------------------------------------------------------- */

TEST(a_group_stops_as_a_whole, "")
{
    int a = job(NULL), b = job(NULL);
    CHECK_EQ(setpgid(b, a), 0);
    CHECK_EQ(kill(-a, SIGTSTP), 0);
    CHECK_EQ(change(a), STOPPED(SIGTSTP));
    CHECK_EQ(change(b), STOPPED(SIGTSTP));
    CHECK_EQ(kill(-a, SIGCONT), 0);
    CHECK_EQ(change(a), CONTINUED);
    CHECK_EQ(change(b), CONTINUED);
    end(a);
    end(b);
}

static void lead_session(void) { CHECK_EQ(setsid(), getpid()); }

TEST(an_orphaned_group_is_stopped_by_sigstop_alone, "orphans_stop")
{
    CHECK(pipe(ends) == 0);
    int child = fork();
    if (child == 0) {
        lead_session();
        tell();
        for (;;)
            pause();
    }
    hear();
    kill(child, SIGTSTP);
    kill(child, SIGTTIN);
    kill(child, SIGTTOU);
    usleep(30000);
    no_change(child);
    kill(child, SIGSTOP);
    CHECK_EQ(change(child), STOPPED(SIGSTOP));
    end(child);
}

/* A leader of a session whose child, a job of its own, stops; then the leader ends. The job, whose
 * group is orphaned by that, gets SIGHUP and SIGCONT. */
static void on_hangup(int signal)
{
    note(signal);
    tell();
}
static void leader(void)
{
    int child = fork();
    if (child == 0) {
        setpgid(0, 0);
        signal(SIGHUP, on_hangup);
        raise(SIGSTOP);
        while (!calls)
            pause();
        _exit(0);
    }
    setpgid(child, child);
    CHECK_EQ(change(child), STOPPED(SIGSTOP));
    _exit(3);
}

TEST(a_stopped_job_that_is_orphaned_hangs_up, "")
{
    int status;
    CHECK(pipe(ends) == 0);
    int child = fork();
    if (child == 0) {
        lead_session();
        leader();
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), 3);
    hear(); /* or it stays stopped */
}
