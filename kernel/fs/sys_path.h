/* SPDX-License-Identifier: MIT */
/* What the system calls on names share: a path from user memory, and where it starts. */
#ifndef KERNEL_SYS_PATH_H
#define KERNEL_SYS_PATH_H

#include "kernel/fs/inode.h"
#include "kernel/fs/path.h"
#include "kernel/task/task.h"

static inline struct files *files_current(void) { return process_current()->files; }

struct user_path {
    struct inode *base; /* with a reference: where text starts, or NULL when it is absolute */
    char text[PATH_MAX_BYTES];
};

/*
 * Copy in a path that starts at folder: a descriptor, or AT_FDCWD. After success, and only then,
 * user_path_end() gives the reference on the base back. -EFAULT, -ENAMETOOLONG, -EBADF, -ENOTDIR
 * for what cannot be a folder; -ENOENT for an empty text unless empty is true.
 */
MUST_CHECK int user_path_begin(struct user_path *path, int folder, uaddr_t from, bool empty);
void user_path_end(struct user_path *path);

/* The permissions of something new: mode without the bits of the process's umask. */
uint32_t mode_masked(uint32_t mode);

#endif
