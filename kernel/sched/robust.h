/* SPDX-License-Identifier: MIT */
/* Robust futexes, as the end of a task needs them. */
#ifndef KERNEL_SCHED_ROBUST_H
#define KERNEL_SCHED_ROBUST_H

struct task;

/* Mark the futexes on the current task's robust list, which it leaves behind, and wake a waiter of
 * each. */
void futex_robust_end(struct task *task);

#endif
