/* SPDX-License-Identifier: MIT */
/* Signals. */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include "kernel/signal/pending.h"

struct process;
struct task;

/* ---- Looking (action.c) ------------------------------------------------- */

/* Is there a signal that the task must act upon now? */
bool signal_due(const struct task *task);
/* Is there one that ends its process? */
bool signal_fatal_due(const struct task *task);
/* What the process does about it. process.lock is held, or the answer may be old. */
const struct signal_action *signal_action(const struct process *process, int signal);
/* Does the process ignore it, by its action? process.lock is held, or the answer may be old. */
bool signal_ignored(const struct process *process, int signal);
/* What signals do by default, if not nothing, is to stop (SIGNALS_STOP) or to end the process. */
bool signal_default_ignored(int signal);
/* Must the task give up whatever it waits for, because its process ends? */
bool signal_kill_due(const struct task *task);
bool signal_killed(const struct task *task); /* by SIGKILL, which it has not taken yet */

/* ---- Sending (send.c) --------------------------------------------------- */

/* Send a signal to a process, or to one of its threads, as kill(2) and tkill(2) do. When there is
 * no memory, info is lost; a real-time signal is refused then (-EAGAIN), unless it is kill()'s. */
int process_signal_info(struct process *process, const struct siginfo *info);
void process_signal(struct process *process, int signal); /* the kernel's */
/* The same to thread, or to the process when that is NULL. *entry is used, and NULL
 * afterwards, or left; it may be NULL before. tasks_lock is held. */
void signal_post(struct process *process, struct task *thread, const struct siginfo *info,
                 struct signal_entry **entry);
/* The same, from the kernel and without an entry. */
void signal_post_kernel(struct process *process, struct task *thread, int signal);
/* Would the process keep this signal now? tasks_lock is held. */
bool process_hears(const struct process *process, int signal);
/* Send signal to all processes but init and one more (NULL: no exception). Signal 0 sends nothing.
 * Returns whether there were any. Safe in interrupt context. */
bool processes_signal(const struct process *except, int signal);
void group_signal(int group, int signal); /* the kernel's, to a group; tasks_lock is held */
/* Send a signal to the process with this pid or, unless tid is 0, to its thread with this tid; pid
 * 0: to a thread of any process. -ESRCH: there is none. Signal 0 sends nothing. */
MUST_CHECK int thread_signal(int pid, int tid, const struct siginfo *info);
void signal_send_self(int signal); /* to the current task, as from its own process */
/* Send the current task a signal that its own instruction caused. As on Linux: when it is blocked
 * or ignored, or fatal is set, it takes its default action; it ends init as well. */
void signal_force(const struct siginfo *info, bool fatal);
void signal_force_kernel(int signal, bool fatal); /* the same, with SI_KERNEL */

/* ---- A task's own (action.c) -------------------------------------------- */

struct signal_action;
/* As sigaction(2) for the current process; new: NULL for none. 0 or -EINVAL. */
MUST_CHECK int signal_action_change(int signal, const struct signal_action *new,
                                    struct signal_action *old);
/* As rt_sigreturn(2), after a handler of 32-bit code with siginfo or without; returns RAX. */
long signal_return32(bool with_info);
void signal_mask_set(uint64_t mask); /* the current task's */
/* Take one of the current task's pending signals in among; false: none. */
bool signal_take(uint64_t among, struct siginfo *info);
/* A new task's; a thread or a child that shares memory, but no vfork child, has no signal stack. */
void task_signals_init(struct task *task);
void task_signals_inherit(struct task *task, bool own_stack);
/* The actions of from become those of process, which is from itself or known to nobody else;
 * without_handlers: as exec leaves them. from->lock is held. */
void signal_actions_copy(struct process *process, const struct process *from,
                         bool without_handlers);
/* exec: what is not ignored takes its default action; all lose their flags. tasks_lock and
 * process.lock are held. */
void signals_exec(struct process *process);
void signal_stack_reset(struct stack_info *stack);
/* As sigaltstack(2), of a task whose stack pointer is sp. */
MUST_CHECK int signal_stack_set(const struct stack_info *new, uint64_t sp);

/* ---- Stopping and going on (stop.c) ------------------------------------- */

/* The current task has taken a stop signal whose default action it is to take. */
void signal_stop(int signal);
/* Act on the current task's notices, of which there are some: stop, and return once the process
 * goes on. Does not return if the task must leave. */
void notices_act(void);
/* A stop signal or SIGCONT is being sent: the other kind is no longer pending, and SIGCONT lets the
 * process go on, whatever becomes of it. tasks_lock is held. */
void signal_counter(struct process *process, int signal);
/* A thread that the current task has made stops with it. tasks_lock is held. */
void stop_join(struct task *thread);
/* The task has left its process's threads: nobody waits for it to stop. */
void stop_leave(struct task *task);
/* Nobody traces the task any more: it stops if its process is stopped. tasks_lock is held. */
void stop_rejoin(struct task *task);
/* The task is traced now: if it is stopped, it stops for its tracer instead. tasks_lock is held. */
void stop_hand_over(struct task *task);
/* Tell listener of a child that stops or goes on: its waits end, and it gets SIGCHLD, in *entry,
 * which child_entry() has made, if it wants that. tasks_lock is held. */
struct signal_entry *child_entry(void);
void child_tell(struct process *listener, const struct siginfo *info, struct signal_entry **entry);
/* process has lost this parent: if that leaves stopped members of its group with nobody to let them
 * go on, they get SIGHUP and SIGCONT, as POSIX says. tasks_lock is held. */
void group_parent_gone(const struct process *process, const struct process *parent);

/* ---- Shadow stacks (shadow.c) ------------------------------------------- */

/* Push what a handler needs on the current task's shadow stack, if it has one: the token with the
 * SSP to return to, and the address that the handler's RET goes to. 0 or -EFAULT. */
MUST_CHECK int shadow_push(uint64_t restorer);
/* -EFAULT if the current task has a shadow stack, which 32-bit code cannot use: it lies above
 * 4 GiB. */
MUST_CHECK int shadow_absent(void);
/* Pop the token. -EINVAL, with nothing changed: SSP does not point to one. */
MUST_CHECK int shadow_pop(void);

#endif
