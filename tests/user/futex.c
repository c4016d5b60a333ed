/* SPDX-License-Identifier: MIT */
/* Proves: futexes wait, wake, requeue, select by bits, time out and fail as on Linux, and a dying
 * owner's robust list is walked. */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "test.h"
#include "thread.h"

#define WAITERS 5

static uint32_t word, word2;
static volatile int woken[WAITERS];

static long futex(volatile uint32_t *at, int op, uint32_t value, const void *timeout,
                  volatile uint32_t *at2, uint32_t value3)
{
    return raw6(SYS_futex, (long)at, op, value, (long)timeout, (long)at2, value3);
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int woken_count(void)
{
    int count = 0;
    for (int i = 0; i < WAITERS; i++)
        count += woken[i];
    return count;
}

static void until_woken(int count)
{
    while (woken_count() < count)
        raw0(SYS_sched_yield);
}

/* Waiter number `me` waits with bit `me` set. */
static void wait_once(void *me)
{
    long number = (long)me;
    long err = futex(&word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 1u << number);
    woken[number] = err == 0 ? 1 : 100;
}

static struct raw_thread waiters[WAITERS];

static void waiters_start(void)
{
    for (long i = 0; i < WAITERS; i++)
        thread_start(&waiters[i], wait_once, (void *)i);
}

static void waiters_join(void)
{
    for (int i = 0; i < WAITERS; i++)
        thread_join(&waiters[i]);
    CHECK_EQ(woken_count(), WAITERS);
}

/* Repeat the call, which returns how many waiters it found, until it has found count. */
#define UNTIL_FOUND(count, call)             \
    for (long found = 0; found < (count);) { \
        long more = (call);                  \
        CHECK(more >= 0);                    \
        found += more;                       \
        CHECK(found <= (count));             \
        raw0(SYS_sched_yield);               \
    }

TEST(futex_wake_wakes_as_many_as_it_returns, "")
{
    waiters_start();
    UNTIL_FOUND(2, futex(&word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    until_woken(2);
    UNTIL_FOUND(WAITERS - 2, futex(&word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0));
    waiters_join();
    CHECK_EQ(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0), 0);
}

TEST(futex_bits_select_whom_to_wake, "")
{
    waiters_start();
    UNTIL_FOUND(1,
                futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 1u << 3));
    until_woken(1);
    CHECK_EQ(woken[3], 1);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 1u << 20),
             0);
    UNTIL_FOUND(WAITERS - 1,
                futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, ~0u));
    waiters_join();
}

TEST(futex_requeue_moves_those_not_woken, "")
{
    waiters_start();
    UNTIL_FOUND(WAITERS,
                futex(&word, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 0, (void *)INT_MAX, &word2, 0));
    CHECK_EQ(woken_count(), 0);
    CHECK_EQ(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&word2, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, (void *)2, &word, 1),
             -EAGAIN);
    CHECK_EQ(futex(&word2, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, (void *)2, &word, 0), 3);
    until_woken(1);
    CHECK_EQ(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0), 2);
    until_woken(3);
    CHECK_EQ(futex(&word2, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0), 2);
    waiters_join();
}

TEST(futex_timeouts_are_relative_or_absolute, "")
{
    struct timespec time = { 0, 30000000 };
    long before = now_ms();
    CHECK_EQ(futex(&word, FUTEX_WAIT, 0, &time, NULL, 0), -ETIMEDOUT);
    CHECK(now_ms() - before >= 29 && now_ms() - before < 5000);
    before = now_ms();
    time = (struct timespec){ (before + 40) / 1000, (before + 40) % 1000 * 1000000 };
    CHECK_EQ(futex(&word, FUTEX_WAIT_BITSET, 0, &time, NULL, ~0u), -ETIMEDOUT);
    CHECK(now_ms() - before >= 39 && now_ms() - before < 5000);
    CHECK_EQ(futex(&word, FUTEX_WAIT_BITSET, 0, &time, NULL, ~0u), -ETIMEDOUT); /* in the past */
    clock_gettime(CLOCK_REALTIME, &time);
    CHECK_EQ(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &time, NULL, ~0u),
             -ETIMEDOUT);
    time.tv_nsec = 1000000000;
    CHECK_EQ(futex(&word, FUTEX_WAIT, 0, &time, NULL, 0), -EINVAL);
    CHECK_EQ(futex(&word, FUTEX_WAIT, 0, (void *)8, NULL, 0), -EFAULT);
}

