/* SPDX-License-Identifier: MIT */
/*
 * Inodes of the RAM file system: their life and their contents. A regular file's contents are
 * frames of kind FRAME_FILE, which mappings share; a page that was never written is a hole.
 */
#include "base/string.h"
#include "kernel/fs/path_of.h"
#include "kernel/fs/ramfs/ram_inode.h"
#include "kernel/fs/ramfs/ramfs.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/stat.h"

static uint64_t last_number;

/* ---- As a source of mappings -------------------------------------------- */

static struct ram_inode *of_source(struct vm_source *source)
{
    return container_of(source, struct ram_inode, source);
}

static int source_frame(struct vm_source *source, uint64_t page, struct frame **frame)
{
    struct ram_inode *inode = of_source(source);
    int err = -EIO;
    spin_lock(&inode->lock);
    if (page < align_up(inode->bytes, PAGE_SIZE) >> PAGE_SHIFT) {
        *frame = pages_make(&inode->pages, page);
        err = *frame ? 0 : -ENOMEM;
        if (!err)
            frame_get(*frame);
    }
    spin_unlock(&inode->lock);
    return err;
}

static bool source_has(struct vm_source *source, uint64_t page)
{
    struct ram_inode *inode = of_source(source);
    spin_lock(&inode->lock);
    bool has = pages_find(&inode->pages, page);
    spin_unlock(&inode->lock);
    return has;
}

static void source_hold(struct vm_source *source) { inode_hold(&of_source(source)->inode); }
static void source_release(struct vm_source *source) { inode_put(&of_source(source)->inode); }

static void source_name(struct vm_source *source, char *to, size_t size)
{
    struct inode *inode = &of_source(source)->inode;
    if (path_of(inode, to, size))
        snprintf(to, size, "%s", "[shared]");
}

/* ---- Life --------------------------------------------------------------- */

struct ram_inode *ram_inode_create(uint32_t mode, const char *link)
{
    struct ram_inode *inode = kzalloc(sizeof(*inode));
    char *copy = inode && link ? kmalloc(strlen(link) + 1) : NULL;
    if (!inode || (link && !copy)) {
        kfree(inode);
        return NULL;
    }
    inode_init(&inode->inode, &ram_ops, mode,
               __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED));
    if (link) {
        memcpy(copy, link, strlen(link) + 1);
        inode->inode.link = copy;
        inode->bytes = strlen(link);
    }
    inode->source = (struct vm_source){ .frame = source_frame,
                                        .has = source_has,
                                        .hold = source_hold,
                                        .release = source_release,
                                        .name = source_name };
    vm_source_init(&inode->source);
    inode->lock = (struct spinlock)SPINLOCK_INIT(LOCK_INODE);
    sleep_lock_init(&inode->write_lock);
    list_init(&inode->entries);
    list_init(&inode->names);
    return inode;
}

static struct inode *ram_free(struct inode *base)
{
    struct ram_inode *inode = ram_inode(base);
    struct ram_inode *parent = inode->parent;
    pages_cut(&inode->pages, 0);
    kfree((void *)base->link);
    kfree(inode);
    return parent ? &parent->inode : NULL;
}

static void ram_stat(struct inode *base, struct linux_stat *stat)
{
    struct ram_inode *inode = ram_inode(base);
    uint64_t bytes = ram_bytes(inode);
    *stat = (struct linux_stat){
        .st_dev = 1,
        .st_ino = base->number,
        .st_nlink = ram_links(inode),
        .st_mode = base->mode,
        .st_rdev = inode->rdev,
        .st_size = (int64_t)bytes,
        .st_blksize = PAGE_SIZE,
        .st_blocks = (int64_t)(align_up(bytes, 512) / 512),
    };
}

const struct inode_ops ram_ops = {
    .lookup = ram_lookup,
    .create = ram_create,
    .link = ram_link,
    .remove = ram_remove,
    .parent = ram_parent,
    .list = ram_list,
    .stat = ram_stat,
    .open = ram_open,
    .truncate = ram_truncate,
    .free = ram_free,
};

struct inode *ramfs_create(void)
{
    struct ram_inode *root = ram_inode_create(S_IFDIR | 0755, NULL);
    if (!root)
        return NULL;
    root->links = 2;
    return &root->inode;
}

