/* SPDX-License-Identifier: MIT */
/* Inodes of every file system: references, opening, who writes and who runs, listing. */
#include "kernel/fs/inode.h"

#include "base/string.h"
#include "kernel/fs/file.h"
#include "kernel/planted.h"
#include "uapi/errno.h"
#include "uapi/stat.h"

/* ---- References --------------------------------------------------------- */

void inode_init(struct inode *inode, const struct inode_ops *ops, uint32_t mode, uint64_t number)
{
    *inode = (struct inode){ .ops = ops, .refs = 1, .mode = mode, .number = number };
}

void inode_hold(struct inode *inode) { __atomic_add_fetch(&inode->refs, 1, __ATOMIC_RELAXED); }

/* Freeing a folder drops its reference on its parent, which may be the last one as well, and so on
 * upwards. This is a loop, not a recursion: the way up may be long, and the stack is short. */
void inode_put(struct inode *inode)
{
    while (inode && __atomic_sub_fetch(&inode->refs, 1, __ATOMIC_ACQ_REL) == 0)
        inode = inode->ops->free(inode);
}

/* ---- Writers and programs ----------------------------------------------- */

/* Count one more on the side of step (1 writers, -1 programs), unless the other side has it. */
static int side_take(struct inode *inode, int32_t step)
{
    int32_t count = __atomic_load_n(&inode->writers, __ATOMIC_RELAXED);
    do {
        if (planted_busy(step > 0 ? count < 0 : count > 0))
            return -ETXTBSY;
    } while (!__atomic_compare_exchange_n(&inode->writers, &count, count + step, true,
                                          __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    return 0;
}

static void side_give(struct inode *inode, int32_t step)
{
    __atomic_sub_fetch(&inode->writers, step, __ATOMIC_RELEASE);
}

int program_begin(struct inode *inode)
{
    int err = side_take(inode, -1);
    if (!err)
        inode_hold(inode);
    return err;
}

void program_hold(struct inode *inode)
{
    if (!inode)
        return;
    __atomic_sub_fetch(&inode->writers, 1, __ATOMIC_RELAXED);
    inode_hold(inode);
}

void program_end(struct inode *inode)
{
    if (!inode)
        return;
    side_give(inode, -1);
    inode_put(inode);
}

void inode_writer_end(struct inode *inode) { side_give(inode, 1); }

/* ---- Opening ------------------------------------------------------------ */

/* A file that only names its inode (O_PATH). */
static const struct file_ops name_ops = { .positioned = false };

static long folder_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    return -EISDIR;
}

static const struct file_ops folder_ops = {
    .read = folder_read,
    .seek = file_seek_endless,
    .positioned = true,
};

/* Is this a way to open an inode of this kind? */
static int kind_check(const struct inode *inode, uint32_t flags)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
    if (flags & O_DIRECTORY && !inode_is(inode, S_IFDIR))
        return -ENOTDIR;
    if (flags & O_PATH)
        return 0;
    if (inode_is(inode, S_IFLNK))
        return -ELOOP;
    return inode_is(inode, S_IFDIR) && (writes || flags & O_CREAT) ? -EISDIR : 0;
}

/* Give file the operations of its inode's kind. */
static int ops_fill(struct inode *inode, struct file *file)
{
    if (file->flags & O_PATH)
        file->ops = &name_ops;
    else if (inode_is(inode, S_IFDIR))
        file->ops = &folder_ops;
    else
        return inode->ops->open(inode, file);
    return 0;
}

int inode_open(struct inode *inode, uint32_t flags, struct file **file)
{
    int err = kind_check(inode, flags);
    if (err)
        return err;
    struct file *new = file_create(NULL, NULL, flags & ~(uint32_t)O_OPEN_ONLY);
    if (!new)
        return -ENOMEM;
    bool cut = flags & O_TRUNC && inode->ops->truncate && inode_is(inode, S_IFREG);
    bool writes = inode_is(inode, S_IFREG) && !(flags & O_PATH) && (file_may_write(new) || cut);
    if (writes)
        err = side_take(inode, 1);
    if (err)
        goto undo_file;
    if (cut)
        err = inode->ops->truncate(inode, 0);
    if (!err)
        err = ops_fill(inode, new);
    if (err)
        goto undo_writer;
    if (writes && !file_may_write(new))
        side_give(inode, 1); /* the file counted as written to for O_TRUNC only */
    inode_hold(inode);
    new->inode = inode;
    *file = new;
    return 0;
undo_writer:
    if (writes)
        side_give(inode, 1);
undo_file:
    file_discard(new);
    return err;
}

/* ---- Listing ------------------------------------------------------------ */

bool dirents_add(struct dirents *out, const char *name, size_t len, uint64_t number,
                 uint64_t cookie, uint32_t mode)
{
    size_t head = offsetof(struct linux_dirent64, d_name), bytes = align_up(head + len + 1, 8);
    out->full = bytes > out->room - out->len;
    if (out->full)
        return false;
    struct linux_dirent64 *entry = (void *)(out->bytes + out->len);
    memset(entry, 0, bytes);
    entry->d_ino = number;
    entry->d_off = (int64_t)cookie;
    entry->d_reclen = (uint16_t)bytes;
    entry->d_type = (uint8_t)(mode >> 12 & 15);
    memcpy(entry->d_name, name, len);
    out->len += bytes;
    return true;
}
