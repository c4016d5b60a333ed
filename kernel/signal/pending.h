/* SPDX-License-Identifier: MIT */
/* Signals that were sent and not taken yet, and what a task keeps about signals. */
#ifndef KERNEL_SIGNAL_PENDING_H
#define KERNEL_SIGNAL_PENDING_H

#include "base/list.h"
#include "base/types.h"
#include "uapi/signal.h"

/* What is known of one signal that was sent. */
struct signal_entry {
    struct list link;
    struct siginfo info;
    bool owned;        /* [P] a timer's, which frees it */
    uint32_t overruns; /* [P] that were told when it was last taken */
};

/* Of a process or a task. [P] process.lock  [A] atomic; changes with process.lock held */
struct signal_pending {
    uint64_t set;      /* [A] signal_bit() of each */
    uint64_t kernel;   /* [P] of those without an entry, the kernel's */
    struct list queue; /* [P] of signal_entry.link, the oldest first */
    struct list spare; /* [P] the same, dropped where none could be freed: for the next signals */
};

/* How a system call that a signal interrupted goes on. It reads its arguments here. */
struct restart {
    long (*again)(const struct restart *restart); /* NULL: it ends with -EINTR */
    uint64_t deadline_ns;
    uint64_t a, b, c, d;
};

/* [S] written by the task alone, with atomic stores  [O] the task itself  [P] process.lock */
struct task_signals {
    uint64_t mask;   /* [S] blocked */
    uint64_t waits;  /* [S] rt_sigtimedwait() waits for these, blocked or not */
    uint32_t notice; /* [A] NOTICE_*: what is due besides signals; changes with tasks_lock held */
    bool stop_taken; /* [P] it has taken a stop signal, and no SIGCONT has come since */
    struct signal_pending pending;
    uint64_t saved_mask; /* [O] with restore_mask: the mask that rt_sigsuspend() replaced */
    bool restore_mask;
    struct siginfo forced;   /* [O] what the task's own instruction caused; signo 0: nothing */
    struct stack_info stack; /* [O] sigaltstack() */
    struct restart restart;  /* [O] */
};

/* The process stops, and this task has yet to; its parent is to hear that it goes on. */
#define NOTICE_STOP      1u
#define NOTICE_CONTINUED 2u
#define NOTICE_TRAP      4u /* its tracer wants it to stop */

#define SIGNALS_UNBLOCKABLE (signal_bit(SIGKILL) | signal_bit(SIGSTOP))
static inline uint64_t signal_bit(int signal) { return 1ull << (signal - 1); }
/* What stops a process by default. */
#define SIGNALS_STOP \
    (signal_bit(SIGSTOP) | signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU))
static inline bool signal_valid(int signal) { return signal >= 1 && signal <= SIGNAL_COUNT; }

void pending_init(struct signal_pending *pending);
void pending_free(struct signal_pending *pending); /* all its entries */
/* An entry for info, which entry_free() gives back. NULL: no memory, or, for a signal that may not
 * pass the limit, QUEUED_MAX entries exist. No spinlock is held. */
struct signal_entry *entry_create(const struct siginfo *info);
void entry_free(struct signal_entry *entry); /* NULL is allowed */
void entries_free(struct list *entries);
#define QUEUED_MAX 4096 /* as RLIMIT_SIGPENDING says */

/* Add a signal. A standard signal that is pending already stays as it is. *entry, unless NULL, is
 * taken over, and NULL afterwards, if it is needed. process.lock is held. */
void pending_add(struct signal_pending *pending, const struct siginfo *info,
                 struct signal_entry **entry);
/* Take one of the signals in among: those that an instruction causes first, then the lowest. False:
 * none. *used is its entry, for entry_free(), or NULL. process.lock is held. */
bool pending_take(struct signal_pending *pending, uint64_t among, struct siginfo *info,
                  struct signal_entry **used);
/* Drop the signals in set; their entries join dropped. process.lock is held. */
void pending_drop(struct signal_pending *pending, uint64_t set, struct list *dropped);

#endif
