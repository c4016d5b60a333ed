/* SPDX-License-Identifier: MIT */
/*
 * Tests for the runner: a function each, run in a process of its own. It passes by returning;
 * CHECK() ends it. A test names the planted defects that it must notice: the runner runs it again
 * with each of them, and the test must then fail.
 */
#ifndef USER_TEST_H
#define USER_TEST_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "portable.h"
#include "ptes.h"
#include "raw.h"

#ifndef SEGV_CPERR
#define SEGV_CPERR 10 /* si_code of a control-protection fault, as Linux numbers it */
#endif

/* What a test needs; the runner prints SKIP where it is missing. */
enum {
    NEEDS_SHSTK = 1, /* a shadow stack */
    NEEDS_CPUS = 2,  /* two CPUs */
    NEEDS_RACES = 4, /* CPUs that run at the same time, not in turns as Bochs's do */
    NEEDS_3_GIB = 8, /* more than that much memory */
    NEEDS_CET = 16,  /* a CPU with shadow stacks: the test switches its own on, as on Linux */
};

struct test {
    const char *name;
    void (*run)(void);
    unsigned needs;      /* NEEDS_* */
    const char *defects; /* names, separated by blanks */
};

#define TEST_DEFINE(test_name, needs, twins)                                                  \
    static void test_name(void);                                                              \
    static const struct test test_##test_name                                                 \
        __attribute__((section("tests"), used, aligned(8))) = { #test_name, test_name, needs, \
                                                                twins };                      \
    static void test_name(void)
/* A test that runs everywhere, and those that need a shadow stack, two CPUs, two that run at the
 * same time, or a shadow stack and two CPUs. */
#define TEST(name, twins)            TEST_DEFINE(name, 0, twins)
#define TEST_SHSTK(name, twins)      TEST_DEFINE(name, NEEDS_SHSTK, twins)
#define TEST_CET(name, twins)        TEST_DEFINE(name, NEEDS_CET, twins)
#define TEST_CPUS(name, twins)       TEST_DEFINE(name, NEEDS_CPUS, twins)
#define TEST_3_GIB(name, twins)      TEST_DEFINE(name, NEEDS_3_GIB, twins)
#define TEST_RACE(name, twins)       TEST_DEFINE(name, NEEDS_CPUS | NEEDS_RACES, twins)
#define TEST_SHSTK_CPUS(name, twins) TEST_DEFINE(name, NEEDS_SHSTK | NEEDS_CPUS, twins)
/*
 * Exercises of the book (docs/): tests that fail until the reader has done them. Their names begin
 * with exercise_; the runner takes them in only when it is asked for such a name.
 */
#define EXERCISE(name)               TEST_DEFINE(name, 0, "")
#define EXERCISE_SHSTK(name)         TEST_DEFINE(name, NEEDS_SHSTK, "")

#define CHECK(condition)                                                        \
    do {                                                                        \
        if (!(condition)) {                                                     \
            printf("    # %s:%d: expect %s\n", __FILE__, __LINE__, #condition); \
            fflush(stdout);                                                     \
            _exit(1);                                                           \
        }                                                                       \
    } while (0)
/* For exercises: prints in words what the reader must achieve, and what happened instead. */
#define EXPECT(condition, ...)        \
    do {                              \
        if (!(condition)) {           \
            printf("    # expect: "); \
            printf(__VA_ARGS__);      \
            printf("\n");             \
            fflush(stdout);           \
            _exit(1);                 \
        }                             \
    } while (0)
/* Two numbers that must be equal; both are shown. */
#define CHECK_EQ(saw, expect)                                                                   \
    do {                                                                                        \
        long saw_value = (long)(saw), expect_value = (long)(expect);                            \
        if (saw_value != expect_value) {                                                        \
            printf("    # %s:%d: expect %s = %ld (%#lx), saw %ld (%#lx)\n", __FILE__, __LINE__, \
                   #saw, expect_value, expect_value, saw_value, saw_value);                     \
            fflush(stdout);                                                                     \
            _exit(1);                                                                           \
        }                                                                                       \
    } while (0)

/* The call fails with this errno. */
#define FAILS(call, reason)      \
    do {                         \
        errno = 0;               \
        CHECK((call) == -1);     \
        CHECK_EQ(errno, reason); \
    } while (0)

/* Run function in a child; its wait status. *pid tells which child it was, when not NULL. */
int in_child(void (*function)(void), int *pid);
/* The child is killed by signal, and for SIGSEGV the kernel recorded this si_code and, unless
 * negative, error code. */
void check_killed(void (*function)(void), int signal, int code, long error);

/* How many CPUs this task may run on. */
int cpu_count(void);
/* From now on this process, and those it makes, run on one CPU; of a thread's, that thread. */
void pin(int cpu);

/* The trace events of pid with this reason whose address lies in the page of va, and whose time
 * is before `before`. */
int trace_count(int pid, const char *why, uint64_t va, uint64_t before);
void trace_on(void);

#endif
