/* SPDX-License-Identifier: MIT */
/* The end of a thread, of a process, and of all threads but one. */
#ifndef KERNEL_TASK_EXIT_H
#define KERNEL_TASK_EXIT_H

#include "base/types.h"

struct process;
struct siginfo;
struct task;

/* The status that wait4() reports for a process that ended by exit(code), and by a signal. */
static inline int status_exited(int code) { return (code & 0xff) << 8; }
static inline int status_killed(int signal) { return signal; }
/* ... that was stopped, and that went on. */
static inline int status_stopped(int signal) { return signal << 8 | 0x7f; }
#define STATUS_CONTINUED 0xffff
/* Taken apart again: the signal, or 0; the exit code, if there is no signal. */
static inline int status_signal(int status) { return status & 0x7f; }
static inline int status_code(int status) { return status >> 8 & 0xff; }
/* CLD_* of any of these, and in *value the signal or exit code that goes with it. */
int status_explain(int status, int *value);

/* End the running task and, if it is the last, its process, which then gets this wait status, as on
 * Linux since 6.0, unless it was ended as a whole. */
NORETURN void task_exit(int wait_status);
/* End the running task's process: all its threads leave. The first status given counts. */
NORETURN void process_exit(int wait_status);
/* Make every other thread of the current process leave, and wait for that; -EAGAIN when another
 * thread asked first. */
MUST_CHECK int threads_end_others(void);
/* Must the current task leave its process? */
bool task_must_leave(const struct task *task);
/* The current task leaves its address space, which is still loaded: mark its robust futexes, unmap
 * its shadow stack, and wake the threads that join it. */
void task_tell_memory(struct task *task);
/* What a signal to its parent, SIGCHLD or another, says of a child: CLD_* and a signal or exit
 * code. tasks_lock is held. */
struct siginfo process_child_info(const struct process *child, int signal, int code, int value);
/* A zombie that its tracer has seen is its parent's to wait for; it vanishes if nobody would. No
 * spinlock is held; the caller has a reference. */
void process_zombie_tell(struct process *process);
/* A vfork child gives the borrowed address space back to its parent. */
void task_vfork_done(struct task *task);

#endif
