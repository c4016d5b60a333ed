/* SPDX-License-Identifier: MIT */
/* The mount table. It is complete before the first process starts, and never changes again. */
#include "kernel/fs/mount.h"

#include "base/panic.h"
#include "kernel/fs/path.h"
#include "kernel/fs/ramfs/ramfs.h"
#include "kernel/proc/procfs.h"

static struct inode *root;

/* [I] with a reference on both */
static struct mount {
    struct inode *point, *root;
} mounts[2];
static size_t mount_count;

struct inode *mount_root(void) { return root; }

struct inode *mount_top(struct inode *inode)
{
    for (size_t i = 0; i < mount_count; i++) {
        if (mounts[i].point == inode)
            return mounts[i].root;
    }
    return inode;
}

struct inode *mount_point(const struct inode *top)
{
    for (size_t i = 0; i < mount_count; i++) {
        if (mounts[i].root == top)
            return mounts[i].point;
    }
    return NULL;
}

static void mount_add(const char *path, struct inode *top)
{
    struct inode *point;
    if (!top || mount_count == ARRAY_SIZE(mounts) || path_lookup(NULL, path, true, &point))
        panic("%s cannot be mounted", path);
    mounts[mount_count++] = (struct mount){ point, top };
}

void mounts_init(void)
{
    static const char *const folders[] = { "/dev", "/proc", "/tmp" };
    root = ramfs_create();
    if (!root)
        panic("no memory for the root folder");
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        if (path_create(NULL, folders[i], S_IFDIR | 0755, NULL, NULL))
            panic("%s cannot be made", folders[i]);
    }
    mount_add("/proc", procfs_root());
}
