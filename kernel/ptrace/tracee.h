/* SPDX-License-Identifier: MIT */
/* Tracing: who traces whom, and a traced task's stops. */
#ifndef KERNEL_PTRACE_TRACEE_H
#define KERNEL_PTRACE_TRACEE_H

#include "kernel/task/process.h"

/* One task that is traced, as its tracer sees it. All [T]; process is fixed. */
struct tracee {
    struct list link;        /* tracer->process->tracees */
    struct task *tracer;     /* the one thread that may make requests */
    struct task *task;       /* NULL: it has ended */
    struct process *process; /* a reference */
    struct tracee *replaced; /* the record of the first thread, whose number an exec took over */
    int tid;
    unsigned options; /* PTRACE_O_* */
    bool seized;
    bool ended; /* with this wait status, of which the tracer has not been told */
    bool hides; /* the process, a zombie, from its parent */
    int status;
    uint64_t message; /* PTRACE_GETEVENTMSG */
};

static inline bool task_traced(const struct task *task)
{
    return __atomic_load_n(&task->tracee, __ATOMIC_RELAXED);
}

/* Is a zombie hidden from its parent, until its tracer has waited for it? tasks_lock is held. */
static inline bool process_hidden(const struct process *process)
{
    return process->watch && process->watch->hides;
}

/* ---- Beginning and ending (tracee.c) ------------------------------------ */

MUST_CHECK struct tracee *tracee_create(void); /* NULL: no memory */
/* Unless it is NULL or in use. No spinlock is held. */
void tracee_discard(struct tracee *tracee);
/* tracer traces task from now on. tasks_lock is held. */
void tracee_begin(struct tracee *tracee, struct task *task, struct task *tracer);
/* Tracing is over: the task goes on, with signal if it was stopped, or stops with its process. The
 * record is the caller's, to pass to tracee_free(). tasks_lock is held. */
void tracee_end(struct tracee *tracee, int signal);
/* A wait has told of its end: take it out. The rest is tracee_free()'s. tasks_lock is held. */
void tracee_reaped(struct tracee *tracee);
/* Free a record that tracee_end() or a wait has taken out; a process that its parent was not to see
 * as a zombie before the tracer is its parent's. No spinlock is held. */
void tracee_free(struct tracee *tracee);
/* A stopped tracee goes on, with signal. tasks_lock is held. */
void tracee_resume(struct task *task, int signal);
/* Is the task stopped for its tracer, and its registers saved? They stay so while tasks_lock is
 * held. -EAGAIN: soon; -ESRCH: no. */
MUST_CHECK int tracee_held(const struct task *task);

/* ---- For exit.c and process.c; tasks_lock is held ----------------------- */

/* The task has left its process, and would have this wait status alone. */
void tracee_task_gone(struct task *task, int status);
/* The process is a zombie. Returns whether a tracer is to see that before its parent does. */
MUST_CHECK bool tracee_zombie(struct process *process);
/* The tracer is leaving: its tracees join gone, by link. */
void tracees_leave(struct task *tracer, struct list *gone);
void tracees_free(struct list *gone); /* tasks_lock is not held */
/* An exec in task takes over the number of its process's first thread. */
void tracee_take_pid(struct task *task);
/* The process may go on (SIGCONT): a seized tracee tells its tracer. */
void tracee_notify(struct task *task);

/* ---- The traced task's own (stops.c) ------------------------------------ */

/* A signal has been taken: let the tracer decide. False: there is none to act upon. */
MUST_CHECK bool trace_signal(struct siginfo *info);
/* Stop with the process, by this signal, or, for 0, because the tracer wants it. */
void trace_stop(int signal);
/* A PTRACE_EVENT_*, if the tracer has asked for it; message is what PTRACE_GETEVENTMSG says. */
void trace_event(int event, uint64_t message);
void trace_exec(int former_tid);
void trace_exit(int wait_status);
/* The current task's TF goes if it is the tracer's; returns whether it was. */
static inline bool trace_unstep(void)
{
    struct task *self = task_current();
    bool was = self->trap.stepping;
    if (was)
        arch_step_set(&self->arch, false);
    self->trap.stepping = false;
    return was;
}
void trace_handler(void); /* a handler begins under single step */
/* Is a single step nobody's any more, because its tracer is gone? Then it was the last. */
MUST_CHECK bool trace_step_lost(void);

/* What a tracer is told of a task that makes another. */
struct trace_clone {
    int event; /* PTRACE_EVENT_*, 0 for none */
    struct tracee *child;
};
/* 0 or -ENOMEM. */
MUST_CHECK int trace_clone_begin(struct trace_clone *clone, uint64_t flags);
/* The child, which does not run yet, is traced like its maker. */
void trace_clone_adopt(struct trace_clone *clone, struct task *child);
/* It runs, or, for tid 0, does not exist after all. */
void trace_clone_end(struct trace_clone *clone, int tid);

#endif
