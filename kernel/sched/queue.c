/* SPDX-License-Identifier: MIT */
/* The run queues: which task waits for which CPU, and how a task moves from one queue to
 * another. */
#include "kernel/sched/queue.h"

#include "kernel/task/task.h"

struct run_queue run_queues[CPUS_MAX];
static uint64_t idle_cpus; /* [A] CPUs about to halt or halted, not yet woken */

/* ---- Idle CPUs ---------------------------------------------------------- */

/* Wake cpu if it is idle and no other CPU has woken it. */
static bool idle_wake(unsigned cpu)
{
    if (!(__atomic_fetch_and(&idle_cpus, ~cpu_bit(cpu), __ATOMIC_SEQ_CST) & cpu_bit(cpu)))
        return false;
    if (cpu != arch_cpu_id())
        arch_cpu_kick(cpu);
    return true;
}

void idle_notify(uint64_t cpus, unsigned cpu)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint64_t idle = __atomic_load_n(&idle_cpus, __ATOMIC_SEQ_CST) & cpus;
    if (idle & cpu_bit(cpu) && idle_wake(cpu))
        return;
    unsigned other;
    for_each_cpu (other, idle) {
        if (idle_wake(other))
            return;
    }
}

void idle_begin(unsigned cpu) { __atomic_fetch_or(&idle_cpus, cpu_bit(cpu), __ATOMIC_SEQ_CST); }

void idle_end(unsigned cpu) { __atomic_fetch_and(&idle_cpus, ~cpu_bit(cpu), __ATOMIC_SEQ_CST); }

/* ---- One queue ---------------------------------------------------------- */

void queue_init(struct run_queue *queue)
{
    queue->lock = (struct spinlock)SPINLOCK_INIT(LOCK_RUN_QUEUE);
    list_init(&queue->tasks);
    list_init(&queue->set_aside);
    list_init(&queue->timers);
}

struct run_queue *queue_lock_of(const struct task *task)
{
    for (;;) {
        struct run_queue *queue = &run_queues[__atomic_load_n(&task->cpu, __ATOMIC_ACQUIRE)];
        spin_lock(&queue->lock);
        if (queue_cpu(queue) == __atomic_load_n(&task->cpu, __ATOMIC_RELAXED))
            return queue;
        spin_unlock(&queue->lock);
    }
}

void queue_add(struct run_queue *queue, struct task *task)
{
    task->state = TASK_RUNNABLE;
    __atomic_store_n(&task->cpu, queue_cpu(queue), __ATOMIC_RELEASE);
    list_append(&task->run_link, &queue->tasks);
    __atomic_store_n(&queue->length, queue->length + 1, __ATOMIC_RELAXED);
}

static void queue_remove(struct run_queue *queue, struct task *task)
{
    list_remove(&task->run_link);
    __atomic_store_n(&queue->length, queue->length - 1, __ATOMIC_RELAXED);
}

static bool allowed_on(const struct task *task, unsigned cpu)
{
    return __atomic_load_n(&task->affinity, __ATOMIC_RELAXED) & cpu_bit(cpu);
}

struct task *queue_take(struct run_queue *queue)
{
    while (!list_empty(&queue->tasks)) {
        struct task *task = list_entry(queue->tasks.next, struct task, run_link);
        queue_remove(queue, task);
        if (allowed_on(task, queue_cpu(queue)))
            return task;
        list_append(&task->run_link, &queue->set_aside);
    }
    return queue->idle;
}

/* ---- From one queue to another ------------------------------------------ */

/* Take out one of the tasks set aside, and the set of CPUs on which it may run. NULL: none of them
 * may run anywhere. */
static struct task *set_aside_take(struct run_queue *queue, uint64_t *cpus)
{
    struct task *task = NULL;
    *cpus = 0;
    spin_lock(&queue->lock);
    if (!list_empty(&queue->set_aside)) {
        task = list_entry(queue->set_aside.next, struct task, run_link);
        *cpus = __atomic_load_n(&task->affinity, __ATOMIC_RELAXED) & arch_cpus_online();
        if (*cpus)
            list_remove(&task->run_link);
    }
    spin_unlock(&queue->lock);
    return *cpus ? task : NULL;
}

void queue_set_aside_send(struct run_queue *queue)
{
    struct task *task;
    uint64_t cpus;
    while ((task = set_aside_take(queue, &cpus)) != NULL) {
        struct run_queue *to = &run_queues[__builtin_ctzll(cpus)];
        spin_lock(&to->lock);
        queue_add(to, task);
        spin_unlock(&to->lock);
        idle_notify(cpus, queue_cpu(to));
    }
}

/* Two queues' locks are taken in the order of their CPUs. */
static void both_lock(struct run_queue *a, struct run_queue *b)
{
    spin_lock(a < b ? &a->lock : &b->lock);
    spin_lock_second(a < b ? &b->lock : &a->lock);
}

/* The first task of from that may run on cpu, or NULL. from is locked. */
static struct task *first_allowed(struct run_queue *from, unsigned cpu)
{
    list_for_each (link, &from->tasks) {
        struct task *task = list_entry(link, struct task, run_link);
        if (allowed_on(task, cpu))
            return task;
    }
    return NULL;
}

/* Move one task that may run here from from to here. */
static bool steal_from(struct run_queue *here, struct run_queue *from)
{
    both_lock(here, from);
    struct task *task = first_allowed(from, queue_cpu(here));
    if (task) {
        queue_remove(from, task);
        queue_add(here, task);
    }
    spin_unlock(&from->lock);
    spin_unlock(&here->lock);
    return task != NULL;
}

bool queue_steal(struct run_queue *here)
{
    unsigned cpu;
    for_each_cpu (cpu, arch_cpus_online() & ~cpu_bit(queue_cpu(here))) {
        struct run_queue *from = &run_queues[cpu];
        if (__atomic_load_n(&from->length, __ATOMIC_SEQ_CST) && steal_from(here, from))
            return true;
    }
    return false;
}
