/* SPDX-License-Identifier: MIT */
/* System calls that read, write and query an open file. Each call holds a reference on the file. */
#include "kernel/fs/file.h"
#include "kernel/fs/sys_path.h"
#include "kernel/syscall/syscall.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"

#define IOV_MAX            1024
#define TRANSFER_BYTES_MAX 0x7ffff000ull /* of one call, as on Linux */

typedef long (*transfer_fn)(struct file *file, uaddr_t at, size_t len, uint64_t *position);

/* The operation if the file can do it and was opened for it, else NULL. */
static transfer_fn transfer_of(const struct file *file, bool writing)
{
    if (writing)
        return file_may_write(file) ? file->ops->write : NULL;
    return file_may_read(file) ? file->ops->read : NULL;
}

/* Why there is no such operation. */
static int transfer_refused(const struct file *file, bool writing)
{
    return (writing ? file_may_write(file) : file_may_read(file)) ? -EINVAL : -EBADF;
}

/* The length is cut as Linux cuts it; len and position stay what a signed number can say. */
static long transfer_checked(struct file *file, uaddr_t at, size_t len, uint64_t *position,
                             bool writing)
{
    transfer_fn move = transfer_of(file, writing);
    if (!move)
        return transfer_refused(file, writing);
    if (position != &file->position && !file->ops->seek)
        return -ESPIPE;
    if (len > INT64_MAX || *position > INT64_MAX - len)
        return -EINVAL;
    return move(file, at, min_u64(len, TRANSFER_BYTES_MAX), position);
}

/* read, write, pread, pwrite: position NULL means the file's own. */
static long transfer(int fd, uaddr_t at, size_t len, uint64_t *position, bool writing)
{
    struct file *file = files_get(files_current(), fd);
    if (!file)
        return -EBADF;
    bool own = !position && file->ops->positioned;
    if (own)
        sleep_lock(&file->lock);
    long result = transfer_checked(file, at, len, position ? position : &file->position, writing);
    if (own)
        sleep_unlock(&file->lock);
    file_put(file);
    return result;
}

long sys_read(int fd, uaddr_t to, size_t len) { return transfer(fd, to, len, NULL, false); }
long sys_write(int fd, uaddr_t from, size_t len) { return transfer(fd, from, len, NULL, true); }
long sys_pread64(int fd, uaddr_t to, size_t len, int64_t offset)
{
    uint64_t position = (uint64_t)offset;
    return offset < 0 ? -EINVAL : transfer(fd, to, len, &position, false);
}
long sys_pwrite64(int fd, uaddr_t from, size_t len, int64_t offset)
{
    uint64_t position = (uint64_t)offset;
    return offset < 0 ? -EINVAL : transfer(fd, from, len, &position, true);
}

/* Move all parts of a vector. No other task moves the file's position meanwhile. */
static long parts_move(struct file *file, uaddr_t vector, int count, bool writing)
{
    long done = 0;
    for (int i = 0; i < count; i++) {
        uint64_t part[2]; /* struct iovec: address, length */
        if (arch_copy_from_user(part, uaddr(vector.v + (uint64_t)i * sizeof(part)), sizeof(part)))
            return done ? done : -EFAULT;
        long now = transfer_checked(file, uaddr(part[0]), part[1], &file->position, writing);
        if (now < 0)
            return done ? done : now;
        done += now;
        if ((uint64_t)now < part[1])
            break;
    }
    return done;
}

static long transfer_vector(int fd, uaddr_t vector, int count, bool writing)
{
    if (count < 0 || count > IOV_MAX)
        return -EINVAL;
    struct file *file = files_get(files_current(), fd);
    if (!file)
        return -EBADF;
    if (file->ops->positioned)
        sleep_lock(&file->lock);
    long result = transfer_of(file, writing) ? parts_move(file, vector, count, writing)
                                             : transfer_refused(file, writing);
    if (file->ops->positioned)
        sleep_unlock(&file->lock);
    file_put(file);
    return result;
}

long sys_readv(int fd, uaddr_t parts, int count)
{
    return transfer_vector(fd, parts, count, false);
}
long sys_writev(int fd, uaddr_t parts, int count)
{
    return transfer_vector(fd, parts, count, true);
}

/* Programs fall back to read and write. */
long sys_sendfile(int to, int from, uaddr_t offset, size_t len) { return -EINVAL; }

long sys_lseek(int fd, int64_t offset, int whence)
{
    struct file *file = files_get(files_current(), fd);
    if (!file)
        return -EBADF;
    sleep_lock(&file->lock);
    long result = file->ops->seek ? file->ops->seek(file, offset, whence) : -ESPIPE;
    sleep_unlock(&file->lock);
    file_put(file);
    return result;
}

long sys_ftruncate(int fd, int64_t len)
{
    struct file *file = files_get(files_current(), fd);
    if (!file)
        return -EBADF;
    long result = file->ops->truncate && file_may_write(file) && len >= 0
                      ? file->ops->truncate(file, (uint64_t)len)
                      : -EINVAL;
    file_put(file);
    return result;
}

long sys_ioctl(int fd, unsigned request, uint64_t argument)
{
    struct file *file = files_get(files_current(), fd);
    if (!file)
        return -EBADF;
    long result = file->ops->ioctl ? file->ops->ioctl(file, request, argument) : -ENOTTY;
    file_put(file);
    return result;
}

/* At most a page at a time: all entries of one call show the same moment. */
static long entries_out(struct file *file, uaddr_t to, size_t size)
{
    struct dirents out = { .room = min_u64(size, PAGE_SIZE) };
    uint64_t position = file->position;
    out.bytes = kmalloc(PAGE_SIZE);
    if (!out.bytes)
        return -ENOMEM;
    long result = file->inode->ops->list(file->inode, &position, &out);
    if (!result && !out.len && out.full)
        result = -EINVAL; /* not even one fits */
    if (!result && arch_copy_to_user(to, out.bytes, out.len))
        result = -EFAULT;
    kfree(out.bytes);
    if (result)
        return result;
    file->position = position;
    return (long)out.len;
}

long sys_getdents64(int fd, uaddr_t to, unsigned size)
{
    struct file *file = files_get(files_current(), fd);
    if (!file)
        return -EBADF;
    sleep_lock(&file->lock);
    bool folder = file->inode && file->inode->ops->list && inode_is(file->inode, S_IFDIR);
    long result = folder ? entries_out(file, to, size) : -ENOTDIR;
    sleep_unlock(&file->lock);
    file_put(file);
    return result;
}
