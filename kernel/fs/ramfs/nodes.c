/* SPDX-License-Identifier: MIT */
/* Open files of the RAM file system: regular files and device nodes. */
#include "base/string.h"
#include "kernel/fs/ramfs/ram_inode.h"
#include "kernel/sched/sched.h"
#include "uapi/errno.h"

#define PAGES_A_BREATH 16 /* moved before other tasks get a turn */

static const char zeros[PAGE_SIZE];

/* Move part bytes between user memory and a page (NULL: a hole) at position. The frame is held, not
 * the lock, because user memory may fault into this very file. */
static int page_move(struct frame *frame, uint64_t position, uaddr_t user, size_t part,
                     bool writing)
{
    char *at = frame ? (char *)frame_va(frame) + position % PAGE_SIZE : NULL;
    if (writing)
        return arch_copy_from_user(at, user, part);
    return arch_copy_to_user(user, at ? at : zeros, part);
}

/* Move len bytes, page by page. The file grows only after the new bytes are in place. */
static long contents_move(struct ram_inode *inode, uaddr_t user, size_t len, uint64_t position,
                          bool writing)
{
    size_t done = 0;
    long err = 0;
    for (unsigned pages = 1; done < len && !err; pages++) {
        size_t part = len - done;
        struct frame *frame;
        err = ram_page(inode, position + done, writing, &part, &frame);
        if (!err && !part)
            break;
        if (!err)
            err = page_move(frame, position + done, uaddr(user.v + done), part, writing);
        if (frame)
            frame_put(frame);
        if (!err)
            done += part;
        if (!err && writing)
            ram_grow(inode, position + done);
        if (!err && pages % PAGES_A_BREATH == 0 && task_breathe())
            err = -EINTR;
    }
    return done ? (long)done : err;
}

static long regular_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    long done = contents_move(ram_inode(file->inode), to, len, *position, false);
    if (done > 0)
        *position += (uint64_t)done;
    return done;
}

/* As many bytes as fit below the largest possible file size; -EFBIG at that size. */
static long regular_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
    struct ram_inode *inode = ram_inode(file->inode);
    if (!len)
        return 0;
    sleep_lock(&inode->write_lock);
    if (file_flags(file) & O_APPEND)
        *position = ram_bytes(inode);
    len = *position < FILE_BYTES_MAX ? min_u64(len, FILE_BYTES_MAX - *position) : 0;
    long done = len ? contents_move(inode, from, len, *position, true) : -EFBIG;
    if (done > 0)
        *position += (uint64_t)done;
    sleep_unlock(&inode->write_lock);
    return done;
}

static long regular_seek(struct file *file, int64_t offset, int whence)
{
    struct ram_inode *inode = ram_inode(file->inode);
    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        return file_seek(file, offset, whence, ram_bytes(inode));
    int64_t found = offset < 0 ? -ENXIO : ram_find(inode, (uint64_t)offset, whence == SEEK_HOLE);
    if (found >= 0)
        file->position = (uint64_t)found;
    return found;
}

static int regular_truncate(struct file *file, uint64_t bytes)
{
    return ram_truncate(file->inode, bytes);
}

static struct vm_source *regular_source(struct file *file)
{
    inode_hold(file->inode);
    return &ram_inode(file->inode)->source;
}

static const struct file_ops regular_ops = {
    .read = regular_read,
    .write = regular_write,
    .seek = regular_seek,
    .truncate = regular_truncate,
    .source = regular_source,
    .positioned = true,
};

int ram_open(struct inode *inode, struct file *file)
{
    file->ops = inode_is(inode, S_IFREG) ? &regular_ops : ram_inode(inode)->device;
    return file->ops ? 0 : -ENXIO;
}

bool file_is_executable(const struct file *file)
{
    return file->ops == &regular_ops && file->inode->mode & 0111;
}

long file_read_kernel(struct file *file, void *to, size_t len, uint64_t position)
{
    size_t done = 0, part;
    if (file->ops != &regular_ops)
        return inode_is(file->inode, S_IFDIR) ? -EISDIR : -EACCES;
    for (; done < len; done += part) {
        struct frame *frame;
        part = len - done;
        if (ram_page(ram_inode(file->inode), position + done, false, &part, &frame) || !part)
            break;
        const char *at = frame ? (char *)frame_va(frame) + (position + done) % PAGE_SIZE : zeros;
        memcpy((char *)to + done, at, part);
        if (frame)
            frame_put(frame);
    }
    return (long)done;
}
