/* SPDX-License-Identifier: MIT */
/* Futexes, as the kernel itself needs them. */
#ifndef KERNEL_SCHED_FUTEX_H
#define KERNEL_SCHED_FUTEX_H

#include "base/types.h"

void futex_init(void);
/* Wake at most count tasks that wait on the word in the current address space. */
void futex_wake_word(uaddr_t word, unsigned count);

#endif
