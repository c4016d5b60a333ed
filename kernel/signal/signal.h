/* SPDX-License-Identifier: MIT */
/* Signals. */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include "base/types.h"

struct process;
struct task;

/* Is there a signal that the task must act upon now? */
bool signal_due(const struct task *task);
/* Is there one that ends its process? */
bool signal_fatal_due(const struct task *task);
/* Send signal to a process, as kill(2) does. */
void process_signal(struct process *process, int signal);
/* Send signal to all processes but init and one more (NULL: no exception). Signal 0 sends nothing.
 * Returns whether there were any. Safe in interrupt context. */
bool processes_signal(const struct process *except, int signal);
/* Send signal to one thread of a process; -ESRCH when the process has no thread with this tid. tgid
 * 0: a thread of any process. */
MUST_CHECK int thread_signal(int tgid, int tid, int signal);
/* Send the current task a signal that its own instruction caused. Blocking, ignoring or handling it
 * changes nothing. */
void signal_force(int signal);

#endif
