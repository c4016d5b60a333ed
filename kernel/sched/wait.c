/* SPDX-License-Identifier: MIT */
/* Waiting for things, and locks whose holder may wait. How a task sleeps and wakes is sched.c's. */
#include "kernel/sched/sched.h"
#include "kernel/task/task.h"

void wait_queue_init(struct wait_queue *queue)
{
    *queue = (struct wait_queue){ .lock = SPINLOCK_INIT(LOCK_WAIT_QUEUE) };
    list_init(&queue->waiters);
}

void wait_begin(struct wait_queue *queue)
{
    struct task *task = task_current();
    uint64_t irq = spin_lock_irq(&queue->lock);
    list_remove(&task->wait_link);
    task->state = TASK_WAITING;
    list_append(&task->wait_link, &queue->waiters);
    spin_unlock_irq(&queue->lock, irq);
    /* in the queue first, then the test of the condition; see wait_wake_all() */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void wait_end(struct wait_queue *queue)
{
    struct task *task = task_current();
    uint64_t irq = spin_lock_irq(&queue->lock);
    list_remove(&task->wait_link);
    task->state = TASK_RUNNING;
    spin_unlock_irq(&queue->lock, irq);
}

unsigned wait_wake(struct wait_queue *queue, unsigned count)
{
    unsigned woken = 0;
    uint64_t irq = spin_lock_irq(&queue->lock);
    for (; woken < count && !list_empty(&queue->waiters); woken++) {
        struct task *task = list_entry(queue->waiters.next, struct task, wait_link);
        list_remove(&task->wait_link);
        sched_wake(task);
    }
    spin_unlock_irq(&queue->lock, irq);
    return woken;
}

void wait_wake_all(struct wait_queue *queue)
{
    /* the condition has changed first, then the look at the queue */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!list_empty(&queue->waiters))
        (void)wait_wake(queue, ~0u);
}

void sleep_lock_init(struct sleep_lock *lock)
{
    wait_queue_init(&lock->queue);
    lock->held = false;
}

void sleep_lock(struct sleep_lock *lock)
{
    while (__atomic_exchange_n(&lock->held, true, __ATOMIC_ACQUIRE)) {
        wait_begin(&lock->queue);
        if (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
            wait_sleep_deaf();
        wait_end(&lock->queue);
    }
}

void sleep_unlock(struct sleep_lock *lock)
{
    __atomic_store_n(&lock->held, false, __ATOMIC_RELEASE);
    wait_wake_all(&lock->queue);
}

bool task_breathe(void)
{
    const struct task *task = task_current();
    sched_yield_if_due();
    return task->process && signal_fatal_due(task);
}
