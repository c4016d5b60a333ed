/* SPDX-License-Identifier: MIT */
/* The scheduler's calls. To wait for something, see wait.h. */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "base/types.h"

struct task;

void sched_init(struct task *idle); /* the context that runs becomes this CPU's idle task */
void sched_add(struct task *task);  /* a new task becomes runnable */
void sched_yield(void);
void sched_yield_if_due(void); /* only where the current task's turn is over */
void sched_charge(void);       /* the current task's use of the CPU is up to date */
/* The current task is about to end: sched_settle() waits for it from now on. */
void sched_dying(void);
/* Wait until the stacks of all tasks that have ended are free. The memory in use is then what the
 * living tasks need. */
void sched_settle(void);
/* Switch away for good, after sched_dying(). The next task on this CPU frees the task's stack and
 * structure. */
NORETURN void sched_exit(void);
NORETURN void sched_idle(void);
/* Switch away, unless woken already, until woken or until deadline_ns of arch_clock_ns() (0:
 * none). The task's state is TASK_WAITING. For wait.c. */
void sched_sleep(uint64_t deadline_ns);
/* Wake a task that wait_wake() has taken out of its queue; it cannot go away meanwhile. For
 * wait.c. */
void sched_wake(struct task *task);
/* Make a waiting task test its condition again, and a running one pass entry_user_return(). The
 * task cannot go away meanwhile. */
void sched_interrupt(struct task *task);
/* Is the task waiting, its registers saved? So it stays until somebody wakes it. */
bool sched_is_asleep(const struct task *task);
/* Let task run on these CPUs only, some of which are online. */
void sched_set_affinity(struct task *task, uint64_t cpus);

#endif
