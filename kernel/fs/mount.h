/* SPDX-License-Identifier: MIT */
/* The mount table: which file system begins where. */
#ifndef KERNEL_MOUNT_H
#define KERNEL_MOUNT_H

#include "kernel/fs/inode.h"

/* Make the RAM file system the root, with /dev, /proc and /tmp in it, and mount what belongs
 * there. Once, at start. */
void mounts_init(void);

/* The root of the whole tree. */
struct inode *mount_root(void);
/* What a walk sees at inode: the root of the file system mounted there, or inode itself. */
struct inode *mount_top(struct inode *inode);
/* The folder that a mounted root covers; NULL for any other inode. */
struct inode *mount_point(const struct inode *root);

#endif
