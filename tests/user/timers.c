/* SPDX-License-Identifier: MIT */
/* Proves: timers send what they were asked for, when they were asked to, and count what they could
 * not send. */
#define _GNU_SOURCE
#include <sys/time.h>
#include <time.h>

#include "signals.h"

#define MS 1000000l

static long now_ns(int clock)
{
    struct timespec now;
    CHECK_EQ(clock_gettime(clock, &now), 0);
    return now.tv_sec * 1000 * MS + now.tv_nsec;
}

static struct timespec spec(long ns)
{
    return (struct timespec){ ns / 1000 / MS, ns % (1000 * MS) };
}

/* A timer that sends signal, with value 77, to thread tid, or without one to the process. */
static int timer_of(int clock, int signal, int tid)
{
    struct sigevent event = { .sigev_value.sival_int = 77, .sigev_signo = signal };
    int id;
    event.sigev_notify = !signal ? SIGEV_NONE : tid ? SIGEV_THREAD_ID : SIGEV_SIGNAL;
    ((int *)&event)[4] = tid;
    CHECK_EQ(raw3(SYS_timer_create, clock, (long)&event, (long)&id), 0);
    return id;
}

static long set(int id, int flags, long value_ns, long interval_ns)
{
    struct itimerspec new = { spec(interval_ns), spec(value_ns) };
    return raw6(SYS_timer_settime, id, flags, (long)&new, 0, 0, 0);
}

static long left_ns(int id)
{
    struct itimerspec got;
    CHECK_EQ(raw2(SYS_timer_gettime, id, (long)&got), 0);
    return got.it_value.tv_sec * 1000 * MS + got.it_value.tv_nsec;
}

static void wait_calls(int count)
{
    while (calls < count)
        usleep(1000);
}

/* ---- setitimer ---------------------------------------------------------- */

TEST(an_alarm_comes_once_and_tells_what_is_left, "")
{
    handle(SIGALRM, note_info, 0);
    CHECK_EQ(alarm(100), 0);
    CHECK_EQ(alarm(1), 100);
    long start = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(pause(), -1);
    CHECK(now_ns(CLOCK_MONOTONIC) - start > 900 * MS);
    CHECK(calls == 1 && last.si_code == SI_KERNEL);
    CHECK_EQ(alarm(0), 0);
}

TEST(an_interval_timer_goes_on, "")
{
    struct itimerval new = { { 0, 20000 }, { 0, 20000 } }, old;
    handle(SIGALRM, note_info, 0);
    long start = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(setitimer(ITIMER_REAL, &new, NULL), 0);
    wait_calls(3);
    CHECK(now_ns(CLOCK_MONOTONIC) - start >= 60 * MS);
    CHECK_EQ(getitimer(ITIMER_REAL, &old), 0);
    CHECK(old.it_interval.tv_usec == 20000 && old.it_value.tv_usec <= 20000);
    CHECK(old.it_value.tv_usec > 0);
    CHECK_EQ(setitimer(ITIMER_REAL, NULL, &old), 0);
    CHECK_EQ(getitimer(ITIMER_REAL, &old), 0);
    CHECK_EQ(old.it_value.tv_usec, 0);
    new.it_value.tv_usec = 1000000;
    FAILS(setitimer(ITIMER_REAL, &new, NULL), EINVAL);
    FAILS(setitimer(3, &new, NULL), EINVAL);
    FAILS(getitimer(-1, &old), EINVAL);
    CHECK_EQ(raw3(SYS_setitimer, ITIMER_REAL, 1, 0), -EFAULT);
    CHECK_EQ(raw2(SYS_getitimer, ITIMER_REAL, 1), -EFAULT);
}

/* Those that count CPU time stand still while the process sleeps. */
static void cpu_timer(int kind, int signal)
{
    struct itimerval new = { { 0, 0 }, { 0, 30000 } }, old;
    calls = 0;
    handle(signal, note_info, 0);
    CHECK_EQ(setitimer(kind, &new, NULL), 0);
    usleep(100000);
    CHECK_EQ(calls, 0);
    CHECK_EQ(getitimer(kind, &old), 0);
    CHECK(old.it_value.tv_usec > 0 && old.it_value.tv_sec == 0);
    while (!calls) {}
    CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) > 20 * MS);
    CHECK_EQ(getitimer(kind, &old), 0);
    CHECK_EQ(old.it_value.tv_usec, 0);
}

