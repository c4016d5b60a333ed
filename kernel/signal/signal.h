/* SPDX-License-Identifier: MIT */
/* Signals. */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include "base/types.h"

struct process;
struct task;

/* Is there a signal that the task has to act upon now? */
bool signal_due(const struct task *task);
/* One that ends its process? */
bool signal_fatal_due(const struct task *task);
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

#endif
