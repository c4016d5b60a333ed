/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_POLL_H
#define KERNEL_POLL_H

/* A file may be ready now that was not: everybody in poll(2) looks again. To be called after the
 * change. Safe in interrupt context. */
void poll_wake(void);

#endif
