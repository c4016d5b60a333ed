/* SPDX-License-Identifier: MIT */
/* Processes and the tree they form: made, found, related, taken out. */
#ifndef KERNEL_TASK_PROCESS_H
#define KERNEL_TASK_PROCESS_H

#include "kernel/task/task.h"

extern struct spinlock tasks_lock;   /* [T] */
extern struct list all_processes;    /* [T] by all_link, in order of publication */
extern struct process *init_process; /* fixed once it is published */

/* ---- Making ------------------------------------------------------------- */

/* A process with one task, neither visible nor runnable yet; its mm, files, limits and path are the
 * caller's to fill in. NULL: no memory. */
MUST_CHECK struct process *process_create(void);
/* Undo process_create(). The caller sees to mm and files. */
void process_discard(struct process *process);
/* Make it visible in maker's group and session, as maker's child or, if sibling, as one more of its
 * parent's, with maker's exit signal. NULL: nobody made init. -ERESTARTNOINTR, with nothing
 * changed: the current task is being killed, and the child might escape what kills its group. */
MUST_CHECK int process_publish(struct process *process, struct process *maker, bool sibling);
static inline struct task *process_task(const struct process *process)
{
    return list_entry(process->threads.next, struct task, thread_link);
}
void task_free(struct task *task); /* stack, FPU area, structure */

/* Another task for the current process, neither visible nor runnable yet; NULL: no memory.
 * task_free() undoes it. */
MUST_CHECK struct task *thread_create(void);
/* Give it a tid and make it one of the process's threads; -EAGAIN, with nothing changed, when
 * the process is exiting. */
MUST_CHECK int thread_publish(struct task *task);

/* ---- Finding ------------------------------------------------------------ */

/* The task with this tid, NULL when there is none; tasks_lock is held, and keeps it. */
MUST_CHECK struct task *task_find_locked(int tid);
/* The process with this pid, or with a thread of this tid, as Linux finds it; NULL when there is
 * none. tasks_lock is held, and keeps it. */
MUST_CHECK struct process *process_find_locked(int pid);
/* The same with a reference, which process_put() gives back. */
MUST_CHECK struct process *process_find(int pid);
void process_hold(struct process *process);
void process_put(struct process *process);
/* The first process with a pid >= pid, with a reference; NULL at the end. */
MUST_CHECK struct process *process_next(int pid);
/* The process's address space, which the caller uses until mm_put(); NULL when the process has
 * exited. */
MUST_CHECK struct mm *process_mm(struct process *process);
/* May the caller look into (and write) target's memory: itself or one of its descendants. */
bool process_may_trace(struct process *caller, struct process *target);
char process_state_letter(struct process *process); /* R S T t Z, of its first thread */
void process_path(struct process *process, char path[PROCESS_PATH_BYTES]); /* what exec ran */
unsigned process_count(void);                                              /* zombies included */
unsigned process_thread_count(struct process *process);

/* ---- The running task --------------------------------------------------- */

/* The current task's name becomes the first bytes of name. */
void task_rename(const char *name);

/* ---- Leaving the tree (for exit.c; tasks_lock is held) ------------------ */

/* Take the process out of every list. The caller drops the tree's reference. */
void process_unpublish(struct process *process);
/* Would nobody wait for this zombie, because its parent ignores the end of its children? */
bool process_unwanted(const struct process *zombie);
/* Children of a dying process become those of its nearest ancestor that is a subreaper, or init's.
 * Zombies that nobody would wait for are taken out of the tree and put in the list, by sibling.
 * Returns the new parent if it is to be told of zombies, of which *zombie is one, else NULL. */
MUST_CHECK struct process *process_orphans_give(struct process *process, struct list *unwanted,
                                                struct process **zombie);
/* A thread has ended: an older one of its process waits for its children in its place. */
void process_children_pass(const struct task *task);
/* The task cannot be found by its tid any more. */
void task_unpublish(struct task *task);
/* The task's tid becomes its process's pid, which no other task has. */
void task_take_pid(struct task *task);

#endif
