/* SPDX-License-Identifier: MIT */
/* What a tracer's requests share. Private to kernel/ptrace/. */
#ifndef KERNEL_PTRACE_REQUEST_H
#define KERNEL_PTRACE_REQUEST_H

#include "kernel/ptrace/tracee.h"

/* Find the caller's tracee, and lock tasks_lock; with stopped, it stays stopped until the lock is
 * dropped. On error nothing is locked. */
MUST_CHECK int tracee_lock(int tid, bool stopped, struct task **found, uint64_t *irq);

/* ---- registers.c -------------------------------------------------------- */

/* Read, or put, a whole set of registers, NT_*; the same by a struct iovec, whose length becomes
 * what was moved. */
long set_request(int tid, uint64_t type, uaddr_t user, bool put);
long set_vector(int tid, uint64_t type, uaddr_t vector, bool put);
/* One word of struct user. */
long user_word(int tid, uint64_t addr, uint64_t *word, bool put);
/* arch_prctl() for a tracee. */
long arch_request(int tid, int option, uint64_t value);

#endif
