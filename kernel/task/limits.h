/* SPDX-License-Identifier: MIT */
/* Resource limits. Those without a reader here are kept and inherited, as all are. */
#ifndef KERNEL_TASK_LIMITS_H
#define KERNEL_TASK_LIMITS_H

#include "kernel/task/process.h"

#define RLIMIT_DATA   2
#define RLIMIT_STACK  3
#define RLIMIT_NOFILE 7
#define RLIMIT_AS     9

/* From now on mm/ asks for the limits of the process that runs. */
void limits_init(void);
/* The limits of a process that inherits none. */
void limits_begin(struct process *process);

/* The soft limit of the current process; of none, where no process runs. */
static inline uint64_t limit_now(unsigned resource)
{
    struct process *process = process_current();
    return process ? __atomic_load_n(&process->limits[resource].soft, __ATOMIC_RELAXED) : ~0ull;
}

#endif
