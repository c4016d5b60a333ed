/* SPDX-License-Identifier: MIT */
/*
 * Process 1 of a boot with several CPUs: measures how much more the kernel does per second on
 * several CPUs than on one. Each worker is pinned to a CPU of its own and does a fixed number of
 * rounds. The clock is read when all workers may start and when the last one is done. Over one
 * worker's forks the interrupts between CPUs are counted, and in the test kernel the locks taken.
 * Then other threads of the process run on CPUs of their own: a fork may interrupt each of them
 * once, and owning a table as well.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ptes.h"
#include "raw.h"
#include "test.h"

#define WORKERS_MAX 64
#define PAGES       512

static void do_calls(int rounds)
{
    for (int i = 0; i < rounds; i++)
        raw0(SYS_getppid);
}

/* Demand-zero faults in the worker's own memory. */
static void do_faults(int rounds)
{
    for (int i = 0; i < rounds; i += PAGES) {
        volatile char *at = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
            _exit(1);
        for (int page = 0; page < PAGES; page++)
            at[page * 4096] = 1;
        munmap((void *)at, PAGES * 4096);
    }
}

static void do_forks(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        int child = fork();
        if (child == 0)
            _exit(0);
        if (child < 0 || waitpid(child, NULL, 0) != child)
            _exit(1);
    }
}

static const struct load {
    const char *name;
    void (*run)(int rounds);
    int rounds;
} loads[] = {
    { "system calls", do_calls, 400000 },
    { "demand-zero faults", do_faults, 40 * PAGES },
    { "fork+exit+wait", do_forks, 1000 },
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void worker(const struct load *load, int cpu, int go, int done)
{
    char byte;
    pin(cpu);
    (void)!write(done, "r", 1);
    (void)!read(go, &byte, 1);
    load->run(load->rounds);
    _exit(0);
}

/* The rounds per second of all workers together; 0 when one of them failed. */
static double throughput(const struct load *load, int workers)
{
    int go[2], done[2], failed = 0, status;
    char bytes[WORKERS_MAX] = { 0 };
    if (pipe(go) || pipe(done))
        return 0;
    fflush(stdout);
    for (int i = 0; i < workers; i++) {
        if (fork() == 0)
            worker(load, i, go[0], done[1]);
    }
    for (int i = 0; i < workers; i++)
        (void)!read(done[0], bytes, 1); /* every worker is ready */
    double start = seconds();
    (void)!write(go[1], bytes, (size_t)workers);
    for (int i = 0; i < workers; i++) {
        wait(&status);
        failed |= status;
    }
    double spent = seconds() - start;
    for (int i = 0; i < 2; i++) {
        close(go[i]);
        close(done[i]);
    }
    return failed ? 0 : workers * load->rounds / spent;
}

static unsigned long counter(const char *name)
{
    const char *line = strstr(file_text("/proc/counters"), name);
    return line ? strtoul(line + strlen(name), NULL, 10) : 0;
}

/* ---- Interrupts between CPUs -------------------------------------------- */

#define THREADS    2
#define ROUNDS     50
#define OWN_MEMORY ((void *)0x100000000000)

static int spinning, stop; /* atomic */

static void *spin(void *cpu)
{
    pin((int)(long)cpu);
    __atomic_add_fetch(&spinning, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {}
    return NULL;
}

/* Where /proc/counters is read to: a page that no fork shares. */
static struct {
    char at_first[64], forked[64], before[64], after[64];
} * texts;

RAW void counters_read(char *to)
{
    long fd = raw3(SYS_open, (long)"/proc/counters", O_RDONLY, 0);
    raw_read((int)fd, to, 63);
    raw1(SYS_close, fd);
}

/* The child waits, and ends without a store: whatever the parent owns, others share. System calls
 * without CALL or RET, and texts read later: nothing but memory is stored to meanwhile. */
RAW long fork_and_own(volatile char *memory, int go)
{
    counters_read(texts->at_first);
    long child = raw0(SYS_fork);
    if (child == 0) {
        raw_read(go, (char *)&texts[1], 1);
        raw_exit(0);
    }
    counters_read(texts->forked);
    counters_read(texts->before); /* the path to texts is owned now */
    memory[0] = 1;
    counters_read(texts->after);
    return child;
}

static unsigned long ipis_in(const char *text) { return strtoul(text + strlen("ipis "), NULL, 10); }

static void smaller(unsigned long *least, unsigned long value)
{
    *least = value < *least ? value : *least;
}

/* The least of some rounds: the scheduler sends interrupts as well. */
static void count_interrupts(void)
{
    pthread_t threads[THREADS];
    int go[2];
    unsigned long by_fork = ~0ul, by_owning = ~0ul;
    texts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    volatile char *memory = mmap(OWN_MEMORY, 4096, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (memory == MAP_FAILED || texts == MAP_FAILED || pipe(go))
        exit(1);
    pin(0);
    memory[0] = 0;
    for (long i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, spin, (void *)(i + 1)))
            exit(1);
    }
    while (__atomic_load_n(&spinning, __ATOMIC_SEQ_CST) < THREADS) {}
    for (int i = 0; i < ROUNDS; i++) {
        long child = fork_and_own(memory, go[0]);
        smaller(&by_fork, ipis_in(texts->forked) - ipis_in(texts->at_first));
        smaller(&by_owning, ipis_in(texts->after) - ipis_in(texts->before));
        (void)!write(go[1], "x", 1);
        waitpid((pid_t)child, NULL, 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("counted: ipis by a fork, threads on %d other CPUs %lu\n", THREADS, by_fork);
    printf("counted: ipis as 3 tables and a page are owned %lu\n", by_owning);
}

int main(int argc, char *argv[])
{
    int cpus_max = argc > 1 ? atoi(argv[1]) : 1;
    if (cpus_max < 1 || cpus_max > WORKERS_MAX)
        return 2;
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        for (int cpus = 1; cpus <= cpus_max; cpus *= 2) {
            double rate = throughput(&loads[i], cpus);
            if (rate == 0)
                return 1;
            printf("parallel: %s on %d CPUs %.0f per second\n", loads[i].name, cpus, rate);
            fflush(stdout);
        }
    }
    unsigned long ipis = counter("ipis "), locks = counter("locks ");
    do_forks(1000);
    printf("counted: ipis per fork %.2f\n", (double)(counter("ipis ") - ipis) / 1000);
    if (locks)
        printf("counted: locks per fork %.1f\n", (double)(counter("locks ") - locks) / 1000);
    if (cpus_max > THREADS)
        count_interrupts();
    return 0;
}
