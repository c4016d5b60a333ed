/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: round robin on each CPU's run queue, preemptive in user mode. The kernel itself is
 * not preempted.
 *
 * A queue's lock is held, with interrupts off, across every switch. The new task releases it: at
 * the end of its own switch or, in its first run, in entry_task_begin(). So a task seen in a queue
 * has its registers saved.
 */
#include "kernel/sched/sched.h"

#include "arch/x86/upcalls.h"
#include "base/log.h"
#include "base/panic.h"
#include "kernel/planted.h"
#include "kernel/sched/queue.h"
#include "kernel/sched/watchdog.h"
#include "kernel/task/process.h"
#include "kernel/task/task.h"
#include "kernel/task/usage.h"
#include "kernel/time/timer.h"

#define SLICE_TICKS 3

static unsigned dying_count; /* [A] tasks that have ended, but whose stacks are not free yet */

/* ---- Switching ---------------------------------------------------------- */

/* On the new stack, with this CPU's queue locked: unlock the queue, and finish with the task that
 * was left. */
static void switch_finish(void)
{
    struct run_queue *queue = queue_here();
    struct task *dead = queue->dead;
    bool misplaced = !list_empty(&queue->set_aside);
    queue->dead = NULL;
    spin_unlock(&queue->lock);
    if (dead) {
        task_free(dead);
        __atomic_sub_fetch(&dying_count, 1, __ATOMIC_RELEASE);
    }
    if (misplaced)
        queue_set_aside_send(queue);
}

/* Charge the running task for the time and the faults since this CPU last did so. Interrupts are
 * off. */
static void charge(struct run_queue *queue)
{
    struct task *task = queue->running;
    uint64_t now = arch_cycles(), faults = arch_fault_count();
    used_add(task->in_kernel ? &task->used.system : &task->used.user, now - queue->charged_at);
    used_add(&task->used.faults, faults - queue->charged_faults);
    queue->charged_at = now;
    queue->charged_faults = faults;
}

void sched_charge(void)
{
    uint64_t irq = arch_irq_save();
    charge(queue_here());
    arch_irq_restore(irq);
}

/* Run the next task; returns, with the queue unlocked, when this one's turn comes again. */
static void switch_away(struct run_queue *queue)
{
    struct task *prev = queue->running, *next = queue_take(queue);
    next->state = TASK_RUNNING;
    next->slice_ticks = SLICE_TICKS;
    if (next == prev) {
        switch_finish();
        return;
    }
    charge(queue);
    used_add(prev->state == TASK_RUNNABLE ? &prev->used.preemptions : &prev->used.waits, 1);
    queue->running = next;
    if (next->mm != arch_current_mm() || !next->mm)
        mm_activate(next->mm);
    arch_switch(&prev->arch, &next->arch, next);
    switch_finish();
}

void entry_task_begin(void) { switch_finish(); }

void sched_init(struct task *idle)
{
    struct run_queue *queue = queue_here();
    queue_init(queue);
    idle->cpu = arch_cpu_id();
    idle->affinity = cpu_bit(idle->cpu);
    idle->state = TASK_RUNNING;
    queue->idle = queue->running = idle;
    queue->charged_at = arch_cycles();
}

void sched_add(struct task *task)
{
    uint64_t irq = arch_irq_save();
    uint64_t cpus = task->affinity & arch_cpus_online();
    unsigned cpu = cpus & cpu_bit(arch_cpu_id()) || !cpus ? arch_cpu_id()
                                                          : (unsigned)__builtin_ctzll(cpus);
    spin_lock(&run_queues[cpu].lock);
    queue_add(&run_queues[cpu], task);
    spin_unlock(&run_queues[cpu].lock);
    idle_notify(cpus, cpu);
    arch_irq_restore(irq);
}

void sched_yield(void)
{
    uint64_t irq = arch_irq_save();
    struct run_queue *queue = queue_here();
    spin_lock(&queue->lock);
    __atomic_store_n(&queue->resched, false, __ATOMIC_RELAXED);
    queue_add(queue, queue->running);
    switch_away(queue);
    arch_irq_restore(irq);
}

void sched_yield_if_due(void)
{
    if (__atomic_load_n(&queue_here()->resched, __ATOMIC_RELAXED))
        sched_yield();
}

/* ---- The end of a task -------------------------------------------------- */

void sched_dying(void) { __atomic_add_fetch(&dying_count, 1, __ATOMIC_RELAXED); }

void sched_settle(void)
{
    while (__atomic_load_n(&dying_count, __ATOMIC_ACQUIRE))
        sched_yield();
}

void sched_exit(void)
{
    arch_irq_disable();
    struct run_queue *queue = queue_here();
    spin_lock(&queue->lock);
    queue->running->state = TASK_DEAD;
    queue->dead = queue->running;
    switch_away(queue);
    panic("a dead task runs");
}

/* ---- Idle --------------------------------------------------------------- */

/* Halt, unless there is work after all. */
static void idle_halt(struct run_queue *queue)
{
    idle_begin(queue_cpu(queue));
    if (!__atomic_load_n(&queue->length, __ATOMIC_SEQ_CST) && !queue_steal(queue))
        arch_wait_for_interrupt();
    idle_end(queue_cpu(queue));
}

