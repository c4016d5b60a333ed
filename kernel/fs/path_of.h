/* SPDX-License-Identifier: MIT */
/* From inodes back to paths. */
#ifndef KERNEL_PATH_OF_H
#define KERNEL_PATH_OF_H

#include "kernel/fs/inode.h"

/*
 * Write the absolute path of inode to to[size]. The caller keeps its reference on inode. 0;
 * -ENOENT when inode, or a folder above it, was removed or never had a name; -ENAMETOOLONG when
 * the path and its end do not fit.
 */
MUST_CHECK int path_of(struct inode *inode, char *to, size_t size);

#endif
