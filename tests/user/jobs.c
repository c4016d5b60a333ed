/* SPDX-License-Identifier: MIT */
/* Proves: processes stop and go on as job control wants it, and their parents hear of it. */
#include "jobs.h"

#include <sys/resource.h>
#include <time.h>

TEST(each_stop_signal_stops_and_sigcont_lets_go_on, "")
{
    static const int stops[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
    int child = job(NULL);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(kill(child, stops[i]), 0);
        CHECK_EQ(change(child), STOPPED(stops[i]));
        CHECK_EQ(state(child), 'T');
        no_change(child);
        CHECK_EQ(kill(child, SIGCONT), 0);
        CHECK_EQ(change(child), CONTINUED);
        no_change(child);
    }
    end(child);
}

TEST(waitid_tells_of_stops_and_of_going_on, "")
{
    siginfo_t info;
    int child = job(NULL);
    kill(child, SIGTSTP);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(waitid(P_PID, (id_t)child, &info, WSTOPPED | (i ? 0 : WNOWAIT)), 0);
        CHECK_EQ(info.si_signo, SIGCHLD);
        CHECK_EQ(info.si_code, CLD_STOPPED);
        CHECK_EQ(info.si_status, SIGTSTP);
        CHECK_EQ(info.si_pid, child);
    }
    CHECK_EQ(waitid(P_PID, (id_t)child, &info, WSTOPPED | WEXITED | WNOHANG), 0);
    CHECK_EQ(info.si_pid, 0);
    kill(child, SIGCONT);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(waitid(P_PID, (id_t)child, &info, WCONTINUED | (i ? 0 : WNOWAIT)), 0);
        CHECK_EQ(info.si_code, CLD_CONTINUED);
        CHECK_EQ(info.si_status, SIGCONT);
    }
    end(child);
}

