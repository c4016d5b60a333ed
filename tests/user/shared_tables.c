/* SPDX-License-Identifier: MIT */
/* Proves: processes that share whole page tables see no store of each other's, whether a program
 * makes it or the kernel for it, and threads see all of their own while tables are copied. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "test.h"
#include "thread.h"

#define RW      (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define BYTES   16384
#define PATTERN 0x5a
#define ROUNDS  40

static void by_tables(void) { CHECK_EQ(file_put_text("/proc/self/fork", "tables"), 0); }

/* Memory to which nobody but the kernel stores after the fork. Nothing else lies below its entry of
 * the root, so its tables stay shared until then. */
#define PLACE ((void *)0x100000000000)
static char *place;

static void fill(void)
{
    if (!place)
        place = mmap(PLACE, BYTES, RW, PRIVATE | MAP_FIXED, -1, 0);
    CHECK(place != MAP_FAILED);
    memset(place, PATTERN, BYTES);
}

static int untouched(void)
{
    for (int i = 0; i < BYTES; i++) {
        if (place[i] != PATTERN)
            return 0;
    }
    return 1;
}

/* ---- What the kernel writes --------------------------------------------- */

static void by_read(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0 && write(ends[1], "some", 4) == 4);
    CHECK_EQ(read(ends[0], place, 4), 4);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void by_clock_gettime(void)
{
    CHECK_EQ(raw2(SYS_clock_gettime, CLOCK_MONOTONIC, (long)place), 0);
}

static void by_wait4(void)
{
    long child = fork();
    if (child == 0)
        _exit(3);
    CHECK_EQ(raw6(SYS_wait4, child, (long)place, 0, 0, 0, 0), child);
}

static void by_pipe(void)
{
    CHECK_EQ(raw1(SYS_pipe, (long)place), 0);
    CHECK(close(((int *)place)[0]) == 0 && close(((int *)place)[1]) == 0);
}

static void by_getrandom(void) { CHECK_EQ(getrandom(place, 64, 0), 64); }

static void (*const ways[])(void) = {
    by_read, by_clock_gettime, by_wait4, by_pipe, by_getrandom,
};

/* The kernel writes for one of two processes; the other one's memory stays as it was. */
static void writes_for(void (*way)(void), int of_child)
{
    int go[2], status;
    fill();
    CHECK_EQ(pipe(go), 0);
    int pid = fork();
    if (pid == 0) {
        char c;
        if (of_child)
            way();
        else if (read(go[0], &c, 1) != 1)
            _exit(2);
        _exit(untouched() == of_child);
    }
    if (!of_child)
        way();
    CHECK_EQ(write(go[1], "x", 1), 1);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(untouched(), of_child);
    CHECK(close(go[0]) == 0 && close(go[1]) == 0);
}

TEST(the_kernel_writes_into_ones_own_memory, "skip_cow_copy")
{
    by_tables();
    for (size_t i = 0; i < 2 * sizeof(ways) / sizeof(ways[0]); i++)
        writes_for(ways[i / 2], i % 2);
}

/* At its end a thread's identity word is cleared, and a lock that it held is marked. */
static struct raw_thread ending;
static struct {
    long next, offset, pending;
} robust;
static long robust_node;
static int hold[2];

static void end_when_told(void *unused)
{
    char c;
    (void)unused;
    robust.next = (long)&robust_node;
    robust_node = (long)&robust;
    robust.offset = (long)(place + 8192) - (long)&robust_node;
    raw2(SYS_set_robust_list, (long)&robust, sizeof(robust));
    raw_read(hold[0], &c, 1);
}

