/* SPDX-License-Identifier: MIT */
/* The end of a thread, of a process, and of all threads but one. */
#ifndef KERNEL_TASK_EXIT_H
#define KERNEL_TASK_EXIT_H

#include "base/types.h"

struct task;

/* What wait4() reports of a process that has ended by exit(code), and by a signal. */
static inline int status_exited(int code) { return (code & 0xff) << 8; }
static inline int status_killed(int signal) { return signal; }
/* And back: the signal, 0 for none; the exit code, where there is none. */
static inline int status_signal(int status) { return status & 0x7f; }
static inline int status_code(int status) { return status >> 8 & 0xff; }

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
/* The current task leaves its address space, which is still the loaded one: its robust futexes,
 * its shadow stack and who joins it are seen to. */
void task_tell_memory(struct task *task);
/* Its borrowed address space is the parent's alone again. */
void task_vfork_done(struct task *task);

#endif
