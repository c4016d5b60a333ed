/* SPDX-License-Identifier: MIT */
/* The timers of processes: those of setitimer(2) and alarm(2), and those of timer_create(2). */
#ifndef KERNEL_TIME_TIMER_H
#define KERNEL_TIME_TIMER_H

#include "base/list.h"
#include "base/types.h"

struct process;
struct signal_entry;

/* What a timer counts: time, or the CPU time of its process. Linux's ITIMER_*. */
enum timer_kind { TIMER_REAL, TIMER_VIRTUAL, TIMER_PROF, TIMER_KINDS };

/* [T] tasks_lock  [I] fixed */
struct timer {
    struct process *process; /* [I] whose it is */
    struct list link;        /* [T] process.timers, if timer_create() made it */
    struct list armed_link;  /* [T] those that wait for a time, earliest first */
    enum timer_kind kind;    /* [I] */
    bool armed;              /* [T] */
    int64_t at_ns;           /* [T] when it is due; may be long past */
    uint64_t interval_ns;    /* [T] from then on; 0: once */
    int signal;              /* [I] 0: none, it is only looked at */
    /* of timer_create()'s alone */
    int id;                     /* [T] */
    int tid;                    /* [I] the thread that gets the signal, 0: the process */
    int64_t offset_ns;          /* [I] its clock less arch_clock_ns() */
    struct signal_entry *entry; /* [I] its signal, sent and kept */
};

/* How long from now, 0: it does not run; and how often from then on. */
struct setting {
    uint64_t value_ns, interval_ns;
};
#define NS_MAX (uint64_t)(INT64_MAX / 2) /* what is longer is cut */

/* Change the timer, if there is a new setting, whose value is from now on or, if absolute, by its
 * clock. Returns the old one. tasks_lock is held. */
struct setting setting_change(struct timer *timer, const struct setting *new, bool absolute);

void timers_init(struct process *process);
/* What timer_create() made goes: for exec, and for the end of a process, when setitimer()'s timers
 * stop as well. The calling thread is the last one. */
void timers_exec(struct process *process);
void timers_end(struct process *process);
/* Send the signals of timers that are due at now, by arch_clock_ns(), and of those that count the
 * CPU time of running (NULL: none). For ticks as well; no lock is held that they may take. */
void timers_tick(uint64_t now, struct process *running);

#endif
