/* SPDX-License-Identifier: MIT */
/* Proves: threads as C libraries use them: they are created and joined, wait for each other, and
 * end alone or all together. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "test.h"
#include "thread.h"

static struct timespec after_ms(clockid_t clock, long ms)
{
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += ms % 1000 * 1000000;
    time.tv_sec += ms / 1000 + time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

/* ---- The C library's threads -------------------------------------------- */

static __thread int own = 1;
static int tids[8];

static void *count_up(void *argument)
{
    int *tid = argument;
    own += (int)(tid - tids);
    *tid = (int)raw0(SYS_gettid);
    CHECK_EQ(own, 1 + (tid - tids));
    CHECK_EQ(raw0(SYS_getpid), getpid());
    return (void *)(uint64_t)own;
}

TEST(threads_are_created_and_joined, "")
{
    pthread_t threads[8];
    void *result;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 8; i++)
            CHECK_EQ(pthread_create(&threads[i], NULL, count_up, &tids[i]), 0);
        for (int i = 0; i < 8; i++) {
            CHECK_EQ(pthread_join(threads[i], &result), 0);
            CHECK_EQ((uint64_t)result, 1 + i);
            CHECK(tids[i] > 0 && tids[i] != getpid());
            for (int j = 0; j < i; j++)
                CHECK(tids[i] != tids[j]);
        }
    }
    CHECK_EQ(own, 1);
    CHECK_EQ(raw0(SYS_gettid), getpid());
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long counter, turn;