TEST(wait4_tells_of_stops_only_when_asked, "")
{
    struct rusage usage;
    int status, child = job(NULL);
    kill(child, SIGSTOP);
    CHECK_EQ(waitid(P_PID, (id_t)child, NULL, WSTOPPED | WNOWAIT), 0);
    CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
    CHECK_EQ(waitpid(child, &status, WNOHANG | WCONTINUED), 0);
    CHECK_EQ(wait4(child, &status, WUNTRACED, &usage), child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    end(child);
}

/* ---- SIGCHLD ------------------------------------------------------------ */

TEST(the_parent_gets_sigchld_for_a_stop_and_its_end, "")
{
    handle(SIGCHLD, note_info, 0);
    int child = job(NULL);
    kill(child, SIGTTIN);
    CHECK_EQ(change(child), STOPPED(SIGTTIN));
    CHECK_EQ(calls, 1);
    CHECK_EQ(last.si_code, CLD_STOPPED);
    CHECK_EQ(last.si_status, SIGTTIN);
    CHECK_EQ(last.si_pid, child);
    kill(child, SIGCONT);
    while (calls < 2)
        usleep(1000);
    CHECK_EQ(last.si_code, CLD_CONTINUED);
    CHECK_EQ(last.si_status, SIGCONT);
    CHECK_EQ(change(child), CONTINUED);
    end(child);
}

TEST(sa_nocldstop_spares_the_parent, "")
{
    handle(SIGCHLD, note_info, SA_NOCLDSTOP);
    int child = job(NULL);
    kill(child, SIGSTOP);
    CHECK_EQ(change(child), STOPPED(SIGSTOP));
    kill(child, SIGCONT);
    CHECK_EQ(change(child), CONTINUED);
    CHECK_EQ(calls, 0);
    end(child);
    CHECK_EQ(calls, 1);
    CHECK_EQ(last.si_code, CLD_KILLED);
}

/* ---- What ends, and what does not --------------------------------------- */

TEST(a_stopped_process_dies_of_sigkill_alone, "")
{
    int child = job(NULL), status;
    kill(child, SIGSTOP);
    CHECK_EQ(change(child), STOPPED(SIGSTOP));
    kill(child, SIGTERM);
    usleep(30000);
    no_change(child);
    CHECK_EQ(state(child), 'T');
    kill(child, SIGCONT);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    child = job(NULL);
    kill(child, SIGSTOP);
    CHECK_EQ(change(child), STOPPED(SIGSTOP));
    end(child);
}

static void block_both(void)
{
    block(SIG_BLOCK, SIGTSTP);
    block(SIG_BLOCK, SIGCONT);
}
static void stops_cancel(void)
{
    block_both();
    raise(SIGTSTP);
    CHECK(is_pending(SIGTSTP));
    raise(SIGCONT);
    CHECK(!is_pending(SIGTSTP) && is_pending(SIGCONT));
    raise(SIGTTOU); /* ignored or not, it takes SIGCONT away */
    CHECK(!is_pending(SIGCONT));
    handle(SIGTSTP, note_info, 0);
    sigqueue(getpid(), SIGTSTP, (union sigval){ .sival_int = 5 });
    raise(SIGCONT);
    sigqueue(getpid(), SIGTSTP, (union sigval){ .sival_int = 6 });
    block(SIG_UNBLOCK, SIGTSTP);
    CHECK_EQ(calls, 1);
    CHECK_EQ(last.si_code, SI_QUEUE);
    CHECK_EQ(last.si_value.sival_int, 6);
}

TEST(sigcont_and_stop_signals_discard_each_other, "")
{
    signal(SIGTTOU, SIG_IGN);
    int child = job(stops_cancel);
    no_change(child);
    end(child);
}

static void note_cont(void) { handle(SIGCONT, note_info, 0); }
static void block_cont(void)
{
    note_cont();
    block(SIG_BLOCK, SIGCONT);
}

TEST(sigcont_ends_a_stop_even_when_blocked, "")
{
    int child = job(block_cont);
    for (int i = 0; i < 2; i++) {
        kill(child, SIGSTOP);
        CHECK_EQ(change(child), STOPPED(SIGSTOP));
        kill(child, SIGCONT);
        CHECK_EQ(change(child), CONTINUED);
    }
    end(child);
}

TEST(a_handler_replaces_the_stop, "")
{
    handle(SIGTSTP, note_info, 0);
    kill(getpid(), SIGTSTP);
    CHECK_EQ(calls, 1);
    CHECK_EQ(last.si_pid, getpid());
    signal(SIGTTIN, SIG_IGN);
    kill(getpid(), SIGTTIN);
    struct sigaction action = { .sa_handler = SIG_IGN };
    FAILS(sigaction(SIGSTOP, &action, NULL), EINVAL);
}

/* ---- Interrupted calls -------------------------------------------------- */

/* Stop the child and let it go on; then it exits with code. */
static void stop_and_go(int child, int code)
{
    int status;
    kill(child, SIGSTOP);
    CHECK_EQ(change(child), STOPPED(SIGSTOP));
    kill(child, SIGCONT);
    CHECK_EQ(change(child), CONTINUED);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), code);
}

static void sleep_long(void)
{
    struct timespec time = { 0, 200000000 }, begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    tell();
    CHECK_EQ(nanosleep(&time, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ns = (now.tv_sec - begin.tv_sec) * 1000000000 + now.tv_nsec - begin.tv_nsec;
    CHECK(ns >= 200000000);
    _exit(7);
}

TEST(a_sleep_goes_on_after_a_stop, "")
{
    stop_and_go(job(sleep_long), 7); /* it is told before the sleep */
}

static void read_interrupted(void)
{
    int own[2];
    char byte;
    note_cont();
    CHECK(pipe(own) == 0);
    tell();
    FAILS(read(own[0], &byte, 1), EINTR);
    CHECK_EQ(calls, 1);
    _exit(8);
}

TEST(a_handler_of_sigcont_ends_the_call_that_was_stopped, "")
{
    int child = job(read_interrupted);
    while (state(child) != 'S')
        usleep(1000);
    stop_and_go(child, 8);
}