void sched_idle(void)
{
    struct run_queue *queue = queue_here();
    for (;;) {
        planted_idle(queue_cpu(queue));
        if (!queue->length && !queue_steal(queue))
            idle_halt(queue);
        spin_lock(&queue->lock);
        if (queue->length)
            switch_away(queue);
        else
            spin_unlock(&queue->lock);
    }
}

/* ---- Affinity ----------------------------------------------------------- */

void sched_set_affinity(struct task *task, uint64_t cpus)
{
    uint64_t irq = arch_irq_save();
    struct run_queue *queue = queue_lock_of(task);
    __atomic_store_n(&task->affinity, cpus, __ATOMIC_RELAXED);
    bool leave = queue->running == task && !(cpus & cpu_bit(queue_cpu(queue)));
    spin_unlock(&queue->lock);
    if (leave) {
        __atomic_store_n(&queue->resched, true, __ATOMIC_RELAXED);
        arch_request_user_return_of(queue_cpu(queue));
    } else {
        idle_notify(cpus, queue_cpu(queue)); /* the task may wait where it must not run */
    }
    arch_irq_restore(irq);
}

/* ---- Sleeping and waking ------------------------------------------------ */

/*
 * A waiting task becomes runnable. A task that has not left its CPU yet just goes on. Its queue is
 * locked. Returns the CPUs to pass to idle_notify() after unlocking: the task may be gone by then.
 */
static uint64_t task_wake(struct run_queue *queue, struct task *task)
{
    if (task->state != TASK_WAITING)
        return 0;
    list_remove(&task->timer_link);
    if (queue->running == task) {
        task->state = TASK_RUNNING;
        return 0;
    }
    queue_add(queue, task);
    return __atomic_load_n(&task->affinity, __ATOMIC_RELAXED);
}

void sched_wake(struct task *task)
{
    struct run_queue *queue = queue_lock_of(task);
    uint64_t cpus = task_wake(queue, task);
    spin_unlock(&queue->lock);
    if (cpus)
        idle_notify(cpus, queue_cpu(queue));
}

void sched_interrupt(struct task *task)
{
    uint64_t irq = arch_irq_save();
    struct run_queue *queue = queue_lock_of(task);
    bool running = queue->running == task;
    uint64_t cpus = task_wake(queue, task);
    if (running)
        arch_request_user_return_of(queue_cpu(queue));
    else
        task->arch.user_work = true;
    spin_unlock(&queue->lock);
    if (cpus)
        idle_notify(cpus, queue_cpu(queue));
    arch_irq_restore(irq);
}

bool sched_is_asleep(const struct task *task)
{
    uint64_t irq = arch_irq_save();
    struct run_queue *queue = queue_lock_of(task);
    bool asleep = task->state == TASK_WAITING && queue->running != task;
    spin_unlock(&queue->lock);
    arch_irq_restore(irq);
    return asleep;
}

static void timer_insert(struct run_queue *queue, struct task *task)
{
    struct list *where = queue->timers.prev;
    while (where != &queue->timers
           && list_entry(where, struct task, timer_link)->wake_at_ns > task->wake_at_ns)
        where = where->prev;
    list_add(&task->timer_link, where);
}

void sched_sleep(uint64_t deadline_ns)
{
    uint64_t irq = arch_irq_save();
    struct run_queue *queue = queue_here();
    spin_lock(&queue->lock);
    struct task *task = queue->running;
    if (task->state == TASK_WAITING) {
        if (deadline_ns) {
            task->wake_at_ns = deadline_ns;
            timer_insert(queue, task);
        }
        switch_away(queue);
    } else {
        spin_unlock(&queue->lock);
    }
    arch_irq_restore(irq);
}

/* ---- The tick ----------------------------------------------------------- */

/* Wake the tasks whose deadline has come. The queue is locked. Returns how many, and their CPUs. */
static unsigned timers_expire(struct run_queue *queue, uint64_t now, uint64_t *cpus)
{
    unsigned woken = 0;
    *cpus = 0;
    for (; !list_empty(&queue->timers); woken++) {
        struct task *task = list_entry(queue->timers.next, struct task, timer_link);
        if (task->wake_at_ns > now)
            break;
        *cpus |= task_wake(queue, task);
    }
    return woken;
}

/* The running task has used one tick more of its turn. The queue is locked. */
static void slice_use(struct run_queue *queue, bool from_user)
{
    struct task *task = queue->running;
    if (!task->process)
        return;
    task->in_kernel = !from_user;
    charge(queue);
    if (--task->slice_ticks <= 0 && queue->length) {
        __atomic_store_n(&queue->resched, true, __ATOMIC_RELAXED);
        arch_request_user_return();
    }
}

void entry_timer_tick(bool from_user)
{
    struct run_queue *queue = queue_here();
    uint64_t cpus, now = arch_clock_ns();
    watchdog_tick();
    log_tick();
    spin_lock(&queue->lock);
    unsigned woken = timers_expire(queue, now, &cpus);
    slice_use(queue, from_user);
    spin_unlock(&queue->lock);
    while (cpus && woken--)
        idle_notify(cpus, queue_cpu(queue));
    timers_tick(now, queue->running->process);
}
