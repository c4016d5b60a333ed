/* SPDX-License-Identifier: MIT */
/* The resources that tasks have used. */
#ifndef KERNEL_TASK_USAGE_H
#define KERNEL_TASK_USAGE_H

#include "kernel/task/task.h"

/* Add more to a sum that its owner alone changes, while others may read it. */
static inline void used_add(uint64_t *sum, uint64_t more)
{
    __atomic_store_n(sum, *sum + more, __ATOMIC_RELAXED);
}
void usage_add(struct usage *sum, const struct usage *more);

#define RUSAGE_SELF     0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD   1

/* What all threads of a process have used until now, the ended ones too; what its children have,
 * once it has waited for them; what the current task has. Other CPUs' tasks may lag behind by a
 * tick. */
struct usage usage_of(struct process *process, int who);
/* The first of these, with tasks_lock held. */
struct usage usage_locked(const struct process *process);
/* The current task, which is about to end, has its use counted as its process's. tasks_lock is
 * held. */
void usage_hand_over(struct task *task);
/* Look how much memory the current process, which runs in mm, has mapped; without shared only what
 * fork has not shared, which costs little (mm_resident()). */
void usage_note_peak(struct mm *mm, bool shared);

/* arch_cycles() in ticks of times(2). */
uint64_t usage_ticks(uint64_t cycles);
/* Write the use to a user's struct rusage; what is not counted becomes 0. 0 or -EFAULT. */
MUST_CHECK int usage_out(const struct usage *use, uaddr_t to);

#endif
