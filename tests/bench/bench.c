/* SPDX-License-Identifier: MIT */
/*
 * Process 1 of the benchmark image: how many instructions the kernel's main paths take. This half
 * measures processes and memory, then between.c the rest; figure.h tells how.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "figure.h"
#include "ptes.h"

#define PAGES 128

/* Linux has one way only, and no such file. */
static void fork_shares(const char *what)
{
    if (file_put_text("/proc/self/fork", what) && errno != ENOENT)
        fail("/proc/self/fork");
}

/* ---- System calls and processes ----------------------------------------- */

static uint64_t null_call(long calls)
{
    uint64_t start = rdtsc();
    for (long left = calls; left; left--) {
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

static void fork_with(const char *name, size_t bytes)
{
    volatile char *at = filled_pages(bytes);
    figure(name, fork_exit_wait, 0, 3);
    munmap((void *)at, bytes);
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

/* ---- Mapping ------------------------------------------------------------ */

static uint64_t map_unmap(long unused)
{
    (void)unused;
    uint64_t start = rdtsc();
    volatile char *at = fresh_pages(4096);
    *at = 1;
    munmap((void *)at, 4096);
    return rdtsc() - start;
}

#define MOVED_BYTES (64ul << 20)

static volatile char *place[2];

static uint64_t remap(long unused)
{
    (void)unused;
    uint64_t start = rdtsc();
    void *moved = mremap((void *)place[0], MOVED_BYTES, MOVED_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
                         place[1]);
    uint64_t spent = rdtsc() - start;
    if (moved != place[1])
        fail("mremap");
    place[1] = place[0];
    place[0] = moved;
    return spent;
}

static void mapping_figures(void)
{
    figure("mmap+store+munmap, one page", map_unmap, 0, 5);
    place[0] = filled_pages(MOVED_BYTES);
    place[1] = fresh_pages(MOVED_BYTES);
    figure("mremap that moves 64 MiB", remap, 0, 5);
    munmap((void *)place[0], MOVED_BYTES);
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
    if (mapping[i] == MAP_FAILED)
        fail("mmap");
}

/* One of the mappings that can be stored to; the samples are spread over all. */
static long sample(long n, long count) { return n * (count / 2) / SAMPLES * 2; }

static void report_with(const char *what, long count, uint64_t instructions)
{
    char name[64];
    snprintf(name, sizeof(name), "%s, %ld mappings", what, count);
    report(name, instructions);
}

static void fork_with_mappings(long count)
{
    char name[64];
    snprintf(name, sizeof(name), "fork+exit+wait, %ld mappings", count);
    figure(name, fork_exit_wait, 0, 3);
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
    fork_with_mappings(count);
    touch_samples(count);
    for (long i = 0; i < count; i++)
        munmap((void *)mapping[i], MAPPING);
}

int main(int argc, char **argv)
{
    (void)argc;
    profiled = argv + 1;
    if (pipe(hold))
        fail("pipe");
    figure("null system call", null_call, 1000, 5);
    figure("fork+exit+wait, small process", fork_exit_wait, 0, 10);
    fork_with("fork+exit+wait, 16 MiB", 16 << 20);
    fork_with("fork+exit+wait, 64 MiB", 64 << 20);
    figure("demand-zero fault", demand_zero, 0, 5);
    mapping_figures();
    fork_shares("leaves"); /* below shared tables a fault is that of the path */
    data_faults();
    fork_shares("auto");
    for (long count = 10; count <= MAPPINGS_MAX; count *= count > 10 ? 10 : 100)
        many_mappings(count);
    fork_shares("leaves");
    shadow_stack_faults();
    execv("/bench/between", argv);
    fail("/bench/between");
}
