/* SPDX-License-Identifier: MIT */
/* The RAM file system: the tree everything but /proc lives in. */
#ifndef KERNEL_RAMFS_H
#define KERNEL_RAMFS_H

#include "kernel/fs/file.h"

struct inode;

void ramfs_init(void);

/* Look path (normalised, absolute) up, following a last symbolic link if follow. With a
 * reference; 0 or negative errno. */
MUST_CHECK int ramfs_lookup(const char *path, bool follow, struct inode **inode);
/* Is there a symbolic link of this name? */
bool ramfs_is_link(const char *path);
/* Make a file, folder, link or device at path, whose folder must exist; mode has the S_IF bits.
 * With a reference. */
MUST_CHECK int ramfs_create(const char *path, uint32_t mode, struct inode **inode);
MUST_CHECK int ramfs_remove(const char *path, bool folder);
void inode_put(struct inode *inode);

uint32_t inode_mode(const struct inode *inode);
void inode_stat(struct inode *inode, struct linux_stat *stat);
/* Kernel access to a regular file; bytes done or negative errno. */
long inode_read(struct inode *inode, void *to, size_t len, uint64_t position);
long inode_write(struct inode *inode, const void *from, size_t len, uint64_t position);
int inode_truncate(struct inode *inode, uint64_t bytes);
/* A link's target, as text kept in the inode. */
const char *inode_link(const struct inode *inode);
/* Make a device node's opens give files with these operations. */
void inode_set_device(struct inode *inode, const struct file_ops *ops, uint64_t rdev);
/* Open: the file takes over the caller's reference, also on failure. */
MUST_CHECK int inode_open(struct inode *inode, uint32_t flags, struct file **file);

/* A file without a name, for shared anonymous memory; with a reference, or NULL. */
MUST_CHECK struct vm_source *ramfs_unnamed_source(uint64_t bytes);

#endif
