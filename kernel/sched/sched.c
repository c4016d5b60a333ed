/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: a run queue for each CPU, round robin, preemptive in user mode. The kernel itself
 * is not preempted.
 *
 * A task belongs to the queue of the CPU it ran on last, task.cpu, and that queue's lock guards its
 * state. A woken task joins that queue, and an idle CPU is told, which comes and steals what may
 * run on it. A task found in a queue whose CPU its affinity no longer allows is set aside and sent
 * on.
 *
 * A queue's lock is held, with interrupts off, across every switch: the task that is switched to
 * releases it, at the end of its own switch or, when it is new, in entry_task_begin(). So a task
 * seen in a queue has its registers saved.
 */
#include "kernel/sched/sched.h"
#include "arch/x86/upcalls.h"
#include "base/log.h"
#include "base/panic.h"
#include "kernel/planted.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"

#define SLICE_TICKS 3

/* [R] lock  [A] atomic  [I] fixed once the CPU runs */
struct run_queue {
    struct spinlock lock;
    struct list tasks;     /* [R] runnable, next first */
    unsigned length;       /* [R] written; read by thieves without */
    struct list set_aside; /* [R] runnable, but not on this CPU */
    struct list timers;    /* [R] waiting tasks with a deadline, earliest first */
    struct task *running;  /* [R] */
    struct task *dead;     /* [R] switched away for good, its stack not yet freed */
    struct task *idle;     /* [I] */
    bool resched;          /* [A] the running task's turn is over */
};
static struct run_queue queues[CPUS_MAX];
static uint64_t idle_cpus;   /* [A] CPUs about to halt or halted, not yet told of work */
static unsigned dying_count; /* [A] tasks that have ended, but whose stacks are not free yet */

static struct run_queue *queue_here(void) { return &queues[arch_cpu_id()]; }
static uint64_t bit(unsigned cpu) { return 1ull << cpu; }
static unsigned cpu_of(const struct run_queue *queue) { return (unsigned)(queue - queues); }

/* ---- Queues ------------------------------------------------------------- */

/* Lock the queue that task belongs to. Interrupts are off. */
static struct run_queue *queue_lock_of(const struct task *task)
{
    for (;;) {
        struct run_queue *queue = &queues[__atomic_load_n(&task->cpu, __ATOMIC_ACQUIRE)];
        spin_lock(&queue->lock);
        if (cpu_of(queue) == __atomic_load_n(&task->cpu, __ATOMIC_RELAXED))
            return queue;
        spin_unlock(&queue->lock);
    }
}

/* Put a task whose registers are saved into queue, whose lock is held. */
static void queue_add(struct run_queue *queue, struct task *task)
{
    task->state = TASK_RUNNABLE;
    __atomic_store_n(&task->cpu, cpu_of(queue), __ATOMIC_RELEASE);
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
    return __atomic_load_n(&task->affinity, __ATOMIC_RELAXED) & bit(cpu);
}

/*
 * Tell one idle CPU of cpus that a task waits in the queue of cpu, that CPU itself first. No lock
 * is needed. The task joined its queue before idle_cpus is read here, and a CPU joins idle_cpus
 * before it reads the queues: one of the two sees the other.
 */
static void idle_tell(uint64_t cpus, unsigned cpu)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint64_t idle = __atomic_load_n(&idle_cpus, __ATOMIC_SEQ_CST) & cpus;
    while (idle) {
        unsigned to = idle & bit(cpu) ? cpu : (unsigned)__builtin_ctzll(idle);
        if (__atomic_fetch_and(&idle_cpus, ~bit(to), __ATOMIC_SEQ_CST) & bit(to)) {
            if (to != arch_cpu_id())
                arch_cpu_kick(to);
            return;
        }
        idle &= ~bit(to);
    }
}

/* The next task to run here; those that must not are set aside. The lock is held. */
static struct task *queue_take(struct run_queue *queue)
{
    while (!list_empty(&queue->tasks)) {
        struct task *task = list_entry(queue->tasks.next, struct task, run_link);
        queue_remove(queue, task);
        if (allowed_on(task, cpu_of(queue)))
            return task;
        list_append(&task->run_link, &queue->set_aside);
    }
    return queue->idle;
}

