/* SPDX-License-Identifier: MIT */
/*
 * dirtyrace: is W=0,D=1 ever left behind when one CPU clears Write in an entry that another CPU
 * stores through? docs/book/07-race.md is about what this prints.
 *
 *   dirtyrace                      everything: first that the detector can see, then the
 *                                  measurement
 *   dirtyrace ROUNDS               the measurement alone: the kernel's way, and the CPU's own page
 *                                  walker
 *   dirtyrace ROUNDS all           everything, with so many rounds each
 *   dirtyrace ROUNDS WAY [WALKER]  WAY: cmpxchg, plain_store or clear_and; WALKER: cpu or software
 *
 * As a boot option: probe=dirtyrace[,ROUNDS[,WAY[,WALKER]]]. ROUNDS 0: as many as this machine does
 * in reasonable time. The kernel races and counts (mm/race.c); the other CPU is a thread here. All
 * but "cmpxchg cpu" breaks the invariant on purpose, and the kernel does that only when it was
 * booted with probe=, or is a test build.
 *
 * Exit status: 0 as promised; 1 the kernel or the detector is at fault; 2 wrong usage; 3 this CPU
 * leaves W=0,D=1 behind; 4 there is only one CPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ptes.h"

enum { OK, AT_FAULT, USAGE, PATTERN_SEEN, ONE_CPU };

#define ROUNDS_FULL  1000000ul
#define ROUNDS_TWIN  50000ul /* of what happens often */
#define TURNS_SLOWER 50      /* where CPUs run in turn, this part of them takes some seconds */
#define BATCH        5000ul  /* rounds a system call: the kernel is not preempted meanwhile */
#define ABSENT_MAX   20      /* batches in a row in which the other CPU took no part */

static volatile uint64_t page[512] __attribute__((aligned(4096)));
static volatile bool stop, software;

struct counts {
    unsigned long rounds, stores, retries, before, after, lost, late, played, in_time;
};

/* ---- The two CPUs ------------------------------------------------------- */

static int cpus[2];

static void run_on(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

static void *other_cpu(void *unused)
{
    (void)unused;
    run_on(cpus[1]);
    while (!stop && !software)
        page[0]++;
    while (!stop)
        file_put_text("/proc/dirtyrace", "walk");
    return NULL;
}

/* How many CPUs this program may use. cpus[] gets the first two. */
static int cpus_find(void)
{
    cpu_set_t set;
    int count = 0;
    sched_getaffinity(0, sizeof(set), &set);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &set) && count++ < 2)
            cpus[count - 1] = i;
    }
    return count;
}

