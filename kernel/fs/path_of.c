/* SPDX-License-Identifier: MIT */
/*
 * The way back: from an inode up to the root, one folder at a time. The text grows from the end of
 * the caller's memory towards the start, and moves to the start once it is complete. No lock is
 * held between two steps, so a name may be removed meanwhile.
 */
#include "kernel/fs/path_of.h"

#include "base/string.h"
#include "kernel/fs/mount.h"
#include "uapi/errno.h"

/* Put "/name" before what starts at *at. */
static bool name_prepend(const char *start, char **at, const char *name)
{
    size_t len = strlen(name);
    if ((size_t)(*at - start) < len + 1)
        return false;
    *at -= len + 1;
    **at = '/';
    memcpy(*at + 1, name, len);
    return true;
}

int path_of(struct inode *inode, char *to, size_t size)
{
    char name[NAME_BYTES_MAX + 1], *at = to + size - 1;
    int err = 0;
    *at = 0;
    inode_hold(inode);
    while (!err && inode != mount_root()) {
        struct inode *point = mount_point(inode), *above;
        if (point) {
            inode_hold(point);
            above = point;
        } else {
            above = inode->ops->parent ? inode->ops->parent(inode, name) : NULL;
            err = !above ? -ENOENT : name_prepend(to, &at, name) ? 0 : -ENAMETOOLONG;
        }
        inode_put(inode);
        inode = above;
    }
    inode_put(inode);
    if (!err && !*at && !name_prepend(to, &at, ""))
        err = -ENAMETOOLONG;
    if (!err)
        memmove(to, at, strlen(at) + 1);
    return err;
}
