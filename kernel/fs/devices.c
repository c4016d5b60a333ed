/* SPDX-License-Identifier: MIT */
/* The nodes of /dev that are no terminal: null, zero and the random ones. */
#include "kernel/fs/devices.h"

#include "base/panic.h"
#include "base/string.h"
#include "kernel/fs/ramfs.h"
#include "kernel/tty/console.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"

static long null_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    (void)file, (void)to, (void)len, (void)position;
    return 0;
}

static long zero_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    (void)file, (void)position;
    return arch_clear_user(to, len) ? -EFAULT : (long)len;
}

static long random_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    (void)file, (void)position;
    for (size_t done = 0; done < len;) {
        uint8_t bytes[64];
        size_t part = min_u64(sizeof(bytes), len - done);
        arch_random(bytes, part);
        if (arch_copy_to_user(uaddr(to.v + done), bytes, part))
            return done ? (long)done : -EFAULT;
        done += part;
    }
    return (long)len;
}

static long sink_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
    (void)file, (void)from, (void)position;
    return (long)len;
}

static long nowhere_seek(struct file *file, int64_t offset, int whence)
{
    (void)file, (void)offset, (void)whence;
    return 0;
}

static int device_stat(struct file *file, struct linux_stat *stat)
{
    inode_stat(file->object, stat);
    return 0;
}

static const struct file_ops null_ops = {
    .read = null_read, .write = sink_write, .seek = nowhere_seek, .stat = device_stat
};
static const struct file_ops zero_ops = {
    .read = zero_read, .write = sink_write, .seek = nowhere_seek, .stat = device_stat
};
static const struct file_ops random_ops = {
    .read = random_read, .write = sink_write, .seek = nowhere_seek, .stat = device_stat
};

static void node_create(const char *path, const struct file_ops *ops, uint64_t rdev)
{
    struct inode *inode;
    if (ramfs_create(path, S_IFCHR | 0666, &inode))
        panic("%s cannot be made", path);
    inode_set_device(inode, ops, rdev); /* devices are never removed: the reference stays */
}

void devices_init(void)
{
    static const struct {
        const char *path;
        const struct file_ops *ops;
        uint64_t rdev;
    } nodes[] = {
        { "/dev/null", &null_ops, 0x103 },       { "/dev/zero", &zero_ops, 0x105 },
        { "/dev/random", &random_ops, 0x108 },   { "/dev/urandom", &random_ops, 0x109 },
        { "/dev/console", &console_ops, 0x501 }, { "/dev/tty", &console_ops, 0x500 },
    };
    struct inode *inode;
    static const char *const folders[] = { "/dev", "/proc", "/tmp" };
    ramfs_init();
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        if (ramfs_create(folders[i], S_IFDIR | 0755, &inode))
            panic("%s cannot be made", folders[i]);
        inode_put(inode);
    }
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
        node_create(nodes[i].path, nodes[i].ops, nodes[i].rdev);
}
