/* SPDX-License-Identifier: MIT */
/*
 * Who traces whom: how tracing begins and ends.
 *
 * A record, struct tracee, stands for one traced task. Invariants, with tasks_lock held:
 *
 *    - A record belongs to the list of its tracer's process, from tracee_begin() until tracee_end()
 *      or until a wait takes it out. Whoever takes it out frees it, without the lock.
 *    - record.task and task.tracee point to each other, or the task has ended and record.task is
 *      NULL. So two tracers cannot have one task, and a request finds its task or none.
 *    - record.tracer is a thread of its process: a thread that leaves lets go of its tracees in the
 *      same step in which it ceases to be one.
 *    - process.watch is the record of the task whose tid is the pid, or NULL. It outlives that
 *      task. When the process ends, it hides the zombie from its parent until the tracer has waited
 *      for it or lets go of it. If the tracer is of the parent's process, nothing is hidden: one
 *      wait is for both, and takes the record out.
 *    - task.trap.on: the task is stopped for its tracer. The task sets it; the tracer clears it,
 *      and so does the task when it must leave. A task that nobody traces is not stopped so.
 *    - The tracer reads and writes a tracee's registers with tasks_lock held, and only while the
 *      tracee waits off its CPU. Everything that wakes it takes the lock.
 */
#include "kernel/ptrace/tracee.h"

#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/task/exit.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/ptrace.h"

/* ---- Beginning ---------------------------------------------------------- */

struct tracee *tracee_create(void)
{
    struct tracee *tracee = kzalloc(sizeof(*tracee));
    if (tracee)
        list_init(&tracee->link);
    return tracee;
}

void tracee_discard(struct tracee *tracee)
{
    if (tracee && !tracee->process)
        kfree(tracee);
}

void tracee_begin(struct tracee *tracee, struct task *task, struct task *tracer)
{
    struct process *process = task->process;
    process_hold(process);
    tracee->tracer = tracer;
    tracee->process = process;
    tracee->task = task;
    tracee->tid = task->tid;
    task->trap.calls = false;
    list_append(&tracee->link, &tracer->process->tracees);
    __atomic_store_n(&task->tracee, tracee, __ATOMIC_RELAXED);
    if (task->tid == process->pid)
        process->watch = tracee;
}

/* ---- Going on ----------------------------------------------------------- */

int tracee_held(const struct task *task)
{
    if (!task->trap.on || task->trap.listening)
        return -ESRCH;
    return sched_is_asleep(task) ? 0 : -EAGAIN;
}

void tracee_resume(struct task *task, int signal)
{
    task->trap.signal = signal;
    task->trap.listening = false;
    __atomic_store_n(&task->trap.on, false, __ATOMIC_RELEASE);
    sched_interrupt(task);
}

void tracee_notify(struct task *task)
{
    if (!task->tracee || !task->tracee->seized)
        return;
    notice_set(task, NOTICE_TRAP);
    if (task->trap.listening)
        tracee_resume(task, 0);
}

/* ---- Ending ------------------------------------------------------------- */

void tracee_reaped(struct tracee *tracee)
{
    list_remove(&tracee->link);
    if (tracee->task)
        __atomic_store_n(&tracee->task->tracee, NULL, __ATOMIC_RELAXED);
    if (tracee->process->watch == tracee && !tracee->hides)
        tracee->process->watch = NULL;
}

void tracee_end(struct tracee *tracee, int signal)
{
    struct task *task = tracee->task;
    tracee_reaped(tracee);
    if (!task)
        return;
    (void)notice_take(task, NOTICE_TRAP);
    stop_rejoin(task);
    if (task->trap.on)
        tracee_resume(task, signal);
}

void tracee_free(struct tracee *tracee)
{
    struct process *process = tracee->process;
    if (tracee->hides)
        process_zombie_tell(process);
    process_put(process);
    if (tracee->replaced)
        process_put(process);
    kfree(tracee->replaced);
    kfree(tracee);
}

void tracees_leave(struct task *tracer, struct list *gone)
{
    list_for_each_safe (link, after, &tracer->process->tracees) {
        struct tracee *tracee = list_entry(link, struct tracee, link);
        if (tracee->tracer != tracer)
            continue;
        if (tracee->options & PTRACE_O_EXITKILL && tracee->task)
            signal_post_kernel(tracee->process, NULL, SIGKILL);
        const struct trap *trap = tracee->task ? &tracee->task->trap : NULL;
        tracee_end(tracee, trap && trap->is_signal ? trap->code : 0);
        list_append(link, gone);
    }
}

void tracees_free(struct list *gone)
{
    list_for_each_safe (link, after, gone) {
        list_remove(link);
        tracee_free(list_entry(link, struct tracee, link));
    }
}

/* ---- The end of a tracee ------------------------------------------------ */

static void ended_tell(struct tracee *tracee, int status)
{
    struct process *tracer = tracee->tracer->process;
    tracee->ended = true;
    tracee->status = status;
    signal_post_kernel(tracer, NULL, SIGCHLD);
    wait_wake_all(&tracer->child_wait);
}

void tracee_task_gone(struct task *task, int status)
{
    struct tracee *tracee = task->tracee;
    if (!tracee)
        return;
    __atomic_store_n(&task->tracee, NULL, __ATOMIC_RELAXED);
    tracee->task = NULL;
    if (tracee != task->process->watch)
        ended_tell(tracee, status);
}

bool tracee_zombie(struct process *process)
{
    struct tracee *tracee = process->watch;
    if (!tracee || tracee->tracer->process == process->parent)
        return false;
    tracee->hides = true;
    ended_tell(tracee, process->wait_status);
    return true;
}

void tracee_take_pid(struct task *task)
{
    struct process *process = task->process;
    struct tracee *tracee = task->tracee, *first = process->watch;
    if (!tracee)
        return;
    tracee->tid = process->pid;
    process->watch = tracee;
    if (first && first != tracee) {
        list_remove(&first->link);
        tracee->replaced = first;
    }
}
