/* SPDX-License-Identifier: MIT */
/* For suites of many random steps: the first thing that is not as expected ends the process. */
#ifndef TESTS_HOST_EXPECT_H
#define TESTS_HOST_EXPECT_H

#include <stdio.h>
#include <stdlib.h>

/* Tells the step by the variable step, an unsigned long of the suite's own. */
#define EXPECT(condition, format, ...)                               \
    do {                                                             \
        if (!(condition)) {                                          \
            printf("# step %lu: " format "\n", step, ##__VA_ARGS__); \
            fflush(stdout);                                          \
            exit(1);                                                 \
        }                                                            \
    } while (0)

#endif
