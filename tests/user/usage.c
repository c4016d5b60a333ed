/* SPDX-License-Identifier: MIT */
/* Proves: the kernel reports what a process has used and may use, and refuses what it does not
 * support. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#include "test.h"

static double at(clockid_t clock)
{
    struct timespec time;
    CHECK_EQ(clock_gettime(clock, &time), 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Use CPU time until two ticks of it have been counted. */
static void use_a_tick(void)
{
    struct tms before, now;
    times(&before);
    do
        times(&now);
    while (now.tms_utime + now.tms_stime < before.tms_utime + before.tms_stime + 2);
}

TEST(the_time_of_a_child_counts_once_it_is_waited_for, "")
{
    struct tms before, after;
    struct rusage usage, children;
    int status, child = fork();
    if (child == 0) {
        use_a_tick();
        _exit(0);
    }
    times(&before);
    CHECK_EQ(wait4(child, &status, 0, &usage), child);
    times(&after);
    CHECK(after.tms_cutime + after.tms_cstime >= before.tms_cutime + before.tms_cstime + 2);
    CHECK(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 20000);
    CHECK_EQ(getrusage(RUSAGE_CHILDREN, &children), 0);
    CHECK(children.ru_utime.tv_usec + children.ru_stime.tv_usec >= 20000);
}

TEST(time_in_the_kernel_is_system_time, "")
{
    static unsigned char bytes[1 << 20];
    struct tms now;
    do {
        syscall(SYS_getrandom, bytes, sizeof(bytes), 0);
        times(&now);
    } while (now.tms_stime == 0);
    CHECK(now.tms_stime > 0);
}

TEST(cpu_clocks_stand_still_in_sleep, "")
{
    struct timespec pause = { 0, 300000000 };
    double process = at(CLOCK_PROCESS_CPUTIME_ID), thread = at(CLOCK_THREAD_CPUTIME_ID);
    nanosleep(&pause, NULL);
    CHECK(at(CLOCK_PROCESS_CPUTIME_ID) - process < 0.15);
    CHECK(at(CLOCK_THREAD_CPUTIME_ID) - thread < 0.15);
}

/* Less than a tick. */
TEST(cpu_clocks_count_every_moment_of_work, "")
{
    double last = at(CLOCK_PROCESS_CPUTIME_ID), now, thread = at(CLOCK_THREAD_CPUTIME_ID);
    for (int steps = 0; steps < 100; last = now) {
        now = at(CLOCK_PROCESS_CPUTIME_ID);
        CHECK(now >= last);
        CHECK(now >= at(CLOCK_THREAD_CPUTIME_ID) - 0.1);
        steps += now > last;
        CHECK(at(CLOCK_THREAD_CPUTIME_ID) < thread + 0.5);
    }
    CHECK(at(CLOCK_THREAD_CPUTIME_ID) > thread);
}

static void *spin_a_while(void *unused)
{
    while (at(CLOCK_THREAD_CPUTIME_ID) < 0.05) {}
    return unused;
}

TEST(a_process_has_used_what_its_ended_threads_used, "")
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, spin_a_while, NULL), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK(at(CLOCK_PROCESS_CPUTIME_ID) >= 0.15);
    CHECK(at(CLOCK_PROCESS_CPUTIME_ID) >= at(CLOCK_THREAD_CPUTIME_ID) + 0.15);
}

TEST(a_program_that_never_waits_is_made_to_share_the_cpu, "")
{
    struct rusage usage;
    pin(0);
    int other = fork();
    while (other == 0) {}
    do
        getrusage(RUSAGE_THREAD, &usage);
    while (usage.ru_nivcsw < 3);
    CHECK(usage.ru_nvcsw < 3);
    kill(other, SIGKILL);
    CHECK_EQ(waitpid(other, NULL, 0), other);
}

/* The state that /proc/self/stat shows: with NULL, once it is S, or after many looks. */
static void *read_state(void *once)
{
    char line[512] = "";
    long state = 0;
    for (int i = 0; i < 1000 && state != 'S'; i += once ? 1000 : 1) {
        FILE *file = fopen("/proc/self/stat", "r");
        CHECK(file && fgets(line, sizeof(line), file));
        fclose(file);
        state = strrchr(line, ')')[2];
    }
    return (void *)state;
}

