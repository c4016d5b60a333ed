/* SPDX-License-Identifier: MIT */
/*
 * The run queues, one for each CPU. Private to kernel/sched/. All functions want interrupts off.
 *
 * A task belongs to the queue of the CPU it ran on last, task.cpu, and that queue's lock guards its
 * state. A woken task joins that queue and an idle CPU is woken; it steals any task that may run
 * there. A task found in a queue whose CPU its affinity no longer allows is set aside and sent on.
 */
#ifndef KERNEL_SCHED_QUEUE_H
#define KERNEL_SCHED_QUEUE_H

#include "arch/x86/arch.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/types.h"

struct task;

/* [R] lock  [A] atomic  [C] this CPU alone, interrupts off  [I] fixed once the CPU runs */
struct run_queue {
    struct spinlock lock;
    struct list tasks;     /* [R] runnable, next first */
    unsigned length;       /* [R] changed under the lock; thieves read it without */
    struct list set_aside; /* [R] runnable, but not on this CPU */
    struct list timers;    /* [R] waiting tasks with a deadline, earliest first */
    struct task *running;  /* [R] */
    struct task *dead;     /* [R] switched away for good, its stack not yet freed */
    struct task *idle;     /* [I] */
    bool resched;          /* [A] the running task's turn is over */
    /* [C] arch_cycles() and arch_fault_count() up to which the running task has been charged */
    uint64_t charged_at, charged_faults;
};
extern struct run_queue run_queues[CPUS_MAX];

static inline struct run_queue *queue_here(void) { return &run_queues[arch_cpu_id()]; }
static inline unsigned queue_cpu(const struct run_queue *queue)
{
    return (unsigned)(queue - run_queues);
}
static inline uint64_t cpu_bit(unsigned cpu) { return 1ull << cpu; }

void queue_init(struct run_queue *queue);
/* Lock the queue that task belongs to. */
struct run_queue *queue_lock_of(const struct task *task);
/* Put a task whose registers are saved into queue, whose lock is held. */
void queue_add(struct run_queue *queue, struct task *task);
/* Take out the next task to run here, or the idle task when there is none. Tasks that must not run
 * here are set aside. The lock is held. */
struct task *queue_take(struct run_queue *queue);
/* Send each task that was set aside to a CPU where it may run. No lock is held. */
void queue_set_aside_send(struct run_queue *queue);
/* Move one task that may run here from another CPU's queue to here; false when there is none. No
 * lock is held. */
MUST_CHECK bool queue_steal(struct run_queue *here);

/*
 * Wake one idle CPU of cpus, preferably cpu, in whose queue a task waits. No lock is needed: the
 * task joined its queue before the set of idle CPUs is read here, and a CPU joins that set before
 * it reads the queues, so one of the two sees the other.
 */
void idle_notify(uint64_t cpus, unsigned cpu);
/* idle_begin(): this CPU looks for work for the last time before it halts. idle_end(): it is no
 * longer idle. */
void idle_begin(unsigned cpu);
void idle_end(unsigned cpu);

#endif