TEST(a_threads_end_writes_into_ones_own_memory, "gup_unowned")
{
    int go[2], status;
    volatile int *tid = (int *)place, *lock;
    by_tables();
    fill();
    tid = (int *)place;
    lock = (int *)(place + 8192);
    CHECK(pipe(hold) == 0 && pipe(go) == 0);
    long thread = thread_call(SYS_clone, CLONE_THREAD_FLAGS,
                              (long)(ending.stack + sizeof(ending.stack)), (long)tid, (long)tid, 0,
                              end_when_told, NULL);
    CHECK(thread > 0);
    *lock = (int)thread;
    while (!robust.offset)
        raw0(SYS_sched_yield);
    int pid = fork();
    if (pid == 0) {
        char c;
        CHECK_EQ(read(go[0], &c, 1), 1);
        CHECK_EQ(*tid, thread);
        CHECK_EQ(*lock, thread);
        _exit(0);
    }
    CHECK_EQ(write(hold[1], "x", 1), 1);
    while (*tid)
        raw0(SYS_sched_yield);
    CHECK_EQ(*lock, FUTEX_OWNER_DIED);
    CHECK_EQ(write(go[1], "x", 1), 1);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

/* ---- Threads beside forks ----------------------------------------------- */

/* Two words in tables of their own. */
static volatile long *first, *second;
static volatile long stop, rounds;
static volatile long *stores; /* in memory that no fork separates */

static void two_words(void)
{
    first = mmap(NULL, 8 << 20, RW, PRIVATE, -1, 0);
    CHECK(first != MAP_FAILED);
    second = first + (4 << 20) / sizeof(*first);
    *first = *second = 0;
    stores = mmap(NULL, 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(stores != MAP_FAILED);
}

static void *count_both(void *unused)
{
    pin(1);
    for (long i = 1; !stop; i++) {
        *first = i;
        __asm__ volatile("" : : : "memory");
        *second = i;
        *stores = i;
    }
    return unused;
}

/* A child has the two as they were at one instant, and keeps them while its parent stores on. */
static void check_the_pair(void)
{
    long a = *first, b = *second, before = *stores;
    while (*stores < before + 100)
        raw0(SYS_sched_yield);
    raw_exit((a == b || a == b + 1) && *first == a && *second == b ? 0 : 1);
}

TEST_CPUS(a_counter_pair_is_never_torn_in_a_child, "no_shootdown")
{
    pthread_t other;
    by_tables();
    two_words();
    pin(0);
    CHECK_EQ(pthread_create(&other, NULL, count_both, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        long before = *stores;
        while (*stores == before)
            raw0(SYS_sched_yield);
        int status, pid = fork();
        if (pid == 0)
            check_the_pair();
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
    }
    stop = 1;
    CHECK_EQ(pthread_join(other, NULL), 0);
}

#define PAGES 64
#define WORD  (4096 / sizeof(long))
static volatile long zeros, seen;

static void *read_on(void *unused)
{
    pin(1);
    while (!stop) {
        for (int i = 0; i < PAGES; i++)
            zeros += first[i * WORD] == 0;
        seen = first[0];
        rounds++;
    }
    return unused;
}

/* One thread has tables copied, and pages beside them unmapped; the other reads all the while. */
TEST_CPUS(a_reader_beside_copied_tables_misses_nothing, "no_shootdown")
{
    pthread_t other;
    by_tables();
    two_words();
    for (int i = 0; i < 2 * PAGES; i++)
        first[i * WORD] = 1;
    pin(0);
    CHECK_EQ(pthread_create(&other, NULL, read_on, NULL), 0);
    for (long i = 2; i < ROUNDS; i++) {
        int go[2], pid;
        char c;
        CHECK_EQ(pipe(go), 0);
        if ((pid = fork()) == 0)
            raw_exit(raw_read(go[0], &c, 1) != 1);
        for (long now = rounds; rounds == now;)
            raw0(SYS_sched_yield); /* the other CPU walks the shared table */
        first[0] = i;
        void *half = (void *)(first + PAGES * WORD);
        CHECK_EQ(munmap(half, PAGES * 4096), 0);
        CHECK(mmap(half, PAGES * 4096, RW, PRIVATE | MAP_FIXED, -1, 0) == half);
        for (long now = rounds; rounds < now + 2;)
            raw0(SYS_sched_yield);
        CHECK_EQ(seen, i);
        CHECK_EQ(write(go[1], "x", 1), 1);
        CHECK_EQ(waitpid(pid, NULL, 0), pid);
        CHECK(close(go[0]) == 0 && close(go[1]) == 0);
    }
    stop = 1;
    CHECK_EQ(pthread_join(other, NULL), 0);
    CHECK_EQ(zeros, 0);
}

/* ---- Killed sharers ----------------------------------------------------- */

#define CHILDREN 4

static void store_for_ever(int self)
{
    for (long i = 0;; i++) {
        first[(i * 7 + self) % (2 * PAGES) * WORD] = self;
        second[(i * 5 + self) % (2 * PAGES) * WORD] = self;
    }
}

/* Killed while they own and copy, while their parent does the same; the runner counts the frames.
 */
TEST(killed_sharers_leave_no_frame_and_no_store, "")
{
    by_tables();
    two_words();
    for (int i = 0; i < 2 * PAGES; i++)
        first[i * WORD] = second[i * WORD] = 99;
    for (int round = 0; round < 5; round++) {
        int pids[CHILDREN];
        for (int i = 0; i < CHILDREN; i++) {
            if ((pids[i] = fork()) == 0)
                store_for_ever(i);
        }
        for (int i = 0; i < CHILDREN; i++) {
            for (int j = 0; j < 2 * i; j++) {
                first[(j * 11 + i) % (2 * PAGES) * WORD] = 99;
                raw0(SYS_sched_yield);
            }
            CHECK_EQ(kill(pids[i], SIGKILL), 0);
        }
        for (int i = 0; i < CHILDREN; i++)
            CHECK_EQ(waitpid(pids[i], NULL, 0), pids[i]);
        for (int i = 0; i < 2 * PAGES; i++)
            CHECK(first[i * WORD] == 99 && second[i * WORD] == 99);
    }
}
