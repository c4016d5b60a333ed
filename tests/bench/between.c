/* SPDX-License-Identifier: MIT */
/* The second half of the benchmark: programs, threads, pipes and signals. See bench.c. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "figure.h"

/* ---- Programs ----------------------------------------------------------- */

/* From vfork() to the end of a static program that ends at once. The child, which shares the shadow
 * stack, executes neither CALL nor RET. */
static uint64_t exec_exit_wait(long unused)
{
    (void)unused;
    static const char path[] = "/proc/self/exe";
    static const char *const nothing[] = { "nothing", NULL };
    int status;
    uint64_t start = rdtsc();
    long child = raw0(SYS_vfork);
    if (child == 0) {
        raw3(SYS_execve, (long)path, (long)nothing, 0);
        raw_exit(1);
    }
    raw6(SYS_wait4, child, (long)&status, 0, 0, 0, 0);
    uint64_t spent = rdtsc() - start;
    if (status)
        fail("exec");
    return spent;
}

/* ---- Pipes -------------------------------------------------------------- */

static int there[2], back[2];

static uint64_t pipe_round_trip(long unused)
{
    (void)unused;
    char byte = 0;
    uint64_t start = rdtsc();
    raw_write(there[1], &byte, 1);
    raw_read(back[0], &byte, 1);
    return rdtsc() - start;
}

/* A byte to another process, and one from there. */
static void pipes(void)
{
    char byte;
    int status;
    if (pipe(there) || pipe(back))
        fail("pipe");
    pid_t child = fork();
    if (child == 0) {
        close(there[1]);
        while (raw_read(there[0], &byte, 1) == 1)
            raw_write(back[1], &byte, 1);
        _exit(0);
    }
    figure("pipe round trip", pipe_round_trip, 0, 20);
    close(there[1]);
    waitpid(child, &status, 0);
}

/* ---- Threads ------------------------------------------------------------ */

static void *nothing(void *unused) { return unused; }

static uint64_t thread_create_join(long unused)
{
    (void)unused;
    pthread_t thread;
    uint64_t start = rdtsc();
    if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
        fail("thread");
    return rdtsc() - start;
}

#define WAIT_PRIVATE 128 /* of a futex */
#define WAKE_PRIVATE 129
#define WAKES        20

static volatile int turn; /* odd: the waiter's */
static volatile uint64_t awake_at;

RAW void turn_await(int odd)
{
    int seen;
    while ((seen = turn) % 2 != odd)
        raw6(SYS_futex, (long)&turn, WAIT_PRIVATE, seen, 0, 0, 0);
}

RAW void turn_over(void)
{
    turn++;
    raw3(SYS_futex, (long)&turn, WAKE_PRIVATE, 1);
}

static void *waiter(void *unused)
{
    for (int i = 0; i < WAKES; i++) {
        turn_await(1);
        awake_at = rdtsc();
        turn_over();
    }
    return unused;
}

static uint64_t futex_wake(long unused)
{
    (void)unused;
    uint64_t start = rdtsc();
    turn_over();
    turn_await(0);
    return awake_at - start;
}

static void threads(void)
{
    pthread_t thread;
    figure("thread create+join", thread_create_join, 0, 10);
    if (pthread_create(&thread, NULL, waiter, NULL))
        fail("thread");
    sched_yield(); /* it waits */
    figure("futex wake, until the waiter runs", futex_wake, 0, WAKES - 1);
    turn_over();
    pthread_join(thread, NULL);
}

/* ---- Signals ------------------------------------------------------------ */

static void handle(int signal) { (void)signal; }

/* From kill() of the process itself to the instruction behind it, through the handler. */
static uint64_t signal_handled(long pid)
{
    uint64_t start = rdtsc();
    raw2(SYS_kill, pid, SIGUSR1);
    return rdtsc() - start;
}

/* Switches the shadow stack off. */
static void signals(void)
{
    signal(SIGUSR1, handle);
    if (rdssp())
        figure("signal, handler and return, with a shadow stack", signal_handled, getpid(), 10);
    raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK);
    figure("signal, handler and return", signal_handled, getpid(), 10);
}

int main(int argc, char **argv)
{
    if (argc == 1 && !strcmp(argv[0], "nothing"))
        return 0;
    profiled = argv + 1;
    figure("vfork+exec+exit+wait", exec_exit_wait, 0, 5);
    pipes();
    threads();
    signals();
    exit(0);
}
