/* SPDX-License-Identifier: MIT */
/* The process tree, as those who take something out of it need it. Private to process.c and
 * exit.c; tasks_lock is held. */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

struct process;
struct task;

extern struct process *init_process; /* fixed once it is published */

/* Out of every list; the caller drops the tree's reference. */
void process_unpublish(struct process *process);
/* Children of a dying process become init's; its zombies too, which init then reaps. */
void process_orphans_give(struct process *process);
/* It cannot be found by its tid any more. */
void task_unpublish(struct task *task);
/* Its process's pid, which no task has, becomes its tid. */
void task_take_pid(struct task *task);

#endif
