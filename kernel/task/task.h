/* SPDX-License-Identifier: MIT */
/* Tasks (threads) and processes (what threads share). */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include "arch/x86/arch.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/types.h"
#include "kernel/sched/sched.h"
#include "mm/mm.h"
#include "uapi/signal.h"

struct files;

enum task_state { TASK_RUNNABLE, TASK_RUNNING, TASK_WAITING, TASK_DEAD };

#define TASK_NAME_BYTES    16
#define PROCESS_PATH_BYTES 256

/* Linux's struct sigaction as rt_sigaction passes it. */
struct signal_action {
    uint64_t handler; /* 0 SIG_DFL, 1 SIG_IGN */
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

/* What the threads of a process share. [P] process.lock (irq)  [T] tasks_lock (irq)  [A] atomic
 * [I] fixed */
struct process {
    int pid;       /* [I] */
    uint32_t refs; /* [A] */
    struct spinlock lock;
    struct process *parent;                        /* [T] */
    int parent_pid;                                /* [A] its number, 0 for none; changes with it */
    struct list children;                          /* [T] of process.sibling */
    struct list sibling;                           /* [T] */
    struct list threads;                           /* [T] of task.thread_link, the oldest first */
    struct list all_link;                          /* [T] every process */
    struct process *hash_next;                     /* [T] same bucket of pids */
    struct mm *mm;                                 /* [P] NULL once exited */
    struct files *files;                           /* [P] NULL once exited */
    struct signal_action action[SIGNAL_COUNT + 1]; /* [P] */
    uint64_t pending;              /* [P] signals sent to the process, bit signal - 1 */
    int wait_status;               /* [T] as wait4 reports it, once a zombie or exiting */
    bool zombie;                   /* [T] */
    bool exiting;                  /* [A] exit_group or a fatal signal: every thread leaves */
    struct task *execing;          /* [A] the one that all others leave to */
    uint64_t shstk_locked;         /* [A] ARCH_SHSTK_LOCK mask */
    uint64_t ticks;                /* [A] timer ticks that found it running */
    char path[PROCESS_PATH_BYTES]; /* [P] what exec ran, for /proc/PID/exe */
    struct wait_queue child_wait;  /* waiters for a child's change, and a vfork parent */
};

/* One thread. [R] its run queue's lock, see sched.c  [W] its wait queue's lock  [O] the task
 * itself  [A] atomic [I] fixed before the task is visible  [P] process.lock  [T] tasks_lock */
struct task {
    struct arch_task arch;   /* [O] */
    int tid;                 /* [I] but for exec, which makes it the pid */
    struct process *process; /* [I] NULL for idle tasks, and at the very end */
    enum task_state state;   /* [R] the task itself may begin and end waiting */
    unsigned cpu;            /* [R] whose run queue it belongs to */
    uint64_t affinity;       /* [A] the CPUs it may run on */
    struct list run_link;    /* [R] run queue */
    struct list wait_link;   /* [W] wait queue */
    struct list thread_link; /* [T] */
    struct task *hash_next;  /* [T] same bucket of tids */
    uint64_t wake_at_ns;     /* [R] */
    struct list timer_link;  /* [R] */
    struct mm *mm;           /* [O] what it runs on; NULL for idle */
    uint64_t shstk_features; /* [O] ARCH_SHSTK_* bits enabled */
    /* [O] the stack the kernel made for it, 0 when none */
    uint64_t shstk_start, shstk_bytes;
    uint64_t signal_mask; /* [O] read by others with process.lock */
    uint64_t pending;     /* [A] signals sent to this thread, set and taken with process.lock */
    uint64_t clear_tid;   /* [O] user address to zero at exit, 0 for none */
    uint64_t robust_list; /* [O] user address of the list of robust futexes, 0 for none */
    bool *vfork_done;     /* [T] a vfork parent waits for this to become true */
    int slice_ticks;      /* [R] */
    char name[TASK_NAME_BYTES]; /* [P] */
};

static inline struct task *task_current(void) { return arch_current_task(); }
static inline struct process *process_current(void) { return arch_current_task()->process; }

/* ---- Processes (kernel/task/process.c) ---------------------------------- */

extern struct spinlock tasks_lock; /* [T] */
extern struct list all_processes;  /* [T] by all_link, in order of publication */

/* A process with one task, neither visible nor runnable yet; its mm and files are the caller's
 * to fill in. NULL: no memory. */
MUST_CHECK struct process *process_create(void);
/* Undo it. mm and files are the caller's affair. */
void process_discard(struct process *process);
/* Make it visible as parent's child (NULL: nobody's, for init). */
void process_publish(struct process *process, struct process *parent);
static inline struct task *process_task(struct process *process)
{
    return list_entry(process->threads.next, struct task, thread_link);
}
void task_free(struct task *task); /* stack, FPU area, structure */
/* its borrowed address space is the parent's alone again */
void task_vfork_done(struct task *task);

/* Another task for the current process, neither visible nor runnable yet; NULL: no memory.
 * task_free() undoes it. */
MUST_CHECK struct task *thread_create(void);
/* Give it a tid and make it one of the process's threads; -EAGAIN, with nothing changed, when
 * the process is exiting. */
MUST_CHECK int thread_publish(struct task *task);
/* End the running task and, it being the last, its process. The status, as wait4 reports it, is
 * the process's if the task is its first thread and nobody ends the process as a whole, as on
 * Linux. */
NORETURN void task_exit(int wait_status);
/* End the running task's process: all its threads leave. The first status given counts. */
NORETURN void process_exit(int wait_status);
/* Make every other thread of the current process leave, and wait for it; -EAGAIN when another
 * one asked first. */
MUST_CHECK int threads_end_others(void);
/* Does the process wait for the current task to leave? */
bool task_must_leave(const struct task *task);
/* kernel/task/exec.c: run path in the current process. On success *frame starts the program; on
 * failure nothing changed. */
MUST_CHECK int process_exec(const char *path, const char *const argv[], const char *const envp[],
                            struct trap_frame *frame);

/* ---- Signals (kernel/signal/signal.c) ----------------------------------- */

/* Is there a signal that the task has to act upon now? */
bool signal_due(const struct task *task);
/* One that ends its process? */
bool signal_fatal_due(const struct task *task);
/* Act on the current task's due signals: returns, or ends the process. */
void signal_act(void);
/* Send signal to a process, as kill(2) does. */
void process_signal(struct process *process, int signal);
/* The same to all but init and one more (NULL: none; signal 0: nothing is sent). Were there any?
 * Safe in interrupt context. */
bool processes_signal(const struct process *except, int signal);
/* The same to one thread of it; -ESRCH when the process has none with this tid (tgid 0: whatever
 * its process). */
MUST_CHECK int thread_signal(int tgid, int tid, int signal);
/* A signal caused by the current instruction: acted upon whether blocked, ignored or handled. */
void signal_force(int signal);

/* ---- Shadow stacks (kernel/task/shstk.c) -------------------------------- */

enum shstk_mode { SHSTK_MARKED, SHSTK_OPTIN, SHSTK_OFF };
void shstk_init(void); /* reads shstk= and shstk_huge= from the command line */
/* A new program: no shadow stack, or, for a marked executable in marked mode, a fresh one. 0 or
 * negative errno. */
MUST_CHECK int shstk_exec(struct task *task, struct mm *mm, bool marked);
/* The child of a fork goes on with its parent's features and SSP. */
void shstk_fork(struct task *child);
/*
 * A new thread of the current process gets a shadow stack of its own when the caller has one: of
 * stack_bytes, or of the stack limit's size when that is 0, at most 4 GiB (as Linux). 0 or -ENOMEM.
 */
MUST_CHECK int shstk_thread(struct task *thread, uint64_t stack_bytes);
/* Unmap what shstk_thread() or exec mapped for task, unless it goes with the address space,
 * which nobody else uses. */
void shstk_thread_end(struct task *task);

/* ---- For procfs and the console ----------------------------------------- */

/* The task with this tid, NULL when there is none; tasks_lock is held, and keeps it. */
MUST_CHECK struct task *task_find_locked(int tid);
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
char process_state_letter(struct process *process);                        /* R S Z */
void process_path(struct process *process, char path[PROCESS_PATH_BYTES]); /* what exec ran */
unsigned process_thread_count(struct process *process);

/* ---- Futexes (kernel/sched/futex.c) ------------------------------------- */

void futex_init(void);
/* Wake up to count tasks of the current address space that wait on the word at va. */
void futex_wake_private(uint64_t va, unsigned count);
/* Mark the futexes on the dying task's robust list and wake a waiter of each. */
void futex_robust_end(struct task *task);

#endif
