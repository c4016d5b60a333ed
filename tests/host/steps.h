/* SPDX-License-Identifier: MIT */
/* What the processes of mm_test do: one random step after the other, each checked against the
 * model. */
#ifndef TESTS_HOST_STEPS_H
#define TESTS_HOST_STEPS_H

#include "expect.h"
#include "model.h"

#define PROCESSES 6

struct process {
    struct mm *mm; /* NULL: no process */
    struct model model;
};
extern struct process processes[PROCESSES];
extern unsigned long step;
extern enum fork_way steps_fork_way; /* how they fork */

/* The frames of the file that the processes map; NULL where a page was not touched since it was cut
 * off. */
extern struct frame *file_frames[FILE_PAGES];
extern struct vm_source file;
void file_create(void);
void file_fill(void); /* gives the file its first contents, unless it is mapped */

/* Cells side by side. */
struct range {
    unsigned first, count;
    uint64_t start, bytes;
    bool huge;
};
struct range random_range(void);
extern bool may_run_out; /* this step meets a failing allocation */
void step_remap(struct process *process);

/* Take one step of process. In one step of twelve an allocation fails. */
void take_step(struct process *process);

#endif
