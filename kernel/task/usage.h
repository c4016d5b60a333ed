/* SPDX-License-Identifier: MIT */
/* The resources a process has used. */
#ifndef KERNEL_TASK_USAGE_H
#define KERNEL_TASK_USAGE_H

#include "kernel/task/task.h"

static inline struct cpu_use cpu_use_read(const struct cpu_use *use)
{
    return (struct cpu_use){ __atomic_load_n(&use->user_ticks, __ATOMIC_RELAXED),
                             __atomic_load_n(&use->system_ticks, __ATOMIC_RELAXED) };
}
/* The resources used by the children that process has waited for, and by their children. */
struct cpu_use process_children_used(struct process *process);
/* From now on what a zombie and its children used counts for its parent's children. Returns that
 * use. tasks_lock is held. */
struct cpu_use usage_inherit(struct process *parent, const struct process *zombie);
/* Write the use to a user's struct rusage; fields that are not measured become 0. 0 or -EFAULT. */
MUST_CHECK int usage_out(const struct cpu_use *use, uaddr_t to);

#endif
