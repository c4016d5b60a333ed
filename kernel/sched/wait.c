/* SPDX-License-Identifier: MIT */
/* Waiting for a condition, and locks whose holder may wait. How a task sleeps and wakes is in
 * sched.c. */
#include "kernel/sched/wait.h"

#include "kernel/planted.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/restart.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"

void wait_queue_init(struct wait_queue *queue)
{
    *queue = (struct wait_queue){ .lock = SPINLOCK_INIT(LOCK_WAIT_QUEUE) };
    list_init(&queue->waiters);
}

static void queue_enter(struct wait_queue *queue)
{
    struct task *task = task_current();
    uint64_t irq = spin_lock_irq(&queue->lock);
    list_remove(&task->wait_link);
    task->state = TASK_WAITING;
    list_append(&task->wait_link, &queue->waiters);
    spin_unlock_irq(&queue->lock, irq);
    /* enter the queue first, then test the condition; see wait_wake_all() */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void queue_leave(struct wait_queue *queue)
{
    struct task *task = task_current();
    uint64_t irq = spin_lock_irq(&queue->lock);
    list_remove(&task->wait_link);
    task->state = TASK_RUNNING;
    spin_unlock_irq(&queue->lock, irq);
}

/* Why a wait must end before the next sleep, if it must. A signal that arrives after this look
 * finds the task waiting, and wakes it. */
static int wait_must_end(const struct wait *wait)
{
    const struct task *task = task_current();
    uint64_t deadline_ns = wait->deadline_ns;
    if (wait->kind == WAIT_DEAF)
        return 0;
    if (wait->kind == WAIT_FOR_DEATH ? signal_fatal_due(task) : signal_due(task)) {
        arch_request_user_return(); /* another thread may take the signal, but the call ends */
        return -ERESTARTSYS;
    }
    return deadline_ns && arch_clock_ns() >= deadline_ns ? -ETIMEDOUT : 0;
}

bool wait_again(struct wait *wait)
{
    if (wait->err)
        return false;
    wait->in_queue = !wait->in_queue;
    if (wait->in_queue) {
        queue_enter(wait->queue);
        return true;
    }
    wait->err = wait_must_end(wait);
    if (!wait->err)
        sched_sleep(wait->deadline_ns);
    queue_leave(wait->queue);
    return true;
}

void wait_over(struct wait *wait)
{
    if (wait->in_queue)
        queue_leave(wait->queue);
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
    /* the caller has changed the condition first; the look at the queue comes second */
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
    wait_until_deaf(&lock->queue, !__atomic_exchange_n(&lock->held, true, __ATOMIC_ACQUIRE));
}

void sleep_unlock(struct sleep_lock *lock)
{
    __atomic_store_n(&lock->held, false, __ATOMIC_RELEASE);
    wait_wake_all(&lock->queue);
}

bool task_breathe(void)
{
    const struct task *task = task_current();
    if (!planted_breath(true))
        return false;
    sched_yield_if_due();
    return task->process && signal_fatal_due(task);
}