TEST(timers_of_cpu_time_count_what_is_used, "")
{
    cpu_timer(ITIMER_PROF, SIGPROF);
    cpu_timer(ITIMER_VIRTUAL, SIGVTALRM);
}

/* ---- timer_create ------------------------------------------------------- */

TEST(a_timer_says_which_it_is_and_how_often_it_was_late, "overruns_lost")
{
    int id = timer_of(CLOCK_MONOTONIC, SIGUSR1, 0);
    handle(SIGUSR1, note_info, 0);
    block(SIG_BLOCK, SIGUSR1);
    CHECK_EQ(set(id, 0, 20 * MS, 20 * MS), 0);
    usleep(130000);
    block(SIG_UNBLOCK, SIGUSR1);
    CHECK(calls >= 1 && last.si_code == SI_TIMER && last.si_value.sival_int == 77);
    CHECK_EQ(last.si_timerid, id);
    CHECK(calls > 1 || last.si_overrun >= 4);
    CHECK_EQ(raw1(SYS_timer_getoverrun, id), last.si_overrun);
    CHECK(left_ns(id) > 0 && left_ns(id) <= 20 * MS);
    int before = calls;
    wait_calls(before + 2);
    CHECK_EQ(raw1(SYS_timer_delete, id), 0);
    before = calls;
    usleep(60000);
    CHECK(calls <= before + 1);
    CHECK_EQ(raw1(SYS_timer_delete, id), -EINVAL);
}

/* A date that is past is due at once, and all the intervals since then count. */
TEST(an_absolute_time_is_by_the_timers_clock, "")
{
    static const int clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };
    handle(SIGUSR1, note_info, 0);
    while (now_ns(CLOCK_MONOTONIC) < 1000 * MS)
        usleep(10000); /* a date before the boot is none */
    for (int i = 0; i < 3; i++) {
        int id = timer_of(clocks[i], SIGUSR1, 0);
        long start = now_ns(clocks[i]);
        calls = 0;
        CHECK_EQ(set(id, TIMER_ABSTIME, start + 50 * MS, 0), 0);
        CHECK(left_ns(id) <= 50 * MS);
        wait_calls(1);
        CHECK(now_ns(clocks[i]) >= start + 50 * MS);
        CHECK_EQ(left_ns(id), 0);
        CHECK_EQ(set(id, TIMER_ABSTIME, start - 950 * MS, 100 * MS), 0);
        wait_calls(2);
        CHECK(last.si_overrun >= 9 && last.si_overrun <= 60);
        CHECK_EQ(raw1(SYS_timer_delete, id), 0);
    }
}

TEST(a_timer_may_have_no_signal, "")
{
    int id = timer_of(CLOCK_MONOTONIC, 0, 0);
    CHECK_EQ(left_ns(id), 0);
    CHECK_EQ(set(id, 0, 20 * MS, 0), 0);
    CHECK(left_ns(id) > 0);
    usleep(30000);
    CHECK_EQ(left_ns(id), 0);
    CHECK_EQ(set(id, 0, 20 * MS, 50 * MS), 0);
    usleep(30000);
    CHECK(left_ns(id) > 0 && left_ns(id) <= 50 * MS);
    CHECK_EQ(set(id, 0, 0, 0), 0);
    CHECK_EQ(left_ns(id), 0);
}

TEST(a_timer_may_be_a_threads_own, "")
{
    int id = timer_of(CLOCK_MONOTONIC, SIGRTMIN, getpid());
    sigset_t wanted;
    siginfo_t info;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGRTMIN);
    block(SIG_BLOCK, SIGRTMIN);
    CHECK_EQ(set(id, 0, 10 * MS, 0), 0);
    CHECK_EQ(sigwaitinfo(&wanted, &info), SIGRTMIN);
    CHECK(info.si_code == SI_TIMER && info.si_timerid == id && info.si_overrun == 0);
}

/* A signal of a timer waits beside another one of its number. Deleting the timer leaves it. */
TEST(a_timers_signal_is_one_of_its_own, "")
{
    int id = timer_of(CLOCK_MONOTONIC, SIGUSR1, 0);
    handle(SIGUSR1, note_info, 0);
    block(SIG_BLOCK, SIGUSR1);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(set(id, 0, 1, 0), 0);
    while (left_ns(id))
        usleep(1000);
    CHECK_EQ(raw1(SYS_timer_delete, id), 0);
    block(SIG_UNBLOCK, SIGUSR1);
    CHECK_EQ(calls, 2);
    CHECK_EQ(last.si_code, SI_TIMER);
}