TEST(futex_checks_its_arguments, "")
{
    uint32_t *odd = (uint32_t *)((char *)&word + 1), *nowhere = (uint32_t *)4096;
    CHECK_EQ(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), -EAGAIN);
    CHECK_EQ(futex(odd, FUTEX_WAIT, 0, NULL, NULL, 0), -EINVAL);
    CHECK_EQ(futex(odd, FUTEX_WAKE, 1, NULL, NULL, 0), -EINVAL);
    CHECK_EQ(futex(nowhere, FUTEX_WAIT, 0, NULL, NULL, 0), -EFAULT);
    CHECK_EQ(futex((uint32_t *)(1ul << 63), FUTEX_WAKE, 1, NULL, NULL, 0), -EFAULT);
    CHECK_EQ(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), -EINVAL);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), -EINVAL);
    CHECK_EQ(futex(&word, FUTEX_REQUEUE, (uint32_t)-1, NULL, &word2, 0), -EINVAL);
    CHECK_EQ(futex(&word, 99, 0, NULL, NULL, 0), -ENOSYS);
    CHECK_EQ(raw2(SYS_set_robust_list, 0, 23), -EINVAL);
}

/* ---- Between processes -------------------------------------------------- */

static void *shared_page(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

/* The child maps the word at another address. */
TEST(futex_in_a_shared_mapping_reaches_other_processes, "")
{
    volatile uint32_t *here = shared_page();
    int status, child = fork();
    if (child == 0)
        _exit(futex(here + 3, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
    CHECK_EQ(futex(here + 3, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0), 0);
    UNTIL_FOUND(1, futex(here + 3, FUTEX_WAKE, 1, NULL, NULL, 0));
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
}

/* ---- Robust lists ------------------------------------------------------- */

static void robust_init(pthread_mutex_t *mutex, int pshared)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    CHECK_EQ(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
    CHECK_EQ(pthread_mutexattr_setpshared(&attributes, pshared), 0);
    CHECK_EQ(pthread_mutex_init(mutex, &attributes), 0);
}

static void *lock_and_end(void *mutex)
{
    CHECK_EQ(pthread_mutex_lock(mutex), 0);
    return NULL;
}

TEST(a_dead_threads_robust_mutex_is_reported, "")
{
    pthread_mutex_t mutex;
    pthread_t thread;
    robust_init(&mutex, PTHREAD_PROCESS_PRIVATE);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(pthread_create(&thread, NULL, lock_and_end, &mutex), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
        CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
        CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    }
}

/* The owner is killed while another process waits. */
TEST(a_killed_processs_robust_mutex_wakes_a_waiter, "")
{
    struct {
        pthread_mutex_t mutex;
        volatile int locked, waiting;
    } *shared = shared_page();
    int status;
    robust_init(&shared->mutex, PTHREAD_PROCESS_SHARED);
    int owner = fork();
    if (owner == 0) {
        pthread_mutex_lock(&shared->mutex);
        shared->locked = 1;
        for (;;)
            raw3(SYS_poll, 0, 0, -1);
    }
    while (!shared->locked)
        raw0(SYS_sched_yield);
    int waiter = fork();
    if (waiter == 0) {
        shared->waiting = 1;
        _exit(pthread_mutex_lock(&shared->mutex) == EOWNERDEAD ? 0 : 1);
    }
    struct timespec pause = { 0, 20000000 };
    while (!shared->waiting)
        raw0(SYS_sched_yield);
    nanosleep(&pause, NULL);
    kill(owner, SIGKILL);
    CHECK_EQ(waitpid(waiter, &status, 0), waiter);
    CHECK_EQ(status, 0);
    waitpid(owner, &status, 0);
}

static struct {
    struct robust_list_head head;
    uint64_t entry;
    uint32_t futex;
} list;

/* A list without end, a list that leads to unmapped memory, and a word that another thread owns:
 * none may hurt the kernel, and the word may not change. */
static void end_with_a_bad_list(void *kind)
{
    list.futex = (uint32_t)(kind ? 1 : raw0(SYS_gettid));
    list.head = (struct robust_list_head){ (uint64_t)&list.entry,
                                           (long)&list.futex - (long)&list.entry, kind ? 8 : 0 };
    list.entry = (uint64_t)kind == 1   ? 16
                 : (uint64_t)kind == 2 ? (uint64_t)&list.entry
                                       : (uint64_t)&list.head;
    raw2(SYS_set_robust_list, (long)&list.head, sizeof(list.head));
}

TEST(a_broken_robust_list_hurts_nobody, "")
{
    static struct raw_thread thread;
    for (long kind = 0; kind < 3; kind++) {
        thread_start(&thread, end_with_a_bad_list, (void *)kind);
        thread_join(&thread);
        CHECK_EQ(list.futex, kind ? 1 : FUTEX_OWNER_DIED);
    }
}

/* ---- Owners that end between two steps ---------------------------------- */

#define TID_OF_NOBODY 0x3ffffff0u

/* A robust list with only a pending entry, for the word of a shared page. */
static struct {
    struct robust_list_head head;
    uint64_t entry;
} pending;

static void pending_set(volatile uint32_t *lock)
{
    pending.head = (struct robust_list_head){
        .next = (uint64_t)&pending.head,
        .futex_offset = (int64_t)((uint64_t)lock - (uint64_t)&pending.entry),
        .list_op_pending = (uint64_t)&pending.entry,
    };
    CHECK_EQ(raw2(SYS_set_robust_list, (long)&pending.head, sizeof(pending.head)), 0);
}

/* Start a process that waits on lock for at most 5 s. Its status is 0 when it was woken. The
 * process is known to wait before this returns: it waits on the next word first, and is moved. */
static int waiter_of(volatile uint32_t *lock)
{
    int child = fork();
    if (child == 0) {
        struct timespec limit = { 5, 0 };
        _exit(futex(lock + 1, FUTEX_WAIT, 0, &limit, NULL, 0) == 0 ? 0 : 1);
    }
    UNTIL_FOUND(1, futex(lock + 1, FUTEX_REQUEUE, 0, (void *)1, lock, 0));
    return child;
}

static volatile uint32_t *lock_word;
static void end_before_the_wake(void)
{
    pending_set(lock_word);
    *lock_word = 0;
}

TEST(an_owner_that_ends_between_unlock_and_wake_wakes_a_waiter, "robust_no_wake")
{
    int status;
    lock_word = shared_page();
    int waiter = waiter_of(lock_word);
    *lock_word = TID_OF_NOBODY | FUTEX_WAITERS;
    CHECK_EQ(in_child(end_before_the_wake, NULL), 0);
    waitpid(waiter, &status, 0);
    CHECK_EQ(status, 0);
}

static void exec_as_owner(void)
{
    static char *const argv[] = { "/bin/victim", NULL };
    *lock_word = (uint32_t)raw0(SYS_gettid) | FUTEX_WAITERS;
    pending_set(lock_word);
    freopen("/dev/null", "w", stdout);
    execv(argv[0], argv);
}

TEST(exec_marks_the_futexes_it_leaves_behind, "")
{
    int status;
    lock_word = shared_page();
    int waiter = waiter_of(lock_word);
    in_child(exec_as_owner, NULL);
    CHECK_EQ(*lock_word, FUTEX_WAITERS | FUTEX_OWNER_DIED);
    waitpid(waiter, &status, 0);
    CHECK_EQ(status, 0);
}

/* ---- Compare and requeue ------------------------------------------------ */

/* Wait only while the word is odd. */
static void wait_while_odd(void *unused)
{
    (void)unused;
    for (;;) {
        uint32_t odd = __atomic_add_fetch(&word, 1, __ATOMIC_SEQ_CST);
        (void)futex(&word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, odd, NULL, NULL, 0);
        __atomic_add_fetch(&word, 1, __ATOMIC_SEQ_CST);
    }
}

/* The waiter sleeps only while the word is odd, so a requeue that expects an even word finds
 * none. */
TEST_RACE(cmp_requeue_compares_and_moves_in_one_step, "")
{
    static struct raw_thread thread;
    long end = now_ms() + 3000;
    thread_start(&thread, wait_while_odd, NULL);
    while (now_ms() < end) {
        for (int i = 0; i < 1000; i++) {
            uint32_t even = __atomic_load_n(&word, __ATOMIC_SEQ_CST) & ~1u;
            long moved = futex(&word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 0, (void *)1, &word2,
                               even);
            CHECK(moved == 0 || moved == -EAGAIN);
            (void)futex(&word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
        }
    }
    _exit(0);
}

TEST(only_an_absolute_wait_may_name_the_wall_clock, "")
{
    struct timespec soon = { 0, 1000 };
    int wall = FUTEX_CLOCK_REALTIME;
    CHECK_EQ(futex(&word, FUTEX_WAIT | wall, word, &soon, NULL, 0), -ENOSYS);
    CHECK_EQ(futex(&word, FUTEX_WAKE | wall, 1, NULL, NULL, 0), -ENOSYS);
    CHECK_EQ(futex(&word, FUTEX_WAIT_BITSET | wall, word, &soon, NULL, ~0u), -ETIMEDOUT);
}
