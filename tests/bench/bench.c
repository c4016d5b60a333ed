/* SPDX-License-Identifier: MIT */
/*
 * Process 1 of the benchmark image: measures how many instructions the kernel's main paths take. In
 * Bochs the TSC counts executed instructions; elsewhere it counts cycles, and the numbers mean
 * little. Each figure is the least of several rounds, so a round with a timer tick in it does not
 * count. A figure includes the few instructions of the measuring loop.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ptes.h"
#include "raw.h"

#define PAGES 128

static void report(const char *name, uint64_t instructions)
{
    printf("bench: %s %lu instructions\n", name, instructions);
    fflush(stdout);
}

/* Call measure(argument) so many times. Returns the least result. */
static uint64_t least(uint64_t (*measure)(long), long argument, int rounds)
{
    uint64_t best = ~0ull;
    for (int i = 0; i < rounds; i++) {
        uint64_t one = measure(argument);
        best = one < best ? one : best;
    }
    return best;
}

static void fork_shares(const char *what)
{
    if (file_put_text("/proc/self/fork", what)) {
        perror("/proc/self/fork");
        _exit(1);
    }
}

static volatile char *fresh_pages(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        perror("mmap");
        _exit(1);
    }
    return at;
}

/* ---- System calls and processes ----------------------------------------- */

static uint64_t null_call(long calls)
{
    uint64_t start = rdtsc();
    for (long i = 0; i < calls; i++) {
        long number = SYS_getppid;
        __asm__ volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
    }
    return (rdtsc() - start) / (uint64_t)calls;
}

/* The child exits at once. Neither process executes CALL or RET in between, so only the kernel's
 * work is measured. */
static uint64_t fork_exit_wait(long unused)
{
    (void)unused;
    int status;
    uint64_t start = rdtsc();
    long child = raw0(SYS_fork);
    if (child == 0)
        raw_exit(0);
    raw6(SYS_wait4, child, (long)&status, 0, 0, 0, 0);
    return rdtsc() - start;
}

static uint64_t fork_exit_wait_with(long mib)
{
    volatile char *at = fresh_pages((size_t)mib << 20);
    for (long i = 0; i < mib << 20; i += 4096)
        at[i] = 1;
    uint64_t best = least(fork_exit_wait, 0, 3);
    munmap((void *)at, (size_t)mib << 20);
    return best;
}

/* ---- Faults ------------------------------------------------------------- */

static int hold[2];

/* Fork a child that shares the pages until the parent writes to the pipe. */
static long child_that_waits(void)
{
    char byte;
    long child = raw0(SYS_fork);
    if (child == 0) {
        raw_read(hold[0], &byte, 1);
        raw_exit(0);
    }
    return child;
}

static void child_ends(long child)
{
    int status;
    raw_write(hold[1], "x", 1);
    raw6(SYS_wait4, child, (long)&status, 0, 0, 0, 0);
}

/* Instructions per page for one access to each of PAGES pages. */
RAW uint64_t touch(volatile char *at, bool shadow_stack)
{
    uint64_t start = rdtsc();
    for (long i = 0; i < PAGES; i++) {
        if (shadow_stack)
            wrss((uint64_t)at + (uint64_t)i * 4096, 1);
        else
            at[i * 4096] = 1;
    }
    return (rdtsc() - start) / PAGES;
}

static uint64_t demand_zero(long unused)
{
    (void)unused;
    volatile char *at = fresh_pages(PAGES * 4096);
    at[0] = 1; /* allocates the page tables */
    munmap((void *)at, 4096);
    at = mmap((void *)at, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
              0);
    uint64_t cost = touch(at, false);
    munmap((void *)at, PAGES * 4096);
    return cost;
}

struct fault_costs {
    uint64_t copy, reuse;
};

/* What the first access to a page after fork costs: while the child shares the page, and once the
 * child is gone. */
RAW struct fault_costs fault_costs(volatile char *at, bool shadow_stack)
{
    struct fault_costs least_costs = { ~0ull, ~0ull };
    for (int round = 0; round < 5; round++) {
        uint64_t cost;
        long child = child_that_waits();
        cost = touch(at, shadow_stack);
        least_costs.copy = cost < least_costs.copy ? cost : least_costs.copy;
        child_ends(child);
        child_ends(child_that_waits());
        cost = touch(at, shadow_stack);
        least_costs.reuse = cost < least_costs.reuse ? cost : least_costs.reuse;
    }
    return least_costs;
}

