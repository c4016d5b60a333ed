/* SPDX-License-Identifier: MIT */
/* Proves: every thread has a shadow stack of its own, with guard pages; the stack goes when the
 * thread ends. A vfork child has none of its own. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "test.h"
#include "thread.h"

#define THREADS 4

static struct raw_thread threads[THREADS];
static volatile uint64_t ssp_of[THREADS];
static volatile int go_on;

/* Write down SSP, and stay until told to leave. */
static void show_ssp(void *number)
{
    ssp_of[(long)number] = rdssp();
    while (!go_on)
        raw0(SYS_sched_yield);
}

static void threads_start(void)
{
    for (long i = 0; i < THREADS; i++)
        thread_start(&threads[i], show_ssp, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        while (!ssp_of[i])
            raw0(SYS_sched_yield);
    }
}

static void threads_end(void)
{
    go_on = 1;
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
}

static long stack_limit(void)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_STACK, &limit), 0);
    return (long)limit.rlim_cur;
}

TEST_SHSTK(every_thread_has_its_own_shadow_stack, "")
{
    struct mapping mine, theirs;
    CHECK(mapping_of(getpid(), rdssp(), &mine));
    threads_start();
    for (int i = 0; i < THREADS; i++) {
        CHECK(mapping_of(getpid(), ssp_of[i], &theirs));
        CHECK_EQ(strcmp(theirs.name, "[shadow stack]"), 0);
        CHECK_EQ(theirs.end - theirs.start, stack_limit());
        CHECK(theirs.start != mine.start && theirs.end - ssp_of[i] < 256);
        CHECK_EQ(pte_of(getpid(), ssp_of[i]).state, 'c');
        for (int j = 0; j < i; j++)
            CHECK(ssp_of[j] < theirs.start || ssp_of[j] >= theirs.end);
    }
    threads_end();
}

TEST_SHSTK(a_threads_shadow_stack_has_guard_pages, "no_guard")
{
    struct mapping theirs;
    threads_start();
    for (int i = 0; i < THREADS; i++) {
        CHECK(mapping_of(getpid(), ssp_of[i], &theirs));
        CHECK_EQ(theirs.end - theirs.start, stack_limit());
        CHECK(theirs.free_below >= 4096 && theirs.free_above >= 4096);
        CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
              != (void *)theirs.end);
    }
    threads_end();
}

TEST_SHSTK(a_joined_threads_shadow_stack_is_gone, "")
{
    struct mapping theirs;
    threads_start();
    threads_end();
    for (int i = 0; i < THREADS; i++)
        CHECK(!mapping_of(getpid(), ssp_of[i], &theirs));
}

TEST_SHSTK(clone3_sizes_the_shadow_stack_like_the_stack, "")
{
    struct mapping theirs;
    struct clone_args args = { .flags = CLONE_THREAD_FLAGS,
                               .stack = (uint64_t)threads[0].stack,
                               .stack_size = sizeof(threads[0].stack),
                               .parent_tid = (uint64_t)&threads[0].tid,
                               .child_tid = (uint64_t)&threads[0].tid };
    CHECK(thread_call(SYS_clone3, (long)&args, sizeof(args), 0, 0, 0, show_ssp, NULL) > 0);
    while (!ssp_of[0])
        raw0(SYS_sched_yield);
    CHECK(mapping_of(getpid(), ssp_of[0], &theirs));
    CHECK_EQ(theirs.end - theirs.start, sizeof(threads[0].stack));
    go_on = 1;
    thread_join(&threads[0]);
}

/* A process that shares its parent's memory without CLONE_VFORK gets a shadow stack like a
 * thread. */
