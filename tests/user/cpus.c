/* SPDX-License-Identifier: MIT */
/* Proves: threads run on the CPUs they ask for, and a change of mappings is finished only when
 * every CPU sees it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include "test.h"

#define RW      (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

/* Messages between the test and its other thread. The page is shared, so fork never changes how it
 * is mapped. */
static struct {
    volatile long wanted, done, stop, seen, rounds;
} * talk;
static volatile long *page;
static pthread_t other;

static void begin(void *(*body)(void *))
{
    talk = mmap(NULL, 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    page = mmap(NULL, 4096, RW, PRIVATE, -1, 0);
    CHECK(talk != MAP_FAILED && page != MAP_FAILED);
    *page = 1;
    pin(0);
    CHECK_EQ(pthread_create(&other, NULL, body, NULL), 0);
    while (!talk->rounds)
        raw0(SYS_sched_yield);
}

static void end(void)
{
    talk->stop = 1;
    CHECK_EQ(pthread_join(other, NULL), 0);
}

static void until(volatile long *number, long value)
{
    while (*number != value)
        raw0(SYS_sched_yield);
}

/* ---- Where a thread runs ------------------------------------------------ */

static int cpu_here(void)
{
    unsigned cpu = 99, node = 99;
    CHECK_EQ(raw3(SYS_getcpu, (long)&cpu, (long)&node, 0), 0);
    CHECK_EQ(node, 0);
    return (int)cpu;
}

TEST(affinity_is_kept_reported_and_checked, "")
{
    int cpus = cpu_count();
    uint64_t set[16] = { 0 };
    for (int cpu = 0; cpu < cpus; cpu++) {
        pin(cpu);
        CHECK_EQ(raw3(SYS_sched_getaffinity, 0, sizeof(set), (long)set), 8);
        CHECK_EQ(set[0], 1ul << cpu);
        CHECK_EQ(cpu_here(), cpu);
        raw0(SYS_sched_yield);
        CHECK_EQ(cpu_here(), cpu);
    }
    set[0] = cpus < 64 ? 1ul << cpus : 0;
    CHECK_EQ(raw3(SYS_sched_setaffinity, 0, 8, (long)set), -EINVAL);
    CHECK_EQ(raw3(SYS_sched_setaffinity, 0, 8, 8), -EFAULT);
    CHECK_EQ(raw3(SYS_sched_setaffinity, 999999, 8, (long)set), -ESRCH);
    set[0] = 1;
    CHECK_EQ(raw3(SYS_sched_setaffinity, 999999, 8, (long)set), -ESRCH);
    CHECK_EQ(raw3(SYS_sched_getaffinity, 0, 4, (long)set), -EINVAL);
}

static void *stay(void *cpu)
{
    pin((int)(long)cpu);
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(cpu_here(), (long)cpu);
        raw0(SYS_sched_yield);
    }
    return NULL;
}