TEST(bad_timers_are_refused, "")
{
    struct sigevent event = { .sigev_signo = 65 };
    struct itimerspec bad = { .it_value = { 0, 1000 * MS } };
    int id = timer_of(CLOCK_MONOTONIC, SIGUSR1, 0), other;
    CHECK_EQ(raw3(SYS_timer_create, CLOCK_MONOTONIC, (long)&event, (long)&other), -EINVAL);
    event = (struct sigevent){ .sigev_signo = SIGUSR1, .sigev_notify = 3 };
    CHECK_EQ(raw3(SYS_timer_create, CLOCK_MONOTONIC, (long)&event, (long)&other), -EINVAL);
    event.sigev_notify = SIGEV_THREAD_ID;
    ((int *)&event)[4] = getppid();
    CHECK_EQ(raw3(SYS_timer_create, CLOCK_MONOTONIC, (long)&event, (long)&other), -EINVAL);
    CHECK_EQ(raw3(SYS_timer_create, 77, 0, (long)&other), -EINVAL);
    CHECK_EQ(raw3(SYS_timer_create, CLOCK_MONOTONIC_RAW, 0, (long)&other), -EOPNOTSUPP);
    CHECK_EQ(raw3(SYS_timer_create, CLOCK_MONOTONIC, 1, (long)&other), -EFAULT);
    CHECK_EQ(raw3(SYS_timer_create, CLOCK_MONOTONIC, 0, 1), -EFAULT);
    CHECK_EQ(raw6(SYS_timer_settime, id, 0, (long)&bad, 0, 0, 0), -EINVAL);
    CHECK_EQ(raw6(SYS_timer_settime, id, 0, 0, 0, 0, 0), -EINVAL);
    CHECK_EQ(raw6(SYS_timer_settime, id, 0, 1, 0, 0, 0), -EFAULT);
    CHECK_EQ(set(id + 1000, 0, 1, 0), -EINVAL);
    CHECK_EQ(raw2(SYS_timer_gettime, id + 1000, (long)&bad), -EINVAL);
    CHECK_EQ(raw2(SYS_timer_gettime, id, 1), -EFAULT);
    CHECK_EQ(raw1(SYS_timer_getoverrun, id + 1000), -EINVAL);
}

/* ---- Fork, exec, end ---------------------------------------------------- */

/* With TIMERS_REPORT in its environment the runner tells by its status whether it has kept the
 * alarm and no other timer. */
__attribute__((constructor)) static void report(void)
{
    struct itimerspec got;
    if (getenv("TIMERS_REPORT"))
        _exit(alarm(0) != 50 || raw2(SYS_timer_gettime, 0, (long)&got) != -EINVAL);
}

TEST(a_child_has_no_timers_and_exec_keeps_the_alarm_alone, "")
{
    int status, id = timer_of(CLOCK_MONOTONIC, SIGUSR1, 0);
    CHECK_EQ(set(id, 0, 1000000 * MS, 0), 0);
    alarm(50);
    if (fork() == 0) {
        struct itimerspec got;
        CHECK_EQ(alarm(0), 0);
        CHECK_EQ(raw2(SYS_timer_gettime, id, (long)&got), -EINVAL);
        CHECK_EQ(timer_of(CLOCK_REALTIME, SIGUSR1, 0), 0);
        alarm(50);
        execle("/proc/self/exe", "runner", NULL, (char *[]){ "TIMERS_REPORT=1", NULL });
        _exit(9);
    }
    CHECK(wait(&status) > 0);
    CHECK_EQ(status, 0);
    CHECK_EQ(alarm(0), 50);
}

/* The end of a process with timers that run, and whose signals wait, leaves nothing behind. */
TEST(timers_end_with_their_process, "")
{
    for (int i = 0; i < 4; i++) {
        int child = fork(), status;
        if (child == 0) {
            block(SIG_BLOCK, SIGRTMIN);
            for (int timer = 0; timer < 20; timer++)
                CHECK_EQ(set(timer_of(CLOCK_REALTIME, SIGRTMIN, timer & 1 ? getpid() : 0), 0, 1,
                             i & 1 ? 1 : 1000 * MS),
                         0);
            usleep(15000);
            if (i & 2)
                raise(SIGKILL);
            _exit(0);
        }
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, i & 2 ? SIGKILL : 0);
    }
}