struct vm_source *ramfs_unnamed_source(uint64_t bytes)
{
    struct ram_inode *inode = bytes <= FILE_BYTES_MAX ? ram_inode_create(S_IFREG | 0600, NULL)
                                                      : NULL;
    if (!inode)
        return NULL;
    inode->bytes = bytes;
    return &inode->source;
}

void ramfs_set_device(struct inode *inode, const struct file_ops *ops, uint64_t rdev)
{
    ram_inode(inode)->device = ops;
    ram_inode(inode)->rdev = rdev;
}

/* ---- Contents ----------------------------------------------------------- */

uint64_t ram_bytes(struct ram_inode *inode)
{
    spin_lock(&inode->lock);
    uint64_t bytes = inode->bytes;
    spin_unlock(&inode->lock);
    return bytes;
}

int ram_page(struct ram_inode *inode, uint64_t position, bool writing, size_t *len,
             struct frame **frame)
{
    uint64_t page = position >> PAGE_SHIFT;
    *len = min_u64(*len, PAGE_SIZE - position % PAGE_SIZE);
    *frame = NULL;
    spin_lock(&inode->lock);
    if (writing)
        *frame = pages_make(&inode->pages, page);
    else if (position < inode->bytes)
        *frame = pages_find(&inode->pages, page);
    if (!writing)
        *len = position < inode->bytes ? min_u64(*len, inode->bytes - position) : 0;
    if (*frame)
        frame_get(*frame);
    spin_unlock(&inode->lock);
    return writing && !*frame ? -ENOMEM : 0;
}

void ram_grow(struct ram_inode *inode, uint64_t end)
{
    spin_lock(&inode->lock);
    inode->bytes = max_u64(inode->bytes, end);
    spin_unlock(&inode->lock);
}

/* Zero the rest of the page that bytes cuts through, because a longer file would show it again.
 * lock is held. */
static void tail_zero(struct ram_inode *inode, uint64_t bytes)
{
    struct frame *frame = pages_find(&inode->pages, bytes >> PAGE_SHIFT);
    if (frame && bytes % PAGE_SIZE)
        memset((char *)frame_va(frame) + bytes % PAGE_SIZE, 0, PAGE_SIZE - bytes % PAGE_SIZE);
}

int ram_truncate(struct inode *base, uint64_t bytes)
{
    struct ram_inode *inode = ram_inode(base);
    if (bytes > FILE_BYTES_MAX)
        return -EFBIG;
    sleep_lock(&inode->write_lock);
    uint64_t pages = align_up(bytes, PAGE_SIZE) >> PAGE_SHIFT;
    spin_lock(&inode->lock);
    pages_cut(&inode->pages, pages);
    tail_zero(inode, bytes);
    inode->bytes = bytes;
    spin_unlock(&inode->lock);
    vm_source_cut(&inode->source, pages);
    sleep_unlock(&inode->write_lock);
    return 0;
}

int64_t ram_find(struct ram_inode *inode, uint64_t from, bool hole)
{
    spin_lock(&inode->lock);
    uint64_t end = inode->bytes,
             page = from < end ? pages_next(&inode->pages, from >> PAGE_SHIFT, !hole) : 0;
    spin_unlock(&inode->lock);
    uint64_t found = max_u64(from, page << PAGE_SHIFT);
    if (from >= end || (!hole && found >= end))
        return -ENXIO;
    return (int64_t)min_u64(found, end);
}

long ramfs_write(struct inode *base, const void *from, size_t len, uint64_t position)
{
    struct ram_inode *inode = ram_inode(base);
    if (position > FILE_BYTES_MAX || len > FILE_BYTES_MAX - position)
        return -EFBIG;
    size_t done = 0;
    while (done < len) {
        size_t part = len - done;
        struct frame *frame;
        if (ram_page(inode, position + done, true, &part, &frame))
            return done ? (long)done : -ENOMEM;
        memcpy((char *)frame_va(frame) + (position + done) % PAGE_SIZE, (const char *)from + done,
               part);
        frame_put(frame);
        done += part;
        ram_grow(inode, position + done);
    }
    return (long)done;
}
