/* SPDX-License-Identifier: MIT */
/*
 * Tasks (threads) and processes (what threads share).
 *
 * A task's life. Its state changes under its run queue's lock, except for the changes marked *,
 * which the running task itself makes, on its way into and out of a wait queue.
 *
 *    from       to         by                                  where the task is afterwards
 *    (new)      RUNNABLE   sched_add()                         in a run queue
 *    RUNNABLE   RUNNING    switch_away()                       run_queue.running of its CPU
 *    RUNNING    RUNNABLE   sched_yield()                       in the run queue of its CPU
 *    RUNNING    WAITING *  wait_again()                        in a wait queue, still on its CPU
 *    WAITING    RUNNING *  wait_end(), the condition holds     run_queue.running of its CPU
 *    WAITING    RUNNING    a wake before sched_sleep()         run_queue.running of its CPU
 *    WAITING    (same)     sched_sleep()                       in the wait queue, off its CPU
 *    WAITING    RUNNABLE   a wake, a deadline or a signal      in the run queue of its last CPU
 *    RUNNING    DEAD       sched_exit()                        run_queue.dead of its CPU; the next
 *                                                              task there frees it
 *
 * A process begins with its first task. When the last one has ended it is a zombie: its number and
 * its wait status alone remain, until its parent has waited for it.
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include "arch/x86/arch.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/types.h"
#include "kernel/sched/wait.h"
#include "kernel/signal/pending.h"
#include "kernel/time/timer.h"
#include "mm/mm.h"
#include "uapi/signal.h"

struct files;
struct fs;
struct inode;

enum task_state { TASK_RUNNABLE, TASK_RUNNING, TASK_WAITING, TASK_DEAD };

#define TASK_NAME_BYTES    16
#define PROCESS_PATH_BYTES 256

/* Linux's struct sigaction as rt_sigaction passes it. */
struct signal_action {
    uint64_t handler; /* SIG_DFL, SIG_IGN, or an address */
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

/* What tasks have used. The CPU time is exact. Timer ticks sample whether it is the program's or
 * the kernel's: what follows a tick, up to a switch, counts as what the tick found. */
struct usage {
    uint64_t user, system;       /* CPU time, in arch_cycles() */
    uint64_t faults;             /* page faults resolved */
    uint64_t waits, preemptions; /* switches to another task: to wait, and with more to do */
    uint64_t peak_frames;        /* the most that were seen mapped, of any one process */
};

/* In bytes, or whatever the resource is counted in; ~0: none. */
struct limit {
    uint64_t soft, hard;
};
#define LIMITS 16 /* by Linux's RLIMIT_* */

/* A process's stop, see kernel/signal/stop.c. */
struct stop {
    int signal;    /* the process is stopped, or about to be, by this; 0: it runs */
    bool whole;    /* every thread has stopped, and the parent has been told */
    unsigned left; /* threads that have yet to stop */
    int status;    /* wait status of its last stop or going on, 0 once wait4() has told it */
};

/* A traced task's stop for its tracer, see kernel/ptrace/. [T] but what [H] marks, which the tracer
 * changes while it holds the task still; the task itself reads without the lock. */
struct trap {
    bool on;
    bool listening;       /* the tracer has no requests until it stops anew */
    bool stepping;        /* [H] TF is the tracer's, not the program's */
    bool calls;           /* [H] it stops at system calls */
    bool is_signal;       /* it stopped for a signal, which info tells of */
    int code;             /* what wait4() is to tell, status >> 8; 0 once it has */
    int signal;           /* what the task goes on with, 0 for none */
    struct siginfo *info; /* on the task's stack; NULL: none */
};

/* What the threads of a process share.
 * [P] process.lock (irq)  [T] tasks_lock (irq)  [A] atomic  [I] fixed
 * [O] its own threads; changed while there is but one */
struct process {
    int pid;       /* [I] */
    uint32_t refs; /* [A] */
    struct spinlock lock;
    struct process *parent;        /* [T] */
    const struct task *made_by;    /* [T] the thread of parent that waits for it */
    int parent_pid;                /* [A] its number, 0 for none; changes with it */
    int group, session;            /* [T] the pids of those that began them */
    struct list children;          /* [T] of process.sibling */
    struct list sibling;           /* [T] */
    struct list threads;           /* [T] of task.thread_link, the oldest first */
    struct list all_link;          /* [T] every process */
    struct process *hash_next;     /* [T] same bucket of pids */
    struct mm *mm;                 /* [P] NULL once exited */
    struct files *files;           /* [O] NULL once exited */
    struct fs *fs;                 /* [O] NULL once exited */
    struct inode *program;         /* [P] what it runs, begun; NULL once exited */
    uint64_t acted;                /* [P] signal_bit() of each that has an action */
    struct signal_pending pending; /* [P] signals sent to the process */
    struct list timers;            /* [T] of timer_create(), by timer.link */
    unsigned next_timer;           /* [T] its number */
    bool cpu_timers;               /* [A] one of these counts CPU time */
    struct stop stop;              /* [T] */
    struct list tracees;           /* [T] of tracee.link: whom its threads trace */
    struct tracee *watch;          /* [T] who traces its first thread, see kernel/ptrace/ */
    bool unkillable;               /* [P] init: no default action ends it, unless forced */
    int wait_status;               /* [T] as wait4 reports it, once a zombie or exiting */
    int exit_signal;               /* [T] sent to the parent at the end, 0 for none */
    bool subreaper;                /* [A] orphans among its descendants become its children */
    bool execed;                   /* [T] runs another program than its parent did */
    bool zombie;                   /* [T] */
    bool exiting;                  /* [A] exit_group or a fatal signal: every thread leaves */
    struct task *execing;          /* [A] the one that all others leave to */
    enum fork_way fork_way;        /* [A] how it forks */
    struct usage ended_used;       /* [T] by the threads that have ended */
    struct usage children_used;    /* [T] by the children it has waited for, and by theirs */
    struct wait_queue child_wait;  /* waiters for a child's change, and a vfork parent */
    /* From here on a new process is not cleared, but filled in. */
    struct timer itimers[TIMER_KINDS];             /* [T] of setitimer() */
    struct limit limits[LIMITS];                   /* [P] soft is read without */
    char path[PROCESS_PATH_BYTES];                 /* [P] what exec ran, for /proc/PID/exe */
    struct signal_action action[SIGNAL_COUNT + 1]; /* [P] of the signals in acted */
};

/* A thread of maker waits until the task it made has left the address space. [T] */
struct vfork {
    struct process *maker;
    bool done;
};

/* One thread.
 * [R] its run queue's lock, see sched.c  [W] its wait queue's lock  [O] the task itself
 * [A] atomic  [I] fixed before the task is visible  [P] process.lock  [T] tasks_lock
 * [S] written by the task itself alone, with atomic stores; a reader gets some recent value */
struct task {
    struct arch_task arch;   /* [O] */
    int tid;                 /* [T] changes in exec alone, to the pid */
    struct process *process; /* [I] NULL for idle tasks, and at the very end */
    enum task_state state;   /* [R] but see the table above */
    unsigned cpu;            /* [R] whose run queue it belongs to */
    uint64_t affinity;       /* [A] the CPUs it may run on */
    struct list run_link;    /* [R] run queue */
    struct list wait_link;   /* [W] wait queue */
    struct list thread_link; /* [T] */
    struct task *hash_next;  /* [T] same bucket of tids */
    uint64_t wake_at_ns;     /* [R] */
    struct list timer_link;  /* [R] */
    struct mm *mm;           /* [O] what it runs on; NULL for idle */
    uint64_t shstk_features; /* [S] ARCH_SHSTK_* bits enabled */
    uint64_t shstk_locked;   /* [S] bits, known or not, that can no longer be changed */
    /* [O] the stack the kernel made for it, 0 when none */
    uint64_t shstk_start, shstk_bytes;
    struct task_signals signals;
    bool stopped;          /* [T] with its process; the task reads it without */
    struct tracee *tracee; /* [T] NULL: nobody traces it; see task_traced() */
    struct trap trap;
    uaddr_t clear_tid;          /* [O] the word to zero at the end, 0 for none */
    uaddr_t robust_list;        /* [O] the head of the list of robust futexes, 0 for none */
    struct vfork *vfork;        /* [T] a parent that waits until it has its memory back, or NULL */
    int slice_ticks;            /* [R] */
    struct usage used;          /* [S] */
    bool in_kernel;             /* [R] where the last tick found it */
    char name[TASK_NAME_BYTES]; /* [P] written by the task alone, which reads it without */
};

static inline struct task *task_current(void) { return arch_current_task(); }
/* tasks_lock is held. */
static inline void notice_set(struct task *task, uint32_t notice)
{
    __atomic_or_fetch(&task->signals.notice, notice, __ATOMIC_SEQ_CST);
}
/* Take it back; was it set? */
static inline bool notice_take(struct task *task, uint32_t notice)
{
    return __atomic_fetch_and(&task->signals.notice, ~notice, __ATOMIC_SEQ_CST) & notice;
}
static inline struct process *process_current(void) { return arch_current_task()->process; }

#endif