/* Send what was set aside where it may run. No lock is held; interrupts are off. */
static void set_aside_send(struct run_queue *queue)
{
    for (;;) {
        spin_lock(&queue->lock);
        struct task *task = list_empty(&queue->set_aside)
                                ? NULL
                                : list_entry(queue->set_aside.next, struct task, run_link);
        uint64_t cpus = task ? __atomic_load_n(&task->affinity, __ATOMIC_RELAXED)
                                   & arch_cpus_online()
                             : 0;
        if (cpus)
            list_remove(&task->run_link);
        spin_unlock(&queue->lock);
        if (!cpus)
            return;
        struct run_queue *to = &queues[__builtin_ctzll(cpus)];
        spin_lock(&to->lock);
        queue_add(to, task);
        spin_unlock(&to->lock);
        idle_tell(cpus, cpu_of(to));
    }
}

/* Two queues' locks are taken in the order of their CPUs. */
static void both_lock(struct run_queue *a, struct run_queue *b)
{
    spin_lock(a < b ? &a->lock : &b->lock);
    spin_lock_second(a < b ? &b->lock : &a->lock);
}

/* Move one task that may run here from another CPU's queue to this one's. Interrupts are off, no
 * lock is held. */
static bool steal(struct run_queue *here)
{
    for (uint64_t rest = arch_cpus_online() & ~bit(cpu_of(here)); rest; rest &= rest - 1) {
        struct run_queue *from = &queues[__builtin_ctzll(rest)];
        if (!__atomic_load_n(&from->length, __ATOMIC_SEQ_CST))
            continue;
        struct task *found = NULL;
        both_lock(here, from);
        list_for_each (link, &from->tasks) {
            found = list_entry(link, struct task, run_link);
            if (allowed_on(found, cpu_of(here)))
                break;
            found = NULL;
        }
        if (found) {
            queue_remove(from, found);
            queue_add(here, found);
        }
        spin_unlock(&from->lock);
        spin_unlock(&here->lock);
        if (found)
            return true;
    }
    return false;
}

/* ---- Switching ---------------------------------------------------------- */

/* On the new stack, this CPU's queue locked: unlock it and see to the task that was left. */
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
        set_aside_send(queue);
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
    queue->running = next;
    if (next->mm != arch_current_mm() || !next->mm)
        mm_activate(next->mm);
    arch_request_user_return(); /* the next task's signals may be due */
    arch_switch(&prev->arch, &next->arch, next);
    switch_finish();
}

void entry_task_begin(void) { switch_finish(); }

void sched_init(struct task *idle)
{
    struct run_queue *queue = queue_here();
    queue->lock = (struct spinlock)SPINLOCK_INIT(LOCK_RUN_QUEUE);
    list_init(&queue->tasks);
    list_init(&queue->set_aside);
    list_init(&queue->timers);
    idle->cpu = arch_cpu_id();
    idle->affinity = bit(idle->cpu);
    idle->state = TASK_RUNNING;
    queue->idle = queue->running = idle;
}

