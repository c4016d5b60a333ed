/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_DEVICES_H
#define KERNEL_DEVICES_H

#include "base/types.h"

/*
 * Copy len random bytes to the user's memory at to. Returns how many were copied: fewer where the
 * memory ends early or the task is being killed, -EFAULT when none could be.
 */
long random_copy_to_user(uaddr_t to, size_t len);

/* Make the nodes of /dev. The folder exists. */
void devices_init(void);

#endif
