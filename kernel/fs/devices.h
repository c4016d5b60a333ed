/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_DEVICES_H
#define KERNEL_DEVICES_H

/* Make the nodes of /dev. The folder exists. */
void devices_init(void);

#endif
