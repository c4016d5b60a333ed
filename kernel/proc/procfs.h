/* SPDX-License-Identifier: MIT */
/* /proc: what the kernel shows of itself and its processes. */
#ifndef KERNEL_PROCFS_H
#define KERNEL_PROCFS_H

#include "kernel/fs/inode.h"

/* Make /proc. Returns its root folder with a reference, or NULL. Called once, at start. */
MUST_CHECK struct inode *procfs_root(void);

#endif
