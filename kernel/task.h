/* SPDX-License-Identifier: MIT */
/* Tasks (threads), processes (what threads share), waiting, and the scheduler's calls. */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include "arch/x86/arch.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/types.h"
#include "mm/mm.h"
#include "uapi/signal.h"

struct files;

enum task_state { TASK_RUNNABLE, TASK_RUNNING, TASK_WAITING, TASK_DEAD };

#define TASK_NAME_BYTES 16

/* A queue of tasks that wait for one thing. Guarded by run_lock inside. */
struct wait_queue { struct list waiters; };

/* Linux's struct sigaction as rt_sigaction passes it. */
struct signal_action {
    uint64_t handler;               /* 0 SIG_DFL, 1 SIG_IGN */
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

/* What the threads of a process share. [P] process.lock (irq)  [T] tasks_lock (irq)  [A] atomic  [I] fixed */
struct process {
    int             pid;            /* [I] */
    uint32_t        refs;           /* [A] */
    struct spinlock lock;
    struct process *parent;         /* [T] */
    struct list     children;       /* [T] of process.sibling */
    struct list     sibling;        /* [T] */
    struct list     threads;        /* [T] of task.thread_link */
    struct list     all_link;       /* [T] every process */
    struct process *hash_next;      /* [T] same bucket of pids */
    struct mm      *mm;             /* [P] NULL once exited */
    struct files   *files;          /* [P] NULL once exited */
    struct signal_action action[SIGNAL_COUNT + 1];   /* [P] */
    uint64_t        pending;        /* [P] signals sent to the process, bit signal - 1 */
    int             wait_status;    /* [T] as wait4 reports it, once a zombie */
    bool            zombie;         /* [T] */
    bool            exiting;        /* [P] exit_group or a fatal signal: every thread leaves */
    uint64_t        shstk_locked;   /* [P] ARCH_SHSTK_LOCK mask */
    uint64_t        ticks;          /* [A] timer ticks that found it running */
    char            path[256];      /* [P] what exec ran, for /proc/PID/exe */
    struct wait_queue child_wait;   /* waiters for a child's change, and a vfork parent */
};

/* One thread. [R] run_lock  [O] the task itself  [I] fixed before the task is visible  [P] process.lock */
struct task {
    struct arch_task arch;          /* [O] */
    int             tid;            /* [I] */
    struct process *process;        /* [I] */
    enum task_state state;          /* [R] */
    bool            on_cpu;         /* [R] its registers are in a CPU, or on the way there */
    struct list     run_link;       /* [R] run queue or wait queue */
    struct list     thread_link;    /* [T] */
    uint64_t        wake_at_ns;     /* [R] 0: no timeout */
    struct list     timer_link;     /* [R] */
    struct mm      *mm;             /* [O] what it runs on; NULL for idle */
    uint64_t        shstk_features; /* [O] ARCH_SHSTK_* bits enabled */
    uint64_t        shstk_start, shstk_bytes;   /* [O] the stack the kernel made for it, 0 when none */
    uint64_t        signal_mask;    /* [P] */
    uint64_t        pending;        /* [P] signals sent to this thread */
    uint64_t        clear_tid;      /* [O] user address to zero at exit, 0 for none */
    bool           *vfork_done;     /* [T] a vfork parent waits for this to become true */
    int             slice_ticks;    /* [O] */
    char            name[TASK_NAME_BYTES];   /* [P] */
};

static inline struct task *task_current(void) { return arch_current_task(); }
static inline struct process *process_current(void) { return arch_current_task()->process; }

/* ---- Waiting ------------------------------------------------------------------------------------------ */

void wait_queue_init(struct wait_queue *queue);

/*
 * The pattern: wait_begin() under (or before) the test of the condition, wait_sleep() with every lock dropped, again until
 * the condition holds; wait_end() after. A wake between the two is not lost. deadline_ns: arch_clock_ns() value, 0 for none.
 */
void wait_begin(struct wait_queue *queue);
/* 0 woken, -ETIMEDOUT, -EINTR when a signal is due (then the system call should end). */
MUST_CHECK int wait_sleep(struct wait_queue *queue, uint64_t deadline_ns);
/* The same, deaf to signals and without a deadline. */
void wait_sleep_deaf(struct wait_queue *queue);
void wait_end(struct wait_queue *queue);
/* Wake all; safe in interrupt context. */
void wait_wake_all(struct wait_queue *queue);

/* ---- Scheduler (kernel/sched.c) ----------------------------------------------------------------------- */

void sched_init(struct task *idle);         /* the boot CPU's own context becomes its idle task */
void sched_add(struct task *task);          /* a new task becomes runnable */
void sched_yield(void);
/* Switch away for good; the task's stack and structure are freed by whoever runs next. */
NORETURN void sched_exit(void);
NORETURN void sched_idle(void);
/* Make a waiting task look again: a signal came. */
void sched_interrupt(struct task *task);

/* ---- Processes (kernel/process.c) --------------------------------------------------------------------- */

extern struct spinlock tasks_lock;          /* [T] */

/* A process with one task, neither visible nor runnable yet; its mm and files are the caller's to fill in. NULL: no memory. */
MUST_CHECK struct process *process_create(void);
/* Undo it. mm and files are the caller's affair. */
void process_discard(struct process *process);
/* Make it visible as parent's child (NULL: nobody's, for init). */
void process_publish(struct process *process, struct process *parent);
static inline struct task *process_task(struct process *process)
{
    return list_entry(process->threads.next, struct task, thread_link);
}
void task_free(struct task *task);          /* stack, FPU area, structure */
void task_drop_mm(struct task *task);       /* the current one; tells a vfork parent */
void task_vfork_done(struct task *task);    /* its borrowed address space is the parent's alone again */

/* End the running task and, it being the last, its process. status as wait4 reports it. */
NORETURN void process_exit(int wait_status);
/* kernel/exec.c: run path in the current process. On success *frame starts the program; on failure nothing changed. */
MUST_CHECK int process_exec(const char *path, const char *const argv[], const char *const envp[], struct trap_frame *frame);

/* ---- Signals (kernel/signal.c) ------------------------------------------------------------------------ */

/* Is there a signal that the task has to act upon now? */
bool signal_due(const struct task *task);
/* Act on the current task's due signals: returns, or ends the process. */
void signal_act(void);
/* Send signal to a process, as kill(2) does; safe in interrupt context (console ^C). */
void process_signal(struct process *process, int signal);
/* A signal caused by the current instruction: acted upon whether blocked, ignored or handled. */
void signal_force(int signal);

/* ---- Shadow stacks (kernel/shstk.c) ------------------------------------------------------------------- */

enum shstk_mode { SHSTK_MARKED, SHSTK_OPTIN, SHSTK_OFF };
void shstk_init(void);                      /* reads shstk= and shstk_huge= from the command line */
/* A new program: no shadow stack, or, for a marked executable in marked mode, a fresh one. 0 or negative errno. */
MUST_CHECK int shstk_exec(struct task *task, struct mm *mm, bool marked);
/* The child of a fork goes on with its parent's features and SSP. */
void shstk_fork(struct task *child);

/* ---- For procfs and the console ----------------------------------------------------------------------- */

/* The process with this pid with a reference, or NULL. process_put() gives it back. */
MUST_CHECK struct process *process_find(int pid);
void process_hold(struct process *process);
void process_put(struct process *process);
/* The first process with a pid >= pid, with a reference; NULL at the end. */
MUST_CHECK struct process *process_next(int pid);
/* Its address space with a use of the caller's (mm_put() it), or NULL when it has exited. */
MUST_CHECK struct mm *process_mm(struct process *process);
/* May the caller look into (and write) target's memory: itself or one of its descendants. */
bool process_may_trace(struct process *caller, struct process *target);
char process_state_letter(struct process *process);     /* R S Z */

#endif
