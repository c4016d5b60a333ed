/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_DEVICES_H
#define KERNEL_DEVICES_H

/* Make the root, /dev with its nodes, /proc and /tmp. */
void devices_init(void);

#endif
