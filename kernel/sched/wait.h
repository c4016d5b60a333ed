/* SPDX-License-Identifier: MIT */
/* Waiting for a condition, and locks whose holder may wait. */
#ifndef KERNEL_SCHED_WAIT_H
#define KERNEL_SCHED_WAIT_H

#include "base/list.h"
#include "base/lock.h"
#include "base/types.h"

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
 * Wait until condition holds. 0 when it does; -ETIMEDOUT from deadline_ns of arch_clock_ns() on (0:
 * no deadline); -ERESTARTSYS when a signal is due and the system call should end.
 *
 * The condition is tested at once, again with the task in the queue, and after every wake. The code
 * that makes the condition true wakes the queue afterwards, so no wake is lost. The condition may
 * take spinlocks. It may also take what it waits for, because it is not tested again once it held.
 * It must not wait itself. Called with no spinlock held.
 */
#define wait_until(queue, condition, deadline_ns) \
    WAIT_LOOP(queue, condition, deadline_ns, WAIT_FOR_SIGNALS)
/* The same without a deadline; -ERESTARTSYS only when the task is being killed. */
#define wait_until_killed(queue, condition) WAIT_LOOP(queue, condition, 0, WAIT_FOR_DEATH)
/* The same for a task that no signal interrupts. */
#define wait_until_deaf(queue, condition)   (void)WAIT_LOOP(queue, condition, 0, WAIT_DEAF)

enum wait_kind { WAIT_FOR_SIGNALS, WAIT_FOR_DEATH, WAIT_DEAF };

/* One wait, on the waiter's stack. */
struct wait {
    struct wait_queue *queue;
    uint64_t deadline_ns;
    enum wait_kind kind;
    bool in_queue;
    int err;
};
#define WAIT_LOOP(wait_queue, condition, wait_deadline_ns, wait_kind) \
    ({                                                                \
        struct wait wait_ = {                                         \
            .queue = (wait_queue),                                    \
            .deadline_ns = (wait_deadline_ns),                        \
            .kind = (wait_kind),                                      \
        };                                                            \
        bool holds_;                                                  \
        while (!(holds_ = (condition)) && wait_again(&wait_)) {}      \
        wait_over(&wait_);                                            \
        holds_ ? 0 : wait_.err;                                       \
    })
/* Enter the queue, or sleep in it and leave it; false when the wait is over although the condition
 * does not hold. For WAIT_LOOP() alone, as is wait_over(). */
MUST_CHECK bool wait_again(struct wait *wait);
void wait_over(struct wait *wait);

/* Wake the first count waiters. Returns how many there were. Safe in interrupt context. */
unsigned wait_wake(struct wait_queue *queue, unsigned count);
/* Wake all. A waiter has tested its condition in the queue, so an empty queue needs no lock. */
void wait_wake_all(struct wait_queue *queue);

/* A lock whose holder may wait and touch user memory. Nobody waits for it with a spinlock held. */
struct sleep_lock {
    struct wait_queue queue;
    bool held; /* [A] */
};
void sleep_lock_init(struct sleep_lock *lock);
void sleep_lock(struct sleep_lock *lock);
void sleep_unlock(struct sleep_lock *lock);

/*
 * Every loop whose length a program chooses calls this once in a page's worth of work, with no
 * spinlock held. Other tasks run here when the current task's turn is over. True: the task is being
 * killed; the call must end with what it has done so far, or with -EINTR.
 */
MUST_CHECK bool task_breathe(void);

#endif
