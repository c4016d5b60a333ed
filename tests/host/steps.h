/* SPDX-License-Identifier: MIT */
/* What the processes of mm_test do: one random step after the other, each with what the model says
 * of it. */
#ifndef TESTS_HOST_STEPS_H
#define TESTS_HOST_STEPS_H

#include <stdio.h>
#include <stdlib.h>

#include "model.h"

#define PROCESSES 6

struct process {
    struct mm *mm; /* NULL: none */
    struct model model;
};
extern struct process processes[PROCESSES];
extern unsigned long step;
extern enum fork_way steps_fork_way; /* how they fork */

#define EXPECT(condition, format, ...)                               \
    do {                                                             \
        if (!(condition)) {                                          \
            printf("# step %lu: " format "\n", step, ##__VA_ARGS__); \
            fflush(stdout);                                          \
            exit(1);                                                 \
        }                                                            \
    } while (0)

/* The file that they map: a frame a page, NULL where nobody has touched it since it was cut. */
extern struct frame *file_frames[FILE_PAGES];
extern struct vm_source file;
void file_create(void);
void file_fill(void); /* as it was at first, if nobody maps it */

/* One step of process; one in twelve meets a failing allocation. */
void take_step(struct process *process);

#endif