TEST_SHSTK(a_clone_vm_process_gets_and_gives_back_a_shadow_stack, "")
{
    struct mapping theirs;
    int status;
    long pid = thread_call(SYS_clone, CLONE_VM | SIGCHLD,
                           (long)(threads[0].stack + sizeof(threads[0].stack)), 0, 0, 0, show_ssp,
                           NULL);
    CHECK(pid > 0);
    while (!ssp_of[0])
        raw0(SYS_sched_yield);
    CHECK(mapping_of(getpid(), ssp_of[0], &theirs));
    CHECK(rdssp() < theirs.start || rdssp() >= theirs.end);
    go_on = 1;
    CHECK_EQ(waitpid((int)pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK(!mapping_of(getpid(), ssp_of[0], &theirs));
}

__attribute__((noinline)) static int deep(int levels)
{
    int below = levels ? deep(levels - 1) : 0;
    __asm__ volatile("" : : : "memory");
    return below + 1;
}

static void *go_deep(void *unused)
{
    (void)unused;
    return (void *)(long)deep(2000);
}

TEST(ended_threads_give_back_their_frames, "")
{
    pthread_t ids[THREADS];
    void *reached;
    long before = 0;
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < THREADS; i++)
            CHECK_EQ(pthread_create(&ids[i], NULL, go_deep, NULL), 0);
        for (int i = 0; i < THREADS; i++) {
            CHECK_EQ(pthread_join(ids[i], &reached), 0);
            CHECK_EQ((long)reached, 2001);
        }
        if (round == 3)
            before = frames_in_use();
    }
    CHECK(frames_in_use() <= before);
}

/* ---- vfork -------------------------------------------------------------- */

TEST_SHSTK(a_vfork_child_may_switch_off_only_its_own, "")
{
    uint64_t ssp = rdssp();
    struct mapping mine;
    long child = raw0(SYS_vfork);
    if (child == 0) {
        if (rdssp() != ssp || raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK) || rdssp())
            raw_exit(1);
        raw_exit(0);
    }
    int status;
    CHECK(child > 0);
    CHECK_EQ(rdssp(), ssp);
    CHECK_EQ(waitpid((int)child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK(mapping_of(getpid(), ssp, &mine));
    CHECK_EQ(deep(100), 101);
}

/* ---- Unmapped while in use ---------------------------------------------- */

static volatile long rounds;

static void recurse_for_ever(void *unused)
{
    (void)unused;
    ssp_of[0] = rdssp();
    for (;;) {
        if (deep(40) != 41)
            raw_exit(99);
        rounds++;
    }
}

static void unmap_anothers_shadow_stack(void)
{
    struct mapping theirs;
    thread_start(&threads[0], recurse_for_ever, NULL);
    while (rounds < 3)
        raw0(SYS_sched_yield);
    CHECK(mapping_of(getpid(), ssp_of[0], &theirs));
    raw2(SYS_munmap, (long)theirs.start, (long)(theirs.end - theirs.start));
    for (;;)
        raw3(SYS_poll, 0, 0, -1);
}

/* The next CALL or RET on that shadow stack finds nothing mapped, and SIGSEGV ends the process. The
 * test's own process goes on. */
TEST_SHSTK(unmapping_a_shadow_stack_in_use_ends_that_process_alone, "")
{
    for (int i = 0; i < 5; i++)
        check_killed(unmap_anothers_shadow_stack, SIGSEGV, 1 /* SEGV_MAPERR */, -1);
    CHECK_EQ(deep(100), 101);
}

/* ---- Fork beside running threads ---------------------------------------- */

static void *recurse_until_told(void *number)
{
    pin((int)(long)number % cpu_count());
    while (!go_on) {
        if (deep(200) != 201)
            raw_exit(99);
        rounds++;
    }
    return NULL;
}

/* Each fork shares the shadow stacks of all threads, which run on other CPUs meanwhile. */
TEST_SHSTK_CPUS(fork_beside_threads_that_call_and_return, "skip_copy")
{
    pthread_t ids[THREADS];
    for (long i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&ids[i], NULL, recurse_until_told, (void *)i), 0);
    for (int i = 0; i < 40; i++) {
        long before = rounds;
        int status, child = fork();
        if (child == 0)
            raw_exit(deep(50) == 51 ? 0 : 1);
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
        while (rounds == before)
            raw0(SYS_sched_yield);
    }
    go_on = 1;
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(ids[i], NULL), 0);
}
