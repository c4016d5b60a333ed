/* SPDX-License-Identifier: MIT */
/*
 * From paths to inodes. A path is walked component by component from base, or from the root when it
 * begins with a slash: ".." is the folder above the one that has been reached; after a link, that
 * is the folder above the link's target. base may be NULL for absolute paths. All answer 0 or a
 * negative errno, as path_resolution(7) has them.
 */
#ifndef KERNEL_PATH_H
#define KERNEL_PATH_H

#include "kernel/fs/inode.h"

#define PATH_MAX_BYTES 1024 /* with its end */
#define LINKS_MAX      40   /* followed in one walk; -ELOOP beyond, as on Linux */

/* What path leads to, with a reference; a link at its end is followed if follow. */
MUST_CHECK int path_lookup(struct inode *base, const char *path, bool follow, struct inode **inode);
/* Open what path leads to with Linux's O_* flags. O_CREAT makes the file, with mode. */
MUST_CHECK int path_open(struct inode *base, const char *path, uint32_t flags, uint32_t mode,
                         struct file **file);
/* Make a file, folder, link or device, as the S_IF bits of mode say. The name must be free. link is
 * a symbolic link's text. *inode, unless inode is NULL, comes with a reference. */
MUST_CHECK int path_create(struct inode *base, const char *path, uint32_t mode, const char *link,
                           struct inode **inode);
/* Give inode one more name. -EXDEV across file systems, -EPERM for a folder. */
MUST_CHECK int path_link(struct inode *base, const char *path, struct inode *inode);
/* Remove a name: of an empty folder if folder, else of anything but a folder. */
MUST_CHECK int path_remove(struct inode *base, const char *path, bool folder);

#endif