void sched_add(struct task *task)
{
    uint64_t irq = arch_irq_save();
    uint64_t cpus = task->affinity & arch_cpus_online();
    unsigned cpu = cpus & bit(arch_cpu_id()) || !cpus ? arch_cpu_id()
                                                      : (unsigned)__builtin_ctzll(cpus);
    spin_lock(&queues[cpu].lock);
    queue_add(&queues[cpu], task);
    spin_unlock(&queues[cpu].lock);
    idle_tell(cpus, cpu);
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

void sched_idle(void)
{
    struct run_queue *queue = queue_here();
    for (;;) {
        planted_idle(cpu_of(queue));
        if (!queue->length && !steal(queue)) {
            __atomic_fetch_or(&idle_cpus, bit(cpu_of(queue)), __ATOMIC_SEQ_CST);
            if (!__atomic_load_n(&queue->length, __ATOMIC_SEQ_CST) && !steal(queue))
                arch_wait_for_interrupt();
            __atomic_fetch_and(&idle_cpus, ~bit(cpu_of(queue)), __ATOMIC_SEQ_CST);
        }
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
    bool leave = queue->running == task && !(cpus & bit(cpu_of(queue)));
    unsigned cpu = cpu_of(queue);
    spin_unlock(&queue->lock);
    if (leave) {
        __atomic_store_n(&queue->resched, true, __ATOMIC_RELAXED);
        arch_request_user_return_of(cpu);
    } else {
        idle_tell(cpus, cpu); /* it may wait in a queue where it must not run */
    }
    arch_irq_restore(irq);
}

/* ---- Waiting ------------------------------------------------------------ */

/*
 * A waiting task becomes runnable; one that has not left its CPU yet just goes on. Its queue is
 * locked. Returns the CPUs of which an idle one should be told once it is not: the task may be gone
 * by then.
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
    uint64_t tell = task_wake(queue, task);
    spin_unlock(&queue->lock);
    if (tell)
        idle_tell(tell, cpu_of(queue));
}

static void timer_insert(struct run_queue *queue, struct task *task)
{
    struct list *where = queue->timers.prev;
    while (where != &queue->timers
           && list_entry(where, struct task, timer_link)->wake_at_ns > task->wake_at_ns)
        where = where->prev;
    list_add(&task->timer_link, where);
}

/* Switch away until woken, at the latest at deadline_ns (0: none); not at all if woken already
 * or, unless deaf, a signal is due. */
static void sleep(struct task *task, uint64_t deadline_ns, bool deaf)
{
    uint64_t irq = arch_irq_save();
    struct run_queue *queue = queue_here();
    spin_lock(&queue->lock);
    if (task->state == TASK_WAITING && (deaf || !signal_due(task))) {
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

int wait_sleep(uint64_t deadline_ns)
{
    struct task *task = task_current();
    sleep(task, deadline_ns, false);
    if (signal_due(task))
        return -EINTR;
    return deadline_ns && arch_clock_ns() >= deadline_ns ? -ETIMEDOUT : 0;
}

void wait_sleep_deaf(void) { sleep(task_current(), 0, true); }

void sched_interrupt(struct task *task)
{
    uint64_t irq = arch_irq_save();
    struct run_queue *queue = queue_lock_of(task);
    bool running = queue->running == task;
    uint64_t tell = task_wake(queue, task);
    if (running)
        arch_request_user_return_of(cpu_of(queue));
    spin_unlock(&queue->lock);
    if (tell)
        idle_tell(tell, cpu_of(queue));
    arch_irq_restore(irq);
}

/* ---- The tick ----------------------------------------------------------- */

void entry_timer_tick(bool from_user)
{
    (void)from_user;
    struct run_queue *queue = queue_here();
    uint64_t now = arch_clock_ns();
    watchdog_tick();
    uint64_t tell = 0;
    unsigned woken = 0;
    spin_lock(&queue->lock);
    for (; !list_empty(&queue->timers)
           && list_entry(queue->timers.next, struct task, timer_link)->wake_at_ns <= now;
         woken++)
        tell |= task_wake(queue, list_entry(queue->timers.next, struct task, timer_link));
    struct task *task = queue->running;
    if (task->process) {
        __atomic_add_fetch(&task->process->ticks, 1, __ATOMIC_RELAXED);
        if (--task->slice_ticks <= 0 && queue->length) {
            __atomic_store_n(&queue->resched, true, __ATOMIC_RELAXED);
            arch_request_user_return();
        }
    }
    spin_unlock(&queue->lock);
    while (tell && woken--)
        idle_tell(tell, cpu_of(queue));
}

void entry_user_return(struct trap_frame *frame)
{
    (void)frame;
    if (signal_due(task_current()))
        signal_act();
    sched_yield_if_due();
}
