/* SPDX-License-Identifier: MIT */
/* Futexes, as the end of a task needs them. */
#ifndef KERNEL_SCHED_FUTEX_H
#define KERNEL_SCHED_FUTEX_H

#include "base/types.h"

struct task;

void futex_init(void);
/* Wake up to count tasks of the current address space that wait on the word. */
void futex_wake_word(uaddr_t word, unsigned count);
/* Mark the futexes on the current task's robust list, which it leaves behind, and wake a waiter of
 * each. */
void futex_robust_end(struct task *task);

#endif