static void data_faults(void)
{
    volatile char *at = fresh_pages(PAGES * 4096);
    touch(at, false);
    struct fault_costs costs = fault_costs(at, false);
    report("copy-on-write fault, copy", costs.copy);
    report("copy-on-write fault, reuse", costs.reuse);
}

static void shadow_stack_faults(void)
{
    long at = raw6(SYS_map_shadow_stack, 0, PAGES * 4096, 0, 0, 0, 0);
    if (!has_user_shstk() || at < 0 || raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS)) {
        printf("bench: no shadow stacks on this CPU: copy-on-access faults are not measured\n");
        return;
    }
    touch((volatile char *)at, true);
    struct fault_costs costs = fault_costs((volatile char *)at, true);
    report("copy-on-access fault, copy", costs.copy);
    report("copy-on-access fault, reuse", costs.reuse);
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
        report("signal, handler and return, with a shadow stack",
               least(signal_handled, getpid(), 10));
    raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK);
    report("signal, handler and return", least(signal_handled, getpid(), 10));
}

/* ---- Many mappings ------------------------------------------------------ */

#define MAPPINGS_MAX 10000
#define MAPPING      (2 * 4096)
#define SAMPLES      100

static volatile char *mapping[MAPPINGS_MAX];

/* Neighbours differ in what they allow, so that they stay mappings of their own. */
static void map_one(long i)
{
    mapping[i] = mmap(NULL, MAPPING, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping[i] == MAP_FAILED) {
        perror("mmap");
        _exit(1);
    }
}

/* One of the mappings that can be stored to; the samples are spread over all. */
static long sample(long n, long count) { return n * (count / 2) / SAMPLES * 2; }

static void report_with(const char *what, long count, uint64_t instructions)
{
    char name[64];
    snprintf(name, sizeof(name), "%s, %ld mappings", what, count);
    report(name, instructions);
}

/* Unmap one, and map one, which goes where the other was. */
static void exchange(long count)
{
    uint64_t unmapping = 0, mapping_again = 0;
    for (long n = 0; n < SAMPLES; n++) {
        long i = sample(n, count);
        volatile char *at = mapping[i];
        uint64_t start = rdtsc();
        munmap((void *)at, MAPPING);
        uint64_t middle = rdtsc();
        map_one(i);
        mapping_again += rdtsc() - middle;
        unmapping += middle - start;
        if (mapping[i] != at) {
            printf("bench: a mapping went elsewhere\n");
            _exit(1);
        }
    }
    report_with("mmap", count, mapping_again / SAMPLES);
    report_with("munmap", count, unmapping / SAMPLES);
}

/* Faults whose tables are there, a mapping after the other. */
static void touch_samples(long count)
{
    uint64_t spent = 0, faults = 0;
    for (long i = 0; i < count; i += 2)
        mapping[i][0] = 1;
    for (long n = 0, last = -1; n < SAMPLES; n++) {
        long i = sample(n, count);
        if (i == last)
            continue;
        uint64_t start = rdtsc();
        mapping[i][4096] = 1;
        spent += rdtsc() - start;
        faults++;
        last = i;
    }
    report_with("demand-zero fault", count, spent / faults);
}

static void many_mappings(long count)
{
    for (long i = 0; i < count; i++)
        map_one(i);
    exchange(count);
    report_with("fork+exit+wait", count, least(fork_exit_wait, 0, 3));
    touch_samples(count);
    for (long i = 0; i < count; i++)
        munmap((void *)mapping[i], MAPPING);
}

int main(void)
{
    if (pipe(hold)) {
        perror("pipe");
        return 1;
    }
    report("null system call", least(null_call, 1000, 5));
    report("fork+exit+wait, small process", least(fork_exit_wait, 0, 10));
    report("fork+exit+wait, 16 MiB", fork_exit_wait_with(16));
    report("fork+exit+wait, 64 MiB", fork_exit_wait_with(64));
    report("demand-zero fault", least(demand_zero, 0, 5));
    fork_shares("leaves"); /* below shared tables a fault is that of the path */
    data_faults();
    fork_shares("auto");
    for (long count = 10; count <= MAPPINGS_MAX; count *= count > 10 ? 10 : 100)
        many_mappings(count);
    fork_shares("leaves");
    shadow_stack_faults();
    signals();
    return 0;
}
