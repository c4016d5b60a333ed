/* SPDX-License-Identifier: MIT */
/*
 * Process 1 of a boot with several CPUs: measures how much more the kernel does per second on
 * several CPUs than on one. Each worker is pinned to a CPU of its own and does a fixed number of
 * rounds. The clock is read when all workers may start and when the last one is done. Over one
 * worker's forks the interrupts between CPUs are counted, and in the test kernel the locks taken.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ptes.h"
#include "raw.h"

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
    cpu_set_t set;
    char byte;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set))
        _exit(1);
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
    return 0;
}
