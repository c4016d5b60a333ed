/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_POLL_H
#define KERNEL_POLL_H

/* A file may have become ready: every task in poll(2) looks again. Call this after the change. Safe
 * in interrupt context. */
void poll_wake(void);

#endif
