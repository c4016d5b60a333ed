/* SPDX-License-Identifier: MIT */
/* Futexes, as the kernel itself needs them. */
#ifndef KERNEL_SCHED_FUTEX_H
#define KERNEL_SCHED_FUTEX_H

#include "base/types.h"

void futex_init(void);
/* Wake at most count tasks of the current address space that wait on the word. */
void futex_wake_word(uaddr_t word, unsigned count);

#endif
