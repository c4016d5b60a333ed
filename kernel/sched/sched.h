/* SPDX-License-Identifier: MIT */
/* Waiting, and the scheduler's calls. */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "base/list.h"
#include "base/lock.h"
#include "base/types.h"

struct task;

/* Tasks that wait for one thing, by task.wait_link. */
struct wait_queue {
    struct spinlock lock; /* irq */
    struct list waiters;  /* [lock] */
};
#define WAIT_QUEUE_INIT(name)                                   \
    {                                                           \
        SPINLOCK_INIT(LOCK_WAIT_QUEUE), LIST_INIT(name.waiters) \
    }

void wait_queue_init(struct wait_queue *queue);

/*
 * The pattern: wait_begin() under (or before) the test of the condition, wait_sleep() with every
 * lock dropped, again until the condition holds; wait_end() after. A wake between the two is not
 * lost. A task waits in one queue at a time.
 */
void wait_begin(struct wait_queue *queue);
/* 0 woken, -ETIMEDOUT, -EINTR when a signal is due (then the system call should end).
 * deadline_ns: of arch_clock_ns(), 0 for none. */
MUST_CHECK int wait_sleep(uint64_t deadline_ns);
/* The same, deaf to signals and without a deadline. It may return early: test the condition
 * again. */
void wait_sleep_deaf(void);
void wait_end(struct wait_queue *queue);
/* Wake the first count waiters; how many there were. Safe in interrupt context. */
unsigned wait_wake(struct wait_queue *queue, unsigned count);
/* Wake all. Whoever waits tested its condition after wait_begin(), so an empty queue needs no
 * lock. */
void wait_wake_all(struct wait_queue *queue);

/* A lock whose holder may wait and touch user memory. Nobody else may hold a spinlock while
 * waiting for it. */
struct sleep_lock {
    struct wait_queue queue;
    bool held; /* [A] */
};
void sleep_lock_init(struct sleep_lock *lock);
void sleep_lock(struct sleep_lock *lock);
void sleep_unlock(struct sleep_lock *lock);

void sched_init(struct task *idle); /* the context that runs becomes this CPU's idle task */
void sched_add(struct task *task);  /* a new task becomes runnable */
void sched_yield(void);
void sched_yield_if_due(void); /* only where the current task's turn is over */
/*
 * For every loop whose length a program chooses, once in a page's worth of work and with no
 * spinlock held: lets others run where the current task's turn is over. True: the task is to die;
 * the call ends with what it has done so far, or -EINTR.
 */
MUST_CHECK bool task_breathe(void);
/* The current task is about to end: sched_settle() waits for it from now on. */
void sched_dying(void);
/* Wait until the stacks of all tasks that have ended are free: their number is then what the
 * living ones need. */
void sched_settle(void);
/* Switch away for good, after sched_dying(); the task's stack and structure are freed by whoever
 * runs next on this CPU. */
NORETURN void sched_exit(void);
NORETURN void sched_idle(void);
/* Wake a task that wait_wake() has taken out of its queue; it cannot go away meanwhile. For
 * wait.c. */
void sched_wake(struct task *task);
/* Make a waiting task look again, or a running one come by: a signal came. The task cannot go
 * away meanwhile. */
void sched_interrupt(struct task *task);
/* Let task run on these CPUs only, some of which are online. */
void sched_set_affinity(struct task *task, uint64_t cpus);

/* ---- The watchdog (kernel/sched/watchdog.c) ----------------------------- */

void watchdog_begin(void); /* this CPU's timer has been started: from now on it must tick */
void watchdog_tick(void);  /* on every tick, interrupts off */
unsigned watchdog_stuck_count(void); /* CPUs found stuck since boot */

#endif
