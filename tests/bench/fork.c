/* SPDX-License-Identifier: MIT */
/*
 * What fork costs with much memory, sharing leaves or tables: `fork SIZE...`, a size being 0, 64K
 * or 16M. In Bochs the TSC counts executed instructions.
 *
 * For each way and size a subject of its own holds the memory and forks. What is timed makes system
 * calls without CALL or RET, so that nothing else needs a page. Table frames are counted by the
 * process that watches, while subject and child both wait.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ptes.h"
#include "raw.h"

#define ROUNDS        3
#define WRITE_MIB_MAX 256 /* a child that writes every page doubles what is in use */

/* What the child has measured; not copied at fork. */
static volatile uint64_t *result;
static volatile char *memory;
static long bytes;
static const char *way, *size_name;

static void report(const char *what, uint64_t value)
{
    printf("fork: %s %s %s %lu\n", way, size_name, what, value);
    fflush(stdout);
}

RAW void reap(long child)
{
    int status;
    raw6(SYS_wait4, child, (long)&status, 0, 0, 0, 0);
}

static void *map(long size, int flags)
{
    void *at = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return at;
}

/* ---- Time --------------------------------------------------------------- */

struct fork_times {
    uint64_t call, whole;
};

RAW struct fork_times fork_and_exit(void)
{
    uint64_t start = rdtsc();
    long child = raw0(SYS_fork);
    if (child == 0)
        raw_exit(0);
    uint64_t forked = rdtsc();
    reap(child);
    return (struct fork_times){ forked - start, rdtsc() - start };
}

RAW uint64_t store(volatile char *at)
{
    uint64_t start = rdtsc();
    *at = 2;
    return rdtsc() - start;
}

/* In the child: its first store; the parent meanwhile waits. */
RAW uint64_t first_store(void)
{
    long child = raw0(SYS_fork);
    if (child == 0) {
        uint64_t took = store(memory);
        *result = took;
        raw_exit(0);
    }
    reap(child);
    return *result;
}

/* In the child: the first RET, of a CALL from before the fork. */
RAW uint64_t first_return(void)
{
    long child = SYS_fork;
    uint64_t took;
    __asm__ volatile("call 1f\n\t"
                     "lfence; rdtsc\n\t"
                     "shl $32, %%rdx; or %%rdx, %%rax; sub %%rbx, %%rax\n\t"
                     "jmp 2f\n"
                     "1: syscall\n\t"
                     "mov %%rax, %%rdi\n\t"
                     "lfence; rdtsc\n\t"
                     "shl $32, %%rdx; or %%rdx, %%rax; mov %%rax, %%rbx\n\t"
                     "ret\n"
                     "2: "
                     : "=a"(took), "=&D"(child)
                     : "a"(child)
                     : "rbx", "rcx", "rdx", "r11", "memory");
    if (child == 0) {
        *result = took;
        raw_exit(0);
    }
    reap(child);
    return *result;
}

/* The parent's first store once its child has gone. */
RAW uint64_t last_owner_store(void)
{
    (void)fork_and_exit();
    return store(memory);
}

RAW uint64_t child_writes_all(void)
{
    uint64_t start = rdtsc();
    long child = raw0(SYS_fork);
    if (child == 0) {
        for (long i = 0; i < bytes; i += 4096)
            memory[i] = 3;
        raw_exit(0);
    }
    reap(child);
    return rdtsc() - start;
}

/* As programs do it: the child returns from fork(), calls and stores before it ends. */
static volatile int calls;
static __attribute__((noinline)) uint64_t ordinary(void)
{
    uint64_t start = rdtsc();
    int child = fork();
    if (child == 0) {
        calls++;
        memory[0] = 5;
        _exit(0);
    }
    waitpid(child, NULL, 0);
    calls++;
    memory[0] = 6;
    return rdtsc() - start;
}

static void smaller(uint64_t *least, uint64_t value) { *least = value < *least ? value : *least; }

static void times_report(void)
{
    uint64_t call = ~0ull, whole = ~0ull, child = ~0ull, back = ~0ull, owner = ~0ull, all = ~0ull,
             usual = ~0ull;
    for (int i = 0; i < ROUNDS; i++) {
        struct fork_times times = fork_and_exit();
        smaller(&call, times.call);
        smaller(&whole, times.whole);
        smaller(&child, first_store());
        smaller(&back, first_return());
        smaller(&owner, last_owner_store());
        smaller(&usual, ordinary());
        if (bytes <= WRITE_MIB_MAX << 20)
            smaller(&all, child_writes_all());
    }
    report("fork", call);
    report("fork+exit+wait", whole);
    report("ordinary", usual);
    report("first store", child);
    if (has_user_shstk())
        report("first RET", back);
    report("last owner's first store", owner);
    if (bytes <= WRITE_MIB_MAX << 20)
        report("child writes all", all);
}

/* ---- Tables ------------------------------------------------------------- */

static int to_watcher[2], to_subject[2], to_child[2];

/* Let the watcher count, and wait for it. */
RAW void counted(int from)
{
    char byte = 0;
    raw_write(to_watcher[1], &byte, 1);
    raw_read(from, &byte, 1);
}

RAW void tables_show(void)
{
    counted(to_subject[0]);
    long child = raw0(SYS_fork);
    if (child == 0) {
        char byte;
        raw_read(to_child[0], &byte, 1);
        memory[0] = 4;
        counted(to_child[0]);
        raw_exit(0);
    }
    counted(to_subject[0]);
    reap(child);
}

static long tables_now(void)
{
    char byte;
    (void)!read(to_watcher[0], &byte, 1);
    return frames_of("table");
}

static void tables_watch(void)
{
    long first = tables_now();
    (void)!write(to_subject[1], "x", 1);
    long forked = tables_now();
    (void)!write(to_child[1], "x", 1);
    long stored = tables_now();
    (void)!write(to_child[1], "x", 1);
    (void)!write(to_subject[1], "x", 1);
    report("tables by the fork", (uint64_t)(forked - first));
    report("tables by the fork and a store", (uint64_t)(stored - first));
}

/* ---- The whole ---------------------------------------------------------- */

static void subject(void)
{
    if (file_put_text("/proc/self/fork", way)) {
        perror("/proc/self/fork");
        exit(1);
    }
    memory = map(bytes ? bytes : 4096, MAP_PRIVATE);
    memory[0] = 1;
    for (long i = 0; i < bytes; i += 4096)
        memory[i] = 1;
    const char *resident = strstr(file_text("/proc/self/status"), "VmRSS:");
    report("KiB resident", resident ? strtoul(resident + 6, NULL, 10) : 0);
    tables_show();
    times_report();
    exit(0);
}

static bool measure(void)
{
    int status = 1;
    fflush(stdout);
    int pid = fork();
    if (pid == 0)
        subject();
    tables_watch();
    return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(int argc, char *argv[])
{
    static const char *const ways[] = { "leaves", "tables" };
    result = map(4096, MAP_SHARED);
    *result = 0;
    if (pipe(to_watcher) || pipe(to_subject) || pipe(to_child))
        return 1;
    for (int i = 1; i < argc; i++) {
        char *unit;
        size_name = argv[i];
        bytes = strtol(argv[i], &unit, 10) << (*unit == 'M' ? 20 : 10);
        for (int w = 0; w < 2; w++) {
            way = ways[w];
            if (!measure()) {
                fprintf(stderr, "fork: fork=%s with %s failed\n", way, argv[i]);
                return 1;
            }
        }
    }
    return 0;
}