TEST(threads_run_where_they_are_told, "")
{
    pthread_t threads[16];
    int cpus = cpu_count();
    for (long i = 0; i < 16; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, stay, (void *)(i % cpus)), 0);
    for (int i = 0; i < 16; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void may_run_on(long tid, uint64_t cpus)
{
    CHECK_EQ(raw3(SYS_sched_setaffinity, tid, sizeof(cpus), (long)&cpus), 0);
}

/* Report this thread's number once, and the CPU that it is on all the time. */
static void *report_cpu(void *unused)
{
    talk->done = raw0(SYS_gettid);
    for (talk->rounds = 1; !talk->stop; talk->rounds++)
        talk->seen = cpu_here();
    return unused;
}

/* Wait, without a system call, until the other thread is on CPU 0, or is not. */
static void until_on_first(int wanted)
{
    uint64_t give_up = rdtsc() + 20000000000ul;
    while ((talk->seen == 0) != wanted)
        CHECK(rdtsc() < give_up);
}

/* This thread keeps CPU 0 busy. A call of its own moves the other thread there, although that one
 * runs elsewhere; once the other may run anywhere, an idle CPU takes it away. */
TEST_CPUS(two_busy_threads_run_at_the_same_time, "")
{
    begin(report_cpu);
    for (int i = 0; i < 20; i++) {
        may_run_on(talk->done, 1);
        until_on_first(1);
        may_run_on(talk->done, ~0ul);
        until_on_first(0);
    }
    end();
}

/* ---- What other CPUs see of a change ------------------------------------ */

/* Read the page all the time. When talk->wanted changes, report the value in talk->seen and answer
 * with the same number in talk->done. */
static void *look(void *unused)
{
    long value = 0;
    pin(1);
    while (!talk->stop) {
        long wanted = talk->wanted;
        value += *page;
        if (wanted != talk->done) {
            talk->seen = *page;
            talk->done = wanted;
        }
        talk->rounds++;
    }
    return (void *)(value & (long)unused);
}

static long ask(long question)
{
    long rounds = talk->rounds;
    talk->wanted = question;
    until(&talk->done, question);
    while (talk->rounds < rounds + 2)
        raw0(SYS_sched_yield);
    return talk->seen;
}

TEST_CPUS(a_replaced_page_is_seen_by_other_cpus, "no_shootdown")
{
    begin(look);
    for (int i = 1; i <= 200; i++) {
        *page = i;
        CHECK_EQ(ask(2 * i), i);
        CHECK(mmap((void *)page, 4096, RW, PRIVATE | MAP_FIXED, -1, 0) == page);
        CHECK_EQ(ask(2 * i + 1), 0);
    }
    end();
}

/* A store to a page that a child shares copies the page. A CPU that keeps the old translation would
 * still read the child's page. */
TEST_CPUS(a_copied_page_is_seen_by_other_cpus, "no_shootdown")
{
    begin(look);
    for (int i = 1; i <= 60; i++) {
        CHECK_EQ(ask(2 * i), *page);
        int child = fork();
        if (child == 0)
            for (;;)
                raw3(SYS_poll, 0, 0, -1);
        CHECK_EQ(ask(2 * i + 1), *page); /* the other CPU now has the shared page in its TLB */
        *page = 1000 + i;
        CHECK_EQ(ask(1000 + i), 1000 + i);
        kill(child, SIGKILL);
        CHECK_EQ(waitpid(child, NULL, 0), child);
    }
    end();
}

static void *store(void *unused)
{
    pin(1);
    for (long i = 1; !talk->stop; i++) {
        *page = i;
        talk->rounds = i;
    }
    return unused;
}

static void store_elsewhere_and_take_the_right_away(int munmap_instead)
{
    begin(store);
    if (munmap_instead ? munmap((void *)page, 4096) : mprotect((void *)page, 4096, PROT_READ))
        raw_exit(3);
    struct timespec pause = { 0, 200000000 };
    nanosleep(&pause, NULL); /* the other thread's SIGSEGV comes now */
}

static void mprotect_here(void) { store_elsewhere_and_take_the_right_away(0); }
static void munmap_here(void) { store_elsewhere_and_take_the_right_away(1); }

TEST_CPUS(a_store_on_another_cpu_faults_after_mprotect, "no_shootdown")
{
    for (int i = 0; i < 10; i++)
        check_killed(mprotect_here, SIGSEGV, SEGV_ACCERR, 7);
}

TEST_CPUS(a_store_on_another_cpu_faults_after_munmap, "")
{
    for (int i = 0; i < 10; i++)
        check_killed(munmap_here, SIGSEGV, SEGV_MAPERR, 6);
}

/* ---- Fork beside a running store ---------------------------------------- */

/* Count in the page, and check that no store is ever lost. */
static void *count_in_the_page(void *unused)
{
    pin(1);
    for (long i = 1; !talk->stop; i++) {
        *page = i;
        __asm__ volatile("" : : : "memory");
        if (*page != i)
            raw_exit(98);
        talk->rounds = i;
    }
    return unused;
}

TEST_CPUS(fork_beside_stores_loses_none_and_leaks_none, "no_shootdown")
{
    begin(count_in_the_page);
    for (int i = 0; i < 60; i++) {
        int status, child = fork();
        if (child == 0) {
            long first = *page, rounds = talk->rounds;
            while (talk->rounds < rounds + 1000)
                raw0(SYS_sched_yield);
            raw_exit(*page == first ? 0 : 1);
        }
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
    }
    end();
}

/* ---- What the CPU itself writes into an entry --------------------------- */

#define WIDE 256

static volatile char *wide;

static void *store_everywhere(void *unused)
{
    pin(1);
    while (!talk->stop) {
        long wanted = talk->wanted;
        for (int i = 0; wanted != talk->done && i < WIDE; i++) {
            wide[i * 4096] = 1;
            for (volatile int pause = 0; pause < i % 16 * 50; pause++) {}
        }
        talk->done = wanted;
        talk->rounds++;
    }
    return unused;
}

/* How many pages of wide[] have D=1. */
static int dirty_count(void)
{
    char line[160];
    int count = 0, d;
    uint64_t va;
    penumbra_only();
    FILE *file = fopen("/proc/self/ptes", "r");
    while (file && fgets(line, sizeof(line), file))
        count += sscanf(line, "%lx %*s %*s %*d %d", &va, &d) == 2
                 && va - (uint64_t)wide < WIDE * 4096 && d;
    fclose(file);
    return count;
}

/* The other CPU sets D in entries that this CPU is changing: each store must leave D set. */
TEST_RACE(a_store_beside_a_change_of_its_entry_stays_dirty, "plain_store")
{
    wide = mmap(NULL, WIDE * 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(wide != MAP_FAILED);
    begin(store_everywhere);
    for (long round = 1; round <= 60; round++) {
        CHECK_EQ(madvise((void *)wide, WIDE * 4096, MADV_DONTNEED), 0);
        for (int i = 0; i < WIDE; i++)
            (void)wide[i * 4096]; /* now each entry has W=1 D=0 */
        talk->wanted = round;
        while (talk->done != round) /* no right is taken away, so no CPU is asked to flush */
            CHECK_EQ(mprotect((void *)wide, WIDE * 4096, RW), 0);
        CHECK_EQ(dirty_count(), WIDE);
    }
    end();
}

/* ---- NMIs, which cannot be masked --------------------------------------- */

/* Make system calls and page faults by turns, and check each time that the kernel has kept R12 and
 * the FS base. */
static void *enter_and_leave(void *unused)
{
    (void)unused;
    pin(1);
    long fs = 0, now = 0;
    CHECK_EQ(raw_arch_prctl(0x1003, (long)&fs), 0);
    for (talk->rounds = 1; !talk->stop; talk->rounds++) {
        uint64_t kept = (uint64_t)talk->rounds * 0x123456789;
        register uint64_t r12 __asm__("r12") = kept;
        for (int i = 0; i < 20; i++) {
            long number = SYS_getppid;
            __asm__ volatile("syscall" : "+a"(number), "+r"(r12) : : "rcx", "r11", "memory");
        }
        CHECK(r12 == kept);
        volatile char *fresh = mmap(NULL, 4096, RW, PRIVATE, -1, 0);
        fresh[5] = 1;
        CHECK(munmap((void *)fresh, 4096) == 0);
        CHECK_EQ(raw_arch_prctl(0x1003, (long)&now), 0);
        CHECK_EQ(now, fs);
    }
    return NULL;
}

/* Some NMIs hit between SYSCALL and SWAPGS, where the saved CS is the kernel's and GS is still the
 * program's. The twin has a boot of its own (tests/boot/machines.py). */
TEST_CPUS(nmis_strike_anywhere, "")
{
    begin(enter_and_leave);
    penumbra_only();
    int fd = open("/proc/nmi", O_WRONLY);
    CHECK(fd >= 0);
    for (int i = 0; i < 20; i++) {
        long before = talk->rounds;
        CHECK_EQ(write(fd, "50", 2), 2);
        while (talk->rounds == before)
            raw0(SYS_sched_yield);
    }
    end();
}
