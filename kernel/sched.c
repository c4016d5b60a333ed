/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: round robin over one run queue, preemptive in user mode. The kernel itself is not preempted.
 *
 * run_lock is held, with interrupts off, across every switch: the task that is switched to releases it, at the end of its own
 * switch or, when it is new, in entry_task_begin().
 */
#include "base/panic.h"
#include "kernel/entry.h"
#include "kernel/task.h"
#include "uapi/errno.h"

#define SLICE_TICKS 3

static struct spinlock run_lock = SPINLOCK_INIT;
static struct list run_queue = LIST_INIT(run_queue);    /* [R] runnable tasks, next first */
static struct list timers = LIST_INIT(timers);          /* [R] waiting tasks with a deadline, earliest first */
static struct task *idle_task;                          /* [I] */
static struct task *dead_task;                          /* [R] switched away for good, its stack not yet freed */
static bool need_resched;                               /* [R] */

/* ---- Switching ---------------------------------------------------------------------------------------- */

/* On the new stack, run_lock held: drop it and free the task that has just left for good. */
static void switch_finish(void)
{
    struct task *dead = dead_task;
    dead_task = NULL;
    spin_unlock(&run_lock);
    if (dead)
        task_free(dead);
}

/* Run the next task; returns, with run_lock dropped, when this one's turn comes again. */
static void switch_away(void)
{
    struct task *prev = task_current(), *next = idle_task;
    if (!list_empty(&run_queue)) {
        next = list_entry(run_queue.next, struct task, run_link);
        list_remove(&next->run_link);
    }
    next->state = TASK_RUNNING;
    next->slice_ticks = SLICE_TICKS;
    if (next == prev) {
        spin_unlock(&run_lock);
        return;
    }
    prev->on_cpu = false;
    next->on_cpu = true;
    if (next->mm != arch_current_mm() || next == idle_task)
        mm_activate(next->mm);
    arch_request_user_return();             /* the next task's signals may be due */
    arch_switch(&prev->arch, &next->arch, next);
    switch_finish();
}

void entry_task_begin(void)
{
    switch_finish();
}

void sched_init(struct task *idle)
{
    idle_task = idle;
    idle->state = TASK_RUNNING;
    idle->on_cpu = true;
}

void sched_add(struct task *task)
{
    uint64_t irq = spin_lock_irq(&run_lock);
    task->state = TASK_RUNNABLE;
    list_append(&task->run_link, &run_queue);
    spin_unlock_irq(&run_lock, irq);
}

void sched_yield(void)
{
    uint64_t irq = spin_lock_irq(&run_lock);
    struct task *task = task_current();
    need_resched = false;
    task->state = TASK_RUNNABLE;
    list_append(&task->run_link, &run_queue);
    switch_away();
    arch_irq_restore(irq);
}

void sched_exit(void)
{
    (void)!spin_lock_irq(&run_lock);
    task_current()->state = TASK_DEAD;
    dead_task = task_current();
    switch_away();
    panic("a dead task runs");
}

void sched_idle(void)
{
    for (;;) {
        (void)!spin_lock_irq(&run_lock);
        if (list_empty(&run_queue)) {
            spin_unlock(&run_lock);
            arch_wait_for_interrupt();
        } else {
            switch_away();
        }
    }
}

/* ---- Waiting ------------------------------------------------------------------------------------------ */

void wait_queue_init(struct wait_queue *queue)
{
    list_init(&queue->waiters);
}

/* A waiting task becomes runnable; one that has not left its CPU yet just goes on. run_lock is held. */
static void task_wake(struct task *task)
{
    list_remove(&task->run_link);
    list_remove(&task->timer_link);
    if (task->on_cpu) {
        task->state = TASK_RUNNING;
    } else {
        task->state = TASK_RUNNABLE;
        list_append(&task->run_link, &run_queue);
    }
}

static void timer_insert(struct task *task)
{
    struct list *where = timers.prev;
    while (where != &timers && list_entry(where, struct task, timer_link)->wake_at_ns > task->wake_at_ns)
        where = where->prev;
    list_add(&task->timer_link, where);
}

void wait_begin(struct wait_queue *queue)
{
    struct task *task = task_current();
    uint64_t irq = spin_lock_irq(&run_lock);
    list_remove(&task->run_link);
    task->state = TASK_WAITING;
    list_append(&task->run_link, &queue->waiters);
    spin_unlock_irq(&run_lock, irq);
}

int wait_sleep(struct wait_queue *queue, uint64_t deadline_ns)
{
    (void)queue;
    struct task *task = task_current();
    uint64_t irq = spin_lock_irq(&run_lock);
    if (task->state == TASK_WAITING && !signal_due(task)) {
        if (deadline_ns) {
            task->wake_at_ns = deadline_ns;
            timer_insert(task);
        }
        switch_away();
    } else {
        spin_unlock(&run_lock);
    }
    arch_irq_restore(irq);
    if (signal_due(task))
        return -EINTR;
    return deadline_ns && arch_clock_ns() >= deadline_ns ? -ETIMEDOUT : 0;
}

void wait_sleep_deaf(struct wait_queue *queue)
{
    (void)queue;
    uint64_t irq = spin_lock_irq(&run_lock);
    if (task_current()->state == TASK_WAITING)
        switch_away();
    else
        spin_unlock(&run_lock);
    arch_irq_restore(irq);
}

void wait_end(struct wait_queue *queue)
{
    (void)queue;
    struct task *task = task_current();
    uint64_t irq = spin_lock_irq(&run_lock);
    list_remove(&task->run_link);
    list_remove(&task->timer_link);
    task->state = TASK_RUNNING;
    spin_unlock_irq(&run_lock, irq);
}

void wait_wake_all(struct wait_queue *queue)
{
    uint64_t irq = spin_lock_irq(&run_lock);
    while (!list_empty(&queue->waiters))
        task_wake(list_entry(queue->waiters.next, struct task, run_link));
    spin_unlock_irq(&run_lock, irq);
}

void sched_interrupt(struct task *task)
{
    uint64_t irq = spin_lock_irq(&run_lock);
    if (task->state == TASK_WAITING)
        task_wake(task);
    if (task->on_cpu)
        arch_request_user_return();
    spin_unlock_irq(&run_lock, irq);
}

/* ---- The tick ----------------------------------------------------------------------------------------- */

void entry_timer_tick(bool from_user)
{
    (void)from_user;
    struct task *task = task_current();
    uint64_t now = arch_clock_ns();
    spin_lock(&run_lock);
    while (!list_empty(&timers) && list_entry(timers.next, struct task, timer_link)->wake_at_ns <= now)
        task_wake(list_entry(timers.next, struct task, timer_link));
    if (task && task->process) {
        __atomic_add_fetch(&task->process->ticks, 1, __ATOMIC_RELAXED);
        if (--task->slice_ticks <= 0 && !list_empty(&run_queue)) {
            need_resched = true;
            arch_request_user_return();
        }
    }
    spin_unlock(&run_lock);
}

void entry_user_return(struct trap_frame *frame)
{
    (void)frame;
    if (signal_due(task_current()))
        signal_act();
    if (need_resched)
        sched_yield();
}