static void *add_10000(void *unused)
{
    for (int i = 0; i < 10000; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

TEST(a_mutex_lets_in_one_at_a_time, "")
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, add_10000, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(counter, 40000);
}

/* Thread number `me` of three waits for its turn, and passes it on. */
static void *take_turns(void *me)
{
    for (int i = 0; i < 300; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % 3 != (long)me)
            pthread_cond_wait(&changed, &mutex);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(condition_variables_wake_all_waiters, "")
{
    pthread_t threads[3];
    for (long i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, take_turns, (void *)i), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(turn, 900);
}

TEST(a_timed_wait_ends_in_time, "")
{
    struct timespec until = after_ms(CLOCK_REALTIME, 30), now;
    pthread_mutex_lock(&mutex);
    CHECK_EQ(pthread_cond_timedwait(&changed, &mutex, &until), ETIMEDOUT);
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(now.tv_sec > until.tv_sec
          || (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
    CHECK(now.tv_sec - until.tv_sec < 10);
    CHECK_EQ(pthread_mutex_timedlock(&mutex, &until), ETIMEDOUT);
}

/* ---- The system calls --------------------------------------------------- */

static struct raw_thread one, two;
static volatile int seen;

static void see(void *what) { seen = (int)(long)what; }

TEST(clone3_makes_a_thread, "")
{
    struct clone_args args = { .flags = CLONE_THREAD_FLAGS,
                               .stack = (uint64_t)one.stack,
                               .stack_size = sizeof(one.stack),
                               .parent_tid = (uint64_t)&one.tid,
                               .child_tid = (uint64_t)&one.tid };
    long tid = thread_call(SYS_clone3, (long)&args, sizeof(args), 0, 0, 0, see, (void *)42);
    CHECK(tid > 0);
    thread_join(&one);
    CHECK_EQ(seen, 42);
    CHECK_EQ(raw2(SYS_clone3, (long)&args, 63), -EINVAL);
    CHECK_EQ(raw2(SYS_clone3, (long)&args, 8192), -E2BIG);
    CHECK_EQ(raw2(SYS_clone3, 8, sizeof(args)), -EFAULT);
    args.stack = 0;
    CHECK_EQ(raw2(SYS_clone3, (long)&args, sizeof(args)), -EINVAL);
}

TEST(clone_checks_its_flags, "")
{
    CHECK_EQ(raw1(SYS_clone, CLONE_THREAD | CLONE_VM), -EINVAL);
    CHECK_EQ(raw1(SYS_clone, CLONE_SIGHAND), -EINVAL);
    CHECK_EQ(raw1(SYS_clone, CLONE_SIGHAND | CLONE_VM), -EINVAL);
}

static uint32_t other_word;
static void move_tid_address(void *unused)
{
    (void)unused;
    CHECK_EQ(raw1(SYS_set_tid_address, (long)&other_word), raw0(SYS_gettid));
}

TEST(the_tid_address_is_cleared_at_the_end, "")
{
    other_word = 1;
    thread_start(&one, move_tid_address, NULL);
    while (__atomic_load_n(&other_word, __ATOMIC_ACQUIRE))
        raw6(SYS_futex, (long)&other_word, 0, 1, 0, 0, 0);
    CHECK_EQ(one.tid > 0, 1);
}

static void pause_for_ever(void *unused)
{
    for (;;)
        raw3(SYS_poll, 0, 0, -1);
    (void)unused;
}
static void spin(void *counter_of_its_own)
{
    for (;;)
        ++*(volatile long *)counter_of_its_own;
}

static void tgkill_another(void)
{
    static long count;
    thread_start(&one, pause_for_ever, NULL);
    thread_start(&two, spin, &count);
    CHECK_EQ(raw3(SYS_tgkill, 1, one.tid, 0), -ESRCH);
    CHECK_EQ(raw3(SYS_tgkill, getpid(), one.tid, 0), 0);
    CHECK_EQ(raw3(SYS_tgkill, getpid(), -1, 0), -EINVAL);
    CHECK_EQ(raw3(SYS_tgkill, getpid(), one.tid, 99), -EINVAL);
    raw3(SYS_tgkill, getpid(), one.tid, SIGTERM);
    pause_for_ever(NULL);
}

TEST(tgkill_ends_the_whole_process, "")
{
    CHECK_EQ(WTERMSIG(in_child(tgkill_another, NULL)), SIGTERM);
}

/* ---- Ending ------------------------------------------------------------- */

static void sleep_and_exit_group(void *status)
{
    struct timespec pause = { 0, 20000000 };
    raw2(SYS_nanosleep, (long)&pause, 0);
    raw_exit((int)(long)status);
}

static void sleep_and_exit(void *status)
{
    struct timespec pause = { 0, 20000000 };
    raw2(SYS_nanosleep, (long)&pause, 0);
    raw1(SYS_exit, (long)status);
}

static void first_ends_then_exit_group(void)
{
    thread_start(&one, sleep_and_exit_group, (void *)9);
    raw1(SYS_exit, 3);
}

static void first_ends_then_last(void)
{
    thread_start(&one, sleep_and_exit, (void *)9);
    raw1(SYS_exit, 3);
}

static void last_is_the_first(void)
{
    thread_start(&one, sleep_and_exit, (void *)9);
    thread_join(&one);
    raw1(SYS_exit, 3);
}

TEST(exit_ends_one_thread_and_exit_group_all, "")
{
    CHECK_EQ(in_child(first_ends_then_exit_group, NULL), 9 << 8);
    /* without exit_group, the last thread's status counts */
    CHECK_EQ(in_child(first_ends_then_last, NULL), 9 << 8);
    CHECK_EQ(in_child(last_is_the_first, NULL), 3 << 8);
}

static int pipe_ends[2];

static void read_nothing(void *unused)
{
    char byte;
    (void)unused;
    raw_read(pipe_ends[0], &byte, 1);
}

static void wait_for_a_futex(void *unused)
{
    static uint32_t word;
    (void)unused;
    for (;;)
        raw6(SYS_futex, (long)&word, 0, 0, 0, 0, 0);
}

static void wait_for_a_child(void *unused)
{
    (void)unused;
    if (raw0(SYS_fork) == 0)
        pause_for_ever(NULL);
    raw6(SYS_wait4, -1, 0, 0, 0, 0, 0);
}

static void map_and_unmap(void *unused)
{
    (void)unused;
    for (;;)
        raw2(SYS_munmap,
             raw6(SYS_mmap, 0, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0),
             65536);
}

/* exit_group() while threads run, read, wait for a futex or a child, and change the address
 * space. */
static void leave_all_behind(void)
{
    static struct raw_thread threads[6];
    static void (*const bodies[6])(void *) = {
        spin, read_nothing, wait_for_a_futex, wait_for_a_child, map_and_unmap, pause_for_ever
    };
    static long count;
    CHECK_EQ(pipe(pipe_ends), 0);
    for (int i = 0; i < 6; i++)
        thread_start(&threads[i], bodies[i], &count);
    sleep_and_exit_group((void *)5);
}

TEST(exit_group_ends_threads_in_every_state, "")
{
    for (int i = 0; i < 10; i++)
        CHECK_EQ(in_child(leave_all_behind, NULL), 5 << 8);
}

/* ---- A vfork() parent can be killed ------------------------------------- */

static volatile long *shared_count;

/* The child stays in its parent's memory for ever. */
static void vfork_for_ever(void)
{
    if (raw0(SYS_vfork) == 0) {
        *shared_count = raw0(SYS_getpid);
        for (;;)
            raw3(SYS_poll, 0, 0, -1);
    }
}

TEST(a_parent_that_waits_for_its_vfork_child_can_be_killed, "")
{
    int status = -1;
    shared_count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared_count != MAP_FAILED);
    int child = fork();
    if (child == 0)
        vfork_for_ever();
    while (!*shared_count)
        raw0(SYS_sched_yield);
    CHECK_EQ(kill(child, SIGTERM), 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, SIGTERM);
    CHECK_EQ(kill((int)*shared_count, SIGKILL), 0);
}

/* ---- exec --------------------------------------------------------------- */

static void exec_ps(void *unused)
{
    static char *const argv[] = { "/bin/ps", NULL };
    (void)unused;
    execv(argv[0], argv);
    raw_exit(1);
}

/* The new program prints into a full pipe, so it cannot end before the pipe is read. */
static void exec_from_the_second(void)
{
    static char filler[4096];
    fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK);
    while (write(pipe_ends[1], filler, sizeof(filler)) > 0) {}
    fcntl(pipe_ends[1], F_SETFL, 0);
    dup2(pipe_ends[1], 1);
    thread_start(&two, spin, (void *)shared_count);
    thread_start(&one, exec_ps, NULL);
    spin((void *)(shared_count + 1));
}

TEST(exec_from_another_thread_keeps_the_pid_and_ends_the_rest, "")
{
    char path[40];
    shared_count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared_count != MAP_FAILED);
    CHECK_EQ(pipe(pipe_ends), 0);
    fflush(stdout);
    int child = fork();
    if (child == 0)
        exec_from_the_second();
    snprintf(path, sizeof(path), "/proc/%d/status", child);
    while (!strstr(file_text(path), "Name:\tps\n"))
        raw0(SYS_sched_yield);
    CHECK(strstr(file_text(path), "Threads:\t1\n"));
    long first = shared_count[0], second = shared_count[1];
    struct timespec pause = { 0, 30000000 };
    nanosleep(&pause, NULL);
    CHECK_EQ(shared_count[0], first);
    CHECK_EQ(shared_count[1], second);
    close(pipe_ends[1]);
    char block[4096];
    while (read(pipe_ends[0], block, sizeof(block)) > 0) {}
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

TEST(a_threads_child_belongs_to_the_process, "")
{
    int status;
    penumbra_only(); /* the runner is process 1 there, and survives */
    thread_start(&one, wait_for_a_child, NULL);
    while (kill(-1, SIGKILL) < 0)
        raw0(SYS_sched_yield);
    thread_join(&one);
    CHECK(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
}
