/* SPDX-License-Identifier: MIT */
/* The seam for planted defects in kernel/, as mm/planted.h is for mm/: each hook hands its first
 * argument back; only the test build's planted.c does otherwise. */
#ifndef KERNEL_PLANTED_H
#define KERNEL_PLANTED_H

#include "base/lock.h"

struct process;

#ifdef CONFIG_TEST
/* shstk: may the task use WRSS */
bool planted_wrss(bool allowed);
/* exit: the lock to take for the end of process */
struct spinlock *planted_order(struct spinlock *lock, struct process *process);
/* sched: the CPU that is idle; interrupts off */
unsigned planted_idle(unsigned cpu);
/* fs: is the file in use on the other side: run by a program, or open for writing */
bool planted_busy(bool busy);
/* robust: is a waiter to be woken */
bool planted_wake(bool due);
/* oom: may another process than the one that asks be chosen */
bool planted_other(bool other);
/* wait: does a long call pause here */
bool planted_breath(bool due);
/* signal: does the token's page belong to a shadow stack; is it marked as one of a signal frame */
bool planted_signal_page(bool shadow_stack);
bool planted_signal_token(bool marked);
/* time: does the timer's last signal still wait, so that this one is an overrun */
bool planted_overrun(bool waits);
/* ptrace: does the request come from the task's tracer; may SSP become this */
bool planted_tracer(bool mine);
bool planted_ssp_range(bool allowed);
/* stop: is the group orphaned */
bool planted_orphan(bool orphaned);
/* userfaultfd: is a task to be woken when the file ends */
bool planted_close(bool due);
/* fork: is there a signal that comes first */
bool planted_fork(bool due);
/* process_vm: GUP_* of a transfer */
unsigned planted_vm(unsigned flags);
/* exec: CLONE_* of what to unshare */
uint64_t planted_exec(uint64_t flags);
#else
static inline bool planted_wrss(bool allowed) { return allowed; }
static inline struct spinlock *planted_order(struct spinlock *lock, struct process *process)
{
    return lock;
}
static inline unsigned planted_idle(unsigned cpu) { return cpu; }
static inline bool planted_busy(bool busy) { return busy; }
static inline bool planted_wake(bool due) { return due; }
static inline bool planted_other(bool other) { return other; }
static inline bool planted_breath(bool due) { return due; }
static inline bool planted_signal_page(bool shadow_stack) { return shadow_stack; }
static inline bool planted_signal_token(bool marked) { return marked; }
static inline bool planted_overrun(bool waits) { return waits; }
static inline bool planted_tracer(bool mine) { return mine; }
static inline bool planted_ssp_range(bool allowed) { return allowed; }
static inline bool planted_orphan(bool orphaned) { return orphaned; }
static inline bool planted_close(bool due) { return due; }
static inline bool planted_fork(bool due) { return due; }
static inline unsigned planted_vm(unsigned flags) { return flags; }
static inline uint64_t planted_exec(uint64_t flags) { return flags; }
#endif

#endif
