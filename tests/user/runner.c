/* SPDX-License-Identifier: MIT */
/*
 * The runner: process 1 of the test image. It runs every test in a process of its own, then again
 * with each planted defect that the test claims to notice, and prints KTAP. Arguments: the
 * emulator's name, and a part of the names of the tests wanted. Exercises run only when that part
 * begins with "exercise_". With --once before them no test runs with a defect. With --portable the
 * tests run that can run on Linux as well, once, and the others print SKIP (user/lib/portable.h).
 */
#include "supervise.h"
#include "test.h"

#define SECONDS_MAX             60
/* a planted defect may make a test hang: then the test has noticed it */
#define SECONDS_MAX_WITH_DEFECT 4

extern const struct test __start_tests[], __stop_tests[];

static int leaks, once;

/* Run one test, quietly if with a defect. Returns 1 when it failed. */
static int run(const struct test *test, const char *defect)
{
    return supervise(test->run, defect, defect ? SECONDS_MAX_WITH_DEFECT : SECONDS_MAX) != 0;
}

/* Run the test once with each defect that it claims to notice. */
static void twins(const struct test *test, const char *skip)
{
    char names[200];
    snprintf(names, sizeof(names), "%s", once ? "" : test->defects);
    for (char *name = strtok(names, " "); name; name = strtok(NULL, " "))
        ktap_result(skip || run(test, name), test->name, name, skip);
}

static int words(const char *text)
{
    int count = 0;
    for (const char *at = text; *at; at++)
        count += *at != ' ' && (at == text || at[-1] == ' ');
    return count;
}

/* Run one test as it is. Returns 1 when it failed, the walker found something, or a CPU was stuck.
 * A test that kept a frame is named and counted. */
static int run_and_count(const struct test *test)
{
    if (portable())
        return run(test, NULL);
    struct account before = account_now();
    if (run(test, NULL))
        return 1;
    struct account after = account_now();
    if (!account_differs(&before, &after, test->name))
        return 0;
    leaks += after.frames > before.frames;
    return after.violations != before.violations || after.stuck != before.stuck;
}

static const char *emulator;

/* Does the test belong on this machine? Races need CPUs that run at the same time, and 1 GiB leaves
 * need much memory: tests of either kind have boots of their own. */
static int fits(const struct test *test)
{
    if (test->needs & NEEDS_RACES && strcmp(emulator, "bochs") == 0)
        return 0; /* Bochs runs its CPUs in turn */
    return !(test->needs & NEEDS_3_GIB) || portable() || frames_of("total") > (3l << 30) / 4096;
}

static int is_exercise(const char *name) { return strncmp(name, "exercise_", 9) == 0; }

static int wanted(const struct test *test, const char *key)
{
    return strstr(test->name, key) && is_exercise(test->name) == is_exercise(key) && fits(test);
}

static const char not_portable[] = "it is about Penumbra alone";

/* Why this machine cannot run the test; NULL when it can. */
static const char *lack(const struct test *test)
{
    if (test->needs & (NEEDS_SHSTK | NEEDS_CET) && !has_user_shstk())
        return "no shadow stacks on this CPU";
    if (test->needs & NEEDS_CPUS && cpu_count() < 2)
        return "one CPU only";
    if (test->needs & (NEEDS_SHSTK | NEEDS_3_GIB) && portable())
        return not_portable; /* Linux starts no program with a shadow stack */
    return NULL;
}

int main(int argc, char *argv[])
{
    int alike = argc > 1 && strcmp(argv[1], "--portable") == 0 && portable_begin() == 0;
    once = alike || (argc > 1 && strcmp(argv[1], "--once") == 0);
    argc -= once;
    argv += once;
    emulator = argc > 1 ? argv[1] : "";
    const char *key = argc > 2 ? argv[2] : "";
    int planned = 0;
    for (const struct test *test = __start_tests; test < __stop_tests; test++) {
        if (wanted(test, key))
            planned += 1 + (once ? 0 : words(test->defects));
    }
    printf("KTAP version 1\n1..%d\n", planned && !alike ? planned + 2 : planned);
    for (const struct test *test = __start_tests; test < __stop_tests; test++) {
        if (!wanted(test, key))
            continue;
        portable_next();
        const char *skip = lack(test);
        int ok = skip || run_and_count(test) == 0;
        ktap_result(ok, test->name, NULL, portable_refused() ? not_portable : skip);
        twins(test, skip);
    }
    if (planned && !alike) {
        unsigned now = 1, total = 1;
        ktap_result(check_counts(&now, &total) && now == 0, "the_walker_finds_nothing_at_the_end",
                    NULL, NULL);
        ktap_result(leaks == 0, "no_test_kept_a_frame", NULL, NULL);
    }
    return ktap_failures() != 0;
}
