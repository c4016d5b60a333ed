/* SPDX-License-Identifier: MIT */
/*
 * The runner: process 1 of the test image. Runs every test in a process of its own, then again with
 * each planted defect it claims to notice, and prints KTAP. Arguments: the emulator's name, and a
 * part of the names of the tests wanted. Exercises run only when that part begins with "exercise_".
 */
#include <fcntl.h>
#include <time.h>

#include "test.h"

#define SECONDS_MAX             60
/* a planted defect may well make a test hang: that is noticing it */
#define SECONDS_MAX_WITH_DEFECT 4

extern const struct test __start_tests[], __stop_tests[];

static int number, failures, leaks;

static void result(int ok, const char *name, const char *defect, const char *skip)
{
    printf("%sok %d - %s%s%s%s%s\n", ok ? "" : "not ", ++number, name, defect ? " notices " : "",
           defect ? defect : "", skip ? " # SKIP " : "", skip ? skip : "");
    fflush(stdout);
    failures += !ok;
}

/* Wait for pid, but not for ever: 0 when it passed, 1 when it failed, was killed or took too
 * long. */
static int await(int pid, int seconds_max)
{
    struct timespec tick = { 0, 5000000 }, start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int status;;) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            if (WIFSIGNALED(status))
                printf("    # killed by signal %d\n", WTERMSIG(status));
            return status != 0;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - start.tv_sec > seconds_max) {
            printf("    # no end after %d s\n", seconds_max);
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return 1;
        }
        nanosleep(&tick, NULL);
    }
}

/* Run one test; with a defect, quietly. */
static int run(const struct test *test, const char *defect)
{
    int ready[2];
    char byte;
    if (pipe(ready))
        return 1;
    fflush(stdout);
    int pid = fork();
    if (pid == 0) {
        close(ready[1]);
        (void)!read(ready[0], &byte, 1); /* the defect is switched on once the fork is behind us */
        close(ready[0]);
        if (defect) {
            int null = open("/dev/null", O_WRONLY);
            dup2(null, 1);
        }
        test->run();
        fflush(stdout);
        _exit(0);
    }
    close(ready[0]);
    if (defect && file_put_text("/proc/defect", defect))
        printf("    # no defect %s in this kernel\n", defect);
    close(ready[1]);
    int failed = await(pid, defect ? SECONDS_MAX_WITH_DEFECT : SECONDS_MAX);
    if (defect)
        file_put_text("/proc/defect", "none");
    file_put_text("/proc/trace", "0");
    kill(-1, SIGKILL); /* whoever a hung or killed test left behind */
    while (waitpid(-1, NULL, 0) > 0) {}
    return failed;
}

/* Call each(name) for every word. */
static void twins(const struct test *test, const char *skip)
{
    char names[200];
    snprintf(names, sizeof(names), "%s", test->defects);
    for (char *name = strtok(names, " "); name; name = strtok(NULL, " "))
        result(skip || run(test, name), test->name, name, skip);
}

static int words(const char *text)
{
    int count = 0;
    for (const char *at = text; *at; at++)
        count += *at != ' ' && (at == text || at[-1] == ' ');
    return count;
}

static unsigned violations(void)
{
    unsigned now = 0, total = 0;
    return check_counts(&now, &total) ? total : ~0u;
}

/* Run one test as it is. It must also give back every frame that it took, and leave the walker
 * nothing to find. */
static int run_and_count(const struct test *test)
{
    long before = frames_in_use();
    unsigned violations_before = violations();
    int failed = run(test, NULL);
    long after = frames_in_use();
    if (!failed && violations() != violations_before) {
        printf("    # %s: the walker found a broken entry\n", test->name);
        failed = 1;
    }
    if (!failed && after > before) {
        printf("    # %s: %ld frames used before, %ld after\n", test->name, before, after);
        leaks++;
    }
    return failed;
}

static const char *emulator;

/* Is this the machine for the test? True races need CPUs that run at the same time, 1 GiB leaves
 * much memory: each has boots of its own. */
static int fits(const struct test *test)
{
    if (test->needs & NEEDS_RACES && strcmp(emulator, "bochs") == 0)
        return 0; /* Bochs runs its CPUs in turn */
    return !(test->needs & NEEDS_3_GIB) || frames_of("total") > (3l << 30) / 4096;
}

static int is_exercise(const char *name) { return strncmp(name, "exercise_", 9) == 0; }

static int wanted(const struct test *test, const char *key)
{
    return strstr(test->name, key) && is_exercise(test->name) == is_exercise(key) && fits(test);
}

/* Why this machine cannot run the test; NULL when it can. */
static const char *lack(const struct test *test)
{
    if (test->needs & NEEDS_SHSTK && !has_user_shstk())
        return "no shadow stacks on this CPU";
    if (test->needs & NEEDS_CPUS && cpu_count() < 2)
        return "one CPU only";
    return NULL;
}

int main(int argc, char *argv[])
{
    emulator = argc > 1 ? argv[1] : "";
    const char *key = argc > 2 ? argv[2] : "";
    int planned = 0;
    for (const struct test *test = __start_tests; test < __stop_tests; test++) {
        if (wanted(test, key))
            planned += 1 + words(test->defects);
    }
    printf("KTAP version 1\n1..%d\n", planned ? planned + 2 : 0);
    for (const struct test *test = __start_tests; test < __stop_tests; test++) {
        if (!wanted(test, key))
            continue;
        const char *skip = lack(test);
        result(skip || run_and_count(test) == 0, test->name, NULL, skip);
        twins(test, skip);
    }
    if (planned) {
        unsigned now = 1, total = 1;
        result(check_counts(&now, &total) && now == 0, "the_walker_finds_nothing_at_the_end", NULL,
               NULL);
        result(leaks == 0, "no_test_kept_a_frame", NULL, NULL);
    }
    return failures != 0;
}
