/* SPDX-License-Identifier: MIT */
/* The RAM file system: the tree everything but /proc lives in. */
#ifndef KERNEL_RAMFS_H
#define KERNEL_RAMFS_H

#include "kernel/fs/file.h"
#include "kernel/fs/inode.h"

/* A new, empty tree: its root folder with a reference, or NULL. */
MUST_CHECK struct inode *ramfs_create(void);

/* Write to a regular file of a RAM file system from kernel memory; bytes done (fewer: memory is
 * out) or negative errno. */
long ramfs_write(struct inode *inode, const void *from, size_t len, uint64_t position);
/* Make a device node's opens give files with these operations; not yet open anywhere. */
void ramfs_set_device(struct inode *inode, const struct file_ops *ops, uint64_t rdev);

/* A file without a name, for shared anonymous memory; with a reference, or NULL. */
MUST_CHECK struct vm_source *ramfs_unnamed_source(uint64_t bytes);

#endif