/* Not the thread that reads it. */
TEST(proc_stat_shows_the_state_of_the_first_thread, "")
{
    pthread_t reader;
    void *state;
    CHECK_EQ(pthread_create(&reader, NULL, read_state, NULL), 0);
    CHECK_EQ(pthread_join(reader, &state), 0);
    CHECK_EQ((long)state, 'S');
    CHECK_EQ((long)read_state(&state), 'R');
}

TEST(getrusage_checks_whose_usage_is_asked, "")
{
    struct rusage usage;
    CHECK_EQ(getrusage(RUSAGE_THREAD, &usage), 0);
    CHECK(getrusage(-2, &usage) == -1 && errno == EINVAL);
}

static long sleep_by(int clock, int flags)
{
    struct timespec time = { 0, 1 };
    return syscall(SYS_clock_nanosleep, clock, flags, &time, NULL) == 0 ? 0 : errno;
}

TEST(clock_nanosleep_refuses_unsupported_clocks, "")
{
    CHECK_EQ(sleep_by(CLOCK_MONOTONIC, 0), 0);
    CHECK_EQ(sleep_by(CLOCK_REALTIME, TIMER_ABSTIME), 0);
    CHECK_EQ(sleep_by(CLOCK_BOOTTIME, TIMER_ABSTIME), 0);
    CHECK_EQ(sleep_by(CLOCK_MONOTONIC, 2), 0); /* flags that nobody knows are not looked at */
    CHECK_EQ(sleep_by(CLOCK_THREAD_CPUTIME_ID, 0), EINVAL);
    CHECK_EQ(sleep_by(CLOCK_PROCESS_CPUTIME_ID, 0), EOPNOTSUPP);
    CHECK_EQ(sleep_by(CLOCK_MONOTONIC_RAW, 0), EOPNOTSUPP);
    CHECK_EQ(sleep_by(99, 0), EINVAL);
}

TEST(gettimeofday_writes_a_time_zone_of_zero, "")
{
    struct timeval time;
    int zone[2] = { 7, 7 };
    CHECK_EQ(syscall(SYS_gettimeofday, &time, zone), 0);
    CHECK(zone[0] == 0 && zone[1] == 0);
    CHECK(syscall(SYS_gettimeofday, &time, -1l) == -1 && errno == EFAULT);
}

TEST(reboot_needs_both_magic_numbers, "")
{
    CHECK(syscall(SYS_reboot, 0xfee1dead, 0, 0, 0) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_reboot, 0, 0x28121969, 0, 0) == -1 && errno == EINVAL);
    penumbra_only(); /* Linux refuses all in a set of pids of its own, such as scripts/compare's */
    CHECK_EQ(syscall(SYS_reboot, 0xfee1dead, 0x28121969, 0, 0), 0);
    CHECK_EQ(syscall(SYS_reboot, 0xfee1dead, 0x20112000, 0, 0), 0);
}

TEST(sysinfo_counts_the_processes, "")
{
    struct sysinfo info;
    CHECK_EQ(sysinfo(&info), 0);
    CHECK(info.procs >= 2);
}

/* ---- Out of memory ------------------------------------------------------ */

#define CHUNK (1 << 20)

static unsigned long free_bytes(void)
{
    struct sysinfo info;
    CHECK_EQ(sysinfo(&info), 0);
    return info.freeram;
}

static char *anonymous(void)
{
    return mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Take all memory but 96 pages, report that, and hold on to it. */
static void hold_all(int tell)
{
    for (char *chunk; (chunk = anonymous()) != MAP_FAILED;) {
        for (int at = 0; at < CHUNK && free_bytes() > 96 * 4096; at += 4096)
            chunk[at] = 1;
        if (free_bytes() <= 96 * 4096)
            break;
    }
    (void)!write(tell, "x", 1);
    for (;;)
        pause();
}

TEST(the_process_with_most_memory_is_killed_first, "oom_kills_asker")
{
    int ends[2], status;
    char byte;
    penumbra_only(); /* Linux gives out more memory than it has, and looks for some for minutes */
    CHECK(pipe(ends) == 0);
    int hog = fork();
    if (hog == 0)
        hold_all(ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    for (int i = 0; i < 2; i++) { /* once by its own stores, once by the kernel's */
        char *chunk = anonymous();
        for (int at = 0; at < CHUNK; at += 4096) {
            if (i)
                CHECK_EQ(syscall(SYS_getrandom, chunk + at, 1, 0), 1);
            chunk[at] = 1;
        }
    }
    CHECK_EQ(waitpid(hog, &status, 0), hog);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
}
