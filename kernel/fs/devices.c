/* SPDX-License-Identifier: MIT */
/* The nodes of /dev other than the terminals: null, zero and the random ones. */
#include "kernel/fs/devices.h"

#include "base/panic.h"
#include "base/string.h"
#include "kernel/fs/path.h"
#include "kernel/fs/ramfs/ramfs.h"
#include "kernel/sched/sched.h"
#include "kernel/tty/console.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"

#define BREATH_BYTES 65536 /* delivered before other tasks get a turn */

static long null_read(struct file *file, uaddr_t to, size_t len, uint64_t *position) { return 0; }

static long zero_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    size_t done = 0;
    while (done < len) {
        size_t part = min_u64(BREATH_BYTES, len - done);
        if (arch_clear_user(uaddr(to.v + done), part))
            return done ? (long)done : -EFAULT;
        done += part;
        if (done < len && task_breathe())
            return -EINTR;
    }
    return (long)len;
}

long random_copy_to_user(uaddr_t to, size_t len)
{
    for (size_t done = 0; done < len;) {
        uint8_t bytes[64];
        size_t part = min_u64(sizeof(bytes), len - done);
        arch_random(bytes, part);
        if (arch_copy_to_user(uaddr(to.v + done), bytes, part))
            return done ? (long)done : -EFAULT;
        done += part;
        if (done % PAGE_SIZE == 0 && task_breathe())
            return (long)done;
    }
    return (long)len;
}

static long random_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    return random_copy_to_user(to, len);
}

static long sink_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
    return (long)len;
}

static long nowhere_seek(struct file *file, int64_t offset, int whence) { return 0; }

static const struct file_ops null_ops = { .read = null_read,
                                          .write = sink_write,
                                          .seek = nowhere_seek };
static const struct file_ops zero_ops = { .read = zero_read,
                                          .write = sink_write,
                                          .seek = nowhere_seek };
static const struct file_ops random_ops = { .read = random_read,
                                            .write = sink_write,
                                            .seek = nowhere_seek };

static void node_create(const char *path, const struct file_ops *ops, uint64_t rdev)
{
    struct inode *inode;
    if (path_create(NULL, path, S_IFCHR | 0666, NULL, &inode))
        panic("%s cannot be made", path);
    ramfs_set_device(inode, ops, rdev);
    inode_put(inode);
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
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
        node_create(nodes[i].path, nodes[i].ops, nodes[i].rdev);
}
