/* SPDX-License-Identifier: MIT */
/* /proc: what the kernel shows of itself and its processes. Paths are relative to /proc, "" for
 * itself. */
#ifndef KERNEL_PROCFS_H
#define KERNEL_PROCFS_H

#include "kernel/fs/file.h"

MUST_CHECK int procfs_open(const char *path, unsigned flags, struct file **file);
int procfs_stat(const char *path, bool follow, struct linux_stat *stat);
long procfs_readlink(const char *path, char *to, size_t size);

#endif
