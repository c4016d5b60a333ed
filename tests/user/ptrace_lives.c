/* SPDX-License-Identifier: MIT */
/* Proves: tracing begins and ends in every order of lives: tracers and tracees that attach, fork,
 * exec, let go and die. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>

#include "tracing.h"

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

static void forever(void)
{
    for (;;)
        pause();
}

static int sleeper(void)
{
    int child = fork();
    if (child == 0)
        forever();
    return child;
}

static unsigned long message(int pid)
{
    unsigned long value = 0;
    CHECK_EQ(trace(PTRACE_GETEVENTMSG, pid, 0, &value), 0);
    return value;
}

TEST(attach_stops_a_tracee_and_detach_lets_it_go_on, "")
{
    int status, child = sleeper();
    CHECK_EQ(trace(PTRACE_ATTACH, child, 0, NULL), 0);
    CHECK_EQ(next(child), STOP(SIGSTOP));
    CHECK_EQ(trace(PTRACE_DETACH, child, 0, NULL), 0);
    FAILS(trace(PTRACE_CONT, child, 0, NULL), ESRCH);
    CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
    CHECK_EQ(trace(PTRACE_ATTACH, child, 0, NULL), 0);
    CHECK_EQ(next(child), STOP(SIGSTOP));
    CHECK_EQ(trace(PTRACE_DETACH, child, 0, (void *)SIGTERM), 0);
    CHECK_EQ(next(child), SIGTERM);
}

TEST(a_tracer_seizes_interrupts_and_listens, "")
{
    siginfo_t info;
    int child = sleeper();
    CHECK_EQ(setpgid(child, 0), 0);
    FAILS(trace(PTRACE_SEIZE, child, 1, NULL), EIO);
    FAILS(trace(PTRACE_SEIZE, child, 0, (void *)0x10000), EIO);
    CHECK_EQ(trace(PTRACE_SEIZE, child, 0, NULL), 0);
    CHECK_EQ(waitpid(child, NULL, WNOHANG | WUNTRACED), 0);
    CHECK_EQ(trace(PTRACE_INTERRUPT, child, 0, NULL), 0);
    CHECK_EQ(next(child), STOP(SIGTRAP | PTRACE_EVENT_STOP << 8));
    CHECK_EQ(trace(PTRACE_CONT, child, 0, NULL), 0);
    kill(child, SIGSTOP);
    CHECK_EQ(next(child), STOP(SIGSTOP));
    FAILS(trace(PTRACE_LISTEN, child, 0, NULL), EIO);
    CHECK_EQ(after(PTRACE_CONT, child, SIGSTOP), STOP(SIGSTOP | PTRACE_EVENT_STOP << 8));
    CHECK_EQ(trace(PTRACE_GETSIGINFO, child, 0, &info), 0);
    CHECK_EQ(info.si_code, SIGSTOP | PTRACE_EVENT_STOP << 8);
    CHECK_EQ(trace(PTRACE_LISTEN, child, 0, NULL), 0);
    FAILS(trace(PTRACE_GETSIGINFO, child, 0, &info), ESRCH);
    kill(child, SIGCONT);
    CHECK_EQ(next(child), STOP(SIGTRAP | PTRACE_EVENT_STOP << 8));
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGCONT));
    finish(child);
}

TEST(a_tracee_stops_with_its_process_for_the_tracer, "")
{
    siginfo_t info;
    int status, child = sleeper();
    CHECK_EQ(setpgid(child, 0), 0);
    kill(child, SIGSTOP);
    CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
    CHECK_EQ(trace(PTRACE_SEIZE, child, 0, NULL), 0);
    CHECK_EQ(next(child), STOP(SIGSTOP | PTRACE_EVENT_STOP << 8));
    CHECK_EQ(trace(PTRACE_DETACH, child, 0, NULL), 0);
    usleep(20000);
    CHECK_EQ(trace(PTRACE_ATTACH, child, 0, NULL), 0); /* it is stopped again */
    CHECK_EQ(next(child), STOP(SIGSTOP));
    (void)trace(PTRACE_GETSIGINFO, child, 0, &info);
    finish(child);
}

/* ---- Children ----------------------------------------------------------- */

static void fork_one(void)
{
    int status, child = fork();
    if (child == 0)
        _exit(3);
    waitpid(child, &status, 0);
    _exit(status >> 8);
}