/* ---- The race ----------------------------------------------------------- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The number after a name in the kernel's answer. */
static unsigned long field(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

/* Run one batch and add its counts; 0 or an errno. */
static int batch_run(unsigned long rounds, const char *way, struct counts *counts)
{
    char line[64];
    snprintf(line, sizeof(line), "0x%lx %lu %s %s", (unsigned long)page, rounds, way,
             software ? "software" : "cpu");
    if (file_put_text("/proc/dirtyrace", line))
        return errno;
    const char *text = file_text("/proc/dirtyrace");
    if (field(text, "pid ") != (unsigned long)getpid())
        return EBUSY;
    counts->rounds += field(text, "rounds ");
    counts->stores += field(text, "stores ");
    counts->retries += field(text, "retries ");
    counts->before += field(text, "patterns_before ");
    counts->after += field(text, "patterns_after ");
    counts->lost += field(text, "lost ");
    counts->late += field(text, "late ");
    counts->played += field(text, "played ");
    counts->in_time += field(text, "in_time ");
    return 0;
}

/* As many rounds as asked for, or fewer if the other CPU stays away; 0 or an errno. */
static int batches_run(unsigned long rounds, const char *way, struct counts *counts)
{
    int err = 0, absent = 0;
    while (counts->rounds < rounds && !err && absent < ABSENT_MAX) {
        unsigned long before = counts->rounds, left = rounds - before;
        err = batch_run(left < BATCH ? left : BATCH, way, counts);
        absent = counts->rounds == before ? absent + 1 : 0;
    }
    return err;
}

/* ---- What was promised -------------------------------------------------- */

/* docs/book/07-race.md has the same rows for the model. */
struct test {
    const char *way, *walker;
    const char *promise;
};
static const struct test tests[] = {
    { "cmpxchg", "software", "every W=0,D=1 that the walker made is seen; no D is lost" },
    { "plain_store", "software", "the same, but D is lost where the store overwrites it" },
    { "clear_and", "cpu", "W=0,D=1 in every round with a store" },
    { "plain_store", "cpu", "D may be lost, now and then" },
    { "cmpxchg", "cpu", "no D is lost; W=0,D=1 never on a CPU with CET" },
};
#define TESTS       (sizeof(tests) / sizeof(tests[0]))
#define MEASUREMENT (&tests[TESTS - 1])

static bool is_software(const struct test *test) { return strcmp(test->walker, "software") == 0; }

static bool kept(const struct test *test, const struct counts *c, unsigned long counted)
{
    unsigned long patterns = c->before + c->after;
    if (c->late || counted != patterns)
        return false;
    if (is_software(test) && (c->played != patterns || !c->played))
        return false;
    if (strcmp(test->way, "cmpxchg") == 0)
        return c->lost == 0;
    if (strcmp(test->way, "clear_and") == 0)
        return c->lost == 0 && patterns == c->stores && patterns;
    return !is_software(test) || c->lost;
}

static void counts_print(const struct test *test, const struct counts *c, unsigned long counted)
{
    printf("    stores seen      %lu\n", c->stores);
    if (strcmp(test->way, "cmpxchg") == 0)
        printf("    tried again      %lu (D came between the kernel's read and its CMPXCHG)\n",
               c->retries);
    printf("    W=0,D=1 seen     %lu (before the shootdown %lu, only after it %lu); the kernel "
           "counted %lu\n",
           c->before + c->after, c->before, c->after, counted);
    if (is_software(test))
        printf("    W=0,D=1 made     %lu by the walker in software; %lu times it was in time\n",
               c->played, c->in_time);
    printf("    D lost           %lu\n", c->lost);
    printf("    late stores      %lu\n", c->late);
}

static unsigned long violations(void)
{
    unsigned now, total = 0;
    check_counts(&now, &total);
    return total;
}

static int test_run(const struct test *test, unsigned long rounds)
{
    struct counts counts = { 0 };
    pthread_t other;
    unsigned long counted = violations();
    printf("\n%s, page walker: %s\n    promised         %s\n", test->way, test->walker,
           test->promise);
    fflush(stdout);
    stop = false;
    software = is_software(test);
    page[0] = 1;
    if (pthread_create(&other, NULL, other_cpu, NULL))
        return AT_FAULT;
    double start = seconds();
    int err = batches_run(rounds, test->way, &counts);
    double took = seconds() - start;
    stop = true;
    pthread_join(other, NULL);
    counted = violations() - counted;
    if (err) {
        printf("    not run: %s%s\n", strerror(err),
               err == EPERM ? " (boot with probe=dirtyrace)" : "");
        return test == MEASUREMENT ? AT_FAULT : OK;
    }
    printf("    rounds           %lu in %.1f s\n", counts.rounds, took);
    counts_print(test, &counts, counted);
    bool as_promised = counts.rounds == rounds && kept(test, &counts, counted);
    printf("    %s\n", as_promised ? "as promised" : "NOT AS PROMISED");
    if (as_promised && test == MEASUREMENT && counts.before + counts.after)
        return PATTERN_SEEN;
    return as_promised ? OK : AT_FAULT;
}
/* ---- Which machine ------------------------------------------------------ */

/*
 * Does the time-stamp counter advance by one with each instruction? It does in Bochs, which runs
 * its CPUs in turn, a quantum of instructions each: no walk there comes between another CPU's
 * instructions. Real CPUs, and QEMU's, do many NOPs a tick.
 */
static bool cpus_take_turns(void)
{
    const uint64_t loops = 10000;
    uint64_t count = loops, start = __builtin_ia32_rdtsc();
    __asm__ volatile("1: nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n dec %0\n jnz 1b"
                     : "+r"(count));
    uint64_t ticks = __builtin_ia32_rdtsc() - start;
    return ticks > loops * 10 * 97 / 100 && ticks < loops * 10 * 103 / 100;
}

/* ---- What it means ------------------------------------------------------ */

static void meaning_print(bool turns, int status)
{
    if (status == PATTERN_SEEN) {
        printf("This CPU sets D in an entry that has lost W. The kernel has repaired each: D moved "
               "to COW. Until then\n");
        printf(has_user_shstk() ? "the page was a shadow stack for this CPU, which breaks what a "
                                  "CPU with CET promises.\n"
                                : "an ordinary store would have faulted as always; without CET the "
                                  "pattern means nothing else.\n");
        return;
    }
    if (turns)
        printf("No walk here comes between another CPU's instructions: this emulator runs its CPUs "
               "in turn, a quantum of\n"
               "instructions each. It cannot show the race, whatever the figures.\n");
    printf("W=0,D=1 did not appear. ");
    printf(has_user_shstk() ? "With CET it would have made ordinary memory a shadow stack, so a "
                              "CPU with CET must never do that.\n"
                            : "Without CET it would be harmless, but for a D in the wrong place; "
                              "nothing promises that it never appears.\n");
}

static int usage(void)
{
    printf("usage: dirtyrace [ROUNDS [all | cmpxchg|plain_store|clear_and [cpu|software]]]\n");
    return USAGE;
}

/* The worse of two statuses: "at fault" is worst, then "pattern seen", then OK. */
static int worse(int a, int b) { return a == AT_FAULT || b == OK ? a : b; }

int main(int argc, char *argv[])
{
    char *end = "";
    unsigned long asked = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
    const char *way = argc > 2 ? argv[2] : MEASUREMENT->way,
               *walker = argc > 3 ? argv[3] : MEASUREMENT->walker;
    bool all = argc == 1 || strcmp(way, "all") == 0, turns = cpus_take_turns(), ran = false;
    int status = OK, cpu_count = cpus_find();
    if (*end || argc > 4)
        return usage();
    if (cpu_count < 2) {
        printf("dirtyrace: two CPUs are needed, one to clear Write and one to store meanwhile; "
               "there is only one\n");
        return ONE_CPU;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("dirtyrace: CPU %d clears Write while CPU %d stores; shadow stacks: %s\n", cpus[0],
           cpus[1], has_user_shstk() ? "yes" : "no");
    run_on(cpus[0]);
    for (const struct test *test = tests; test < tests + TESTS; test++) {
        unsigned long rounds = asked ? asked : test == MEASUREMENT ? ROUNDS_FULL : ROUNDS_TWIN;
        if (!asked && turns)
            rounds /= TURNS_SLOWER;
        if (!all && (strcmp(test->way, way) != 0 || strcmp(test->walker, walker) != 0))
            continue;
        status = worse(status, test_run(test, rounds));
        ran = true;
    }
    if (!ran)
        return usage();
    printf("\n");
    if (all || argc == 2)
        meaning_print(turns, status);
    printf("dirtyrace: %s\n", status == OK             ? "as promised"
                              : status == PATTERN_SEEN ? "W=0,D=1 SEEN"
                                                       : "NOT AS PROMISED");
    return status;
}
