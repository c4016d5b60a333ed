/* SPDX-License-Identifier: MIT */
/* The RAM file system: it holds everything but /proc. */
#ifndef KERNEL_RAMFS_H
#define KERNEL_RAMFS_H

#include "kernel/fs/file.h"
#include "kernel/fs/inode.h"

/* A new, empty tree: its root folder with a reference, or NULL. */
MUST_CHECK struct inode *ramfs_create(void);

/* Write to a regular file of a RAM file system from kernel memory. Returns the bytes done (fewer:
 * memory ran out), or a negative errno. */
long ramfs_write(struct inode *inode, const void *from, size_t len, uint64_t position);
/* From now on opening the device node gives files with these operations. The node is not open
 * yet. */
void ramfs_set_device(struct inode *inode, const struct file_ops *ops, uint64_t rdev);

/* A file without a name, for shared anonymous memory; with a reference, or NULL. */
MUST_CHECK struct vm_source *ramfs_unnamed_source(uint64_t bytes);

#endif