TEST(a_tracer_gets_the_children_of_its_tracee, "")
{
    int child = traced(fork_one);
    CHECK_EQ(trace(PTRACE_SETOPTIONS, child, 0, (void *)PTRACE_O_TRACEFORK), 0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGTRAP | PTRACE_EVENT_FORK << 8));
    int other = (int)message(child);
    CHECK_EQ(next(other), STOP(SIGSTOP));
    CHECK_EQ(trace(PTRACE_CONT, child, 0, NULL), 0);
    usleep(20000);
    CHECK_EQ(after(PTRACE_CONT, other, 0), 3 << 8); /* its tracer hears first, then its parent */
    CHECK_EQ(next(child), STOP(SIGCHLD));
    CHECK_EQ(after(PTRACE_CONT, child, 0), 3 << 8);
}

static void vfork_one(void)
{
    int child = (int)raw0(SYS_vfork); /* no RET in between: the shadow stack is the parent's */
    if (child == 0)
        _exit(0);
    _exit(5);
}

TEST(a_tracer_hears_of_a_vfork_twice, "")
{
    int child = traced(vfork_one);
    CHECK_EQ(trace(PTRACE_SETOPTIONS, child, 0,
                   (void *)(PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE)),
             0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGTRAP | PTRACE_EVENT_VFORK << 8));
    int other = (int)message(child);
    CHECK_EQ(next(other), STOP(SIGSTOP));
    CHECK_EQ(after(PTRACE_CONT, other, 0), 0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGTRAP | PTRACE_EVENT_VFORK_DONE << 8));
    CHECK_EQ(message(child), other);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGCHLD));
    CHECK_EQ(after(PTRACE_CONT, child, 0), 5 << 8);
}

static void *thread_ends(void *unused) { return unused; }
static void one_thread(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, thread_ends, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    _exit(6);
}

TEST(a_thread_is_traced_to_its_end, "")
{
    int child = traced(one_thread);
    CHECK_EQ(trace(PTRACE_SETOPTIONS, child, 0, (void *)PTRACE_O_TRACECLONE), 0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGTRAP | PTRACE_EVENT_CLONE << 8));
    int thread = (int)message(child);
    CHECK_EQ(next(thread), STOP(SIGSTOP));
    CHECK_EQ(trace(PTRACE_CONT, child, 0, NULL), 0);
    CHECK_EQ(after(PTRACE_CONT, thread, 0), 0);
    FAILS(trace(PTRACE_CONT, thread, 0, NULL), ESRCH);
    CHECK_EQ(next(child), 6 << 8);
}

/* ---- exec and exit ------------------------------------------------------ */

static void exec_self(void)
{
    setenv("PTRACE_END", "1", 1);
    execl("/proc/self/exe", "end", (char *)NULL);
    _exit(1);
}
static void *exec_thread(void *unused)
{
    (void)unused;
    exec_self();
    return NULL;
}
static void exec_in_thread(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, exec_thread, NULL), 0);
    forever();
}
__attribute__((constructor)) static void end_if_asked(void)
{
    if (getenv("PTRACE_END"))
        _exit(8);
}

TEST(exec_is_a_signal_or_an_event_to_a_tracer, "")
{
    int child = traced(exec_self);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGTRAP));
    CHECK_EQ(after(PTRACE_CONT, child, 0), 8 << 8);
    child = traced(exec_self);
    CHECK_EQ(trace(PTRACE_SETOPTIONS, child, 0, (void *)(PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT)),
             0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGTRAP | PTRACE_EVENT_EXEC << 8));
    CHECK_EQ(message(child), child);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGTRAP | PTRACE_EVENT_EXIT << 8));
    CHECK_EQ(message(child), 8 << 8);
    CHECK_EQ(after(PTRACE_CONT, child, 0), 8 << 8);
}

TEST(a_traced_thread_that_execs_takes_over_the_first_ones_number, "")
{
    int child = traced(exec_in_thread);
    CHECK_EQ(trace(PTRACE_SETOPTIONS, child, 0, (void *)(PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE)),
             0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGTRAP | PTRACE_EVENT_CLONE << 8));
    int thread = (int)message(child);
    CHECK_EQ(next(thread), STOP(SIGSTOP));
    CHECK_EQ(trace(PTRACE_CONT, child, 0, NULL), 0);
    CHECK_EQ(trace(PTRACE_CONT, thread, 0, NULL), 0);
    CHECK_EQ(next(child), STOP(SIGTRAP | PTRACE_EVENT_EXEC << 8));
    CHECK_EQ(message(child), thread);
    FAILS(trace(PTRACE_CONT, thread, 0, NULL), ESRCH);
    CHECK_EQ(after(PTRACE_CONT, child, 0), 8 << 8);
    FAILS(waitpid(-1, NULL, __WALL), ECHILD);
}

/* ---- Tracers that die --------------------------------------------------- */

/* A tracer with these options ends while its child is stopped at a signal or at a call. */
static void tracer_dies(unsigned long options, int in_call)
{
    int status, child, ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    int tracer = fork();
    if (tracer == 0) {
        child = fork();
        if (child == 0) {
            CHECK_EQ(trace(PTRACE_TRACEME, 0, 0, NULL), 0);
            raise(SIGSTOP);
            (void)!write(ends[1], "x", 1);
            usleep(50000);
            (void)!write(ends[1], "y", 1);
            _exit(0);
        }
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(trace(PTRACE_SETOPTIONS, child, 0, (void *)options), 0);
        if (in_call) {
            CHECK_EQ(trace(PTRACE_SYSCALL, child, 0, NULL), 0);
            CHECK_EQ(waitpid(child, &status, 0), child);
        }
        _exit(0);
    }
    close(ends[1]);
    CHECK_EQ(waitpid(tracer, &status, 0), tracer);
    CHECK_EQ(status, 0);
    int got = 0;
    while (read(ends[0], &byte, 1) == 1)
        got++;
    CHECK_EQ(got, options & PTRACE_O_EXITKILL ? 0 : 2);
}

TEST(a_tracee_goes_on_or_dies_with_its_tracer, "")
{
    tracer_dies(0, 0);
    tracer_dies(0, 1);
    tracer_dies(PTRACE_O_EXITKILL, 0);
    tracer_dies(PTRACE_O_EXITKILL, 1);
}

static void *attach_and_end(void *pid)
{
    CHECK_EQ(trace(PTRACE_ATTACH, (int)(long)pid, 0, NULL), 0);
    return NULL;
}

TEST(a_tracer_thread_that_ends_lets_go, "")
{
    int child = sleeper();
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, attach_and_end, (void *)(long)child), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    while (trace(PTRACE_SEIZE, child, 0, NULL) != 0) /* the thread may not be gone yet */
        CHECK_EQ(errno, EPERM);
    finish(child);
}

/* A grandparent traces a process; its end shows to the tracer first, then to the parent. */
TEST(a_zombie_is_the_tracers_first_and_then_its_parents, "")
{
    int ends[2], pid, status;
    CHECK(pipe(ends) == 0);
    int parent = fork();
    if (parent == 0) {
        int child = sleeper();
        CHECK_EQ(write(ends[1], &child, sizeof(child)), sizeof(child));
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, SIGTERM);
        _exit(4);
    }
    CHECK_EQ(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
    CHECK_EQ(trace(PTRACE_SEIZE, pid, 0, NULL), 0);
    kill(pid, SIGTERM);
    CHECK_EQ(next(pid), STOP(SIGTERM));
    CHECK_EQ(trace(PTRACE_CONT, pid, 0, (void *)SIGTERM), 0);
    siginfo_t info;
    CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    usleep(20000);
    CHECK_EQ(waitpid(parent, &status, WNOHANG), 0); /* it does not know yet */
    CHECK_EQ(next(pid), SIGTERM);
    CHECK_EQ(next(parent), 4 << 8);
    FAILS(waitpid(pid, &status, 0), ECHILD);
}

static void *attach_race(void *pid)
{
    int child = (int)(long)pid;
    if (trace(PTRACE_ATTACH, child, 0, NULL))
        return NULL;
    CHECK_EQ(waitpid(child, NULL, __WALL | __WNOTHREAD), child);
    CHECK_EQ(trace(PTRACE_DETACH, child, 0, NULL), 0);
    return (void *)1;
}

TEST(two_tracers_race_and_one_wins_each_time, "")
{
    int child = sleeper();
    for (int i = 0; i < 50; i++) {
        pthread_t threads[2];
        long won = 0;
        for (int j = 0; j < 2; j++)
            CHECK_EQ(pthread_create(&threads[j], NULL, attach_race, (void *)(long)child), 0);
        for (int j = 0; j < 2; j++) {
            void *result;
            CHECK_EQ(pthread_join(threads[j], &result), 0);
            won += (long)result;
        }
        CHECK(won >= 1);
    }
    finish(child);
}

TEST(tracees_are_killed_at_any_moment, "")
{
    for (int i = 0; i < 60; i++) {
        int status, child = sleeper();
        CHECK_EQ(trace(PTRACE_SEIZE, child, 0, (void *)PTRACE_O_EXITKILL), 0);
        int killer = fork();
        if (killer == 0) {
            for (volatile int n = 0; n < i * 50; n++) {}
            kill(child, SIGKILL);
            _exit(0);
        }
        (void)trace(PTRACE_INTERRUPT, child, 0, NULL);
        do {
            CHECK_EQ(waitpid(child, &status, __WALL), child);
            (void)trace(PTRACE_SYSCALL, child, 0, NULL);
        } while (!WIFSIGNALED(status));
        CHECK_EQ(WTERMSIG(status), SIGKILL);
        CHECK_EQ(waitpid(killer, &status, 0), killer);
    }
}
