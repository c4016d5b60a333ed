/* SPDX-License-Identifier: MIT */
/* An inode of the RAM file system, and its contents. Private to kernel/fs/ramfs/. */
#ifndef KERNEL_RAM_INODE_H
#define KERNEL_RAM_INODE_H

#include "kernel/fs/file.h"
#include "kernel/fs/inode.h"
#include "kernel/fs/ramfs/pages.h"

#define FILE_BYTES_MAX (PAGES_MAX << PAGE_SHIFT)

/* [L] lock  [T] the tree's lock  [I] fixed before anybody can find it */
struct ram_inode {
    struct inode inode;      /* first, so that an inode is its ram_inode */
    struct vm_source source; /* [I] for mappings */
    struct spinlock lock;
    /* one write or truncation at a time, so no write lands in a part that is being cut off */
    struct sleep_lock write_lock;
    uint64_t bytes;                /* [L] */
    struct pages pages;            /* [L] */
    const struct file_ops *device; /* [I] */
    uint64_t rdev;                 /* [I] */
    struct ram_inode *parent;      /* [I] of a folder, with a reference; NULL: the root */
    struct list entries;           /* [T] of a folder, ordered by their cookies */
    uint64_t last_cookie;          /* [T] */
    struct list names;             /* [T] the entries that lead here */
    uint64_t links;                /* [T] st_nlink: its names, and the ".." of its folders */
};

static inline struct ram_inode *ram_inode(struct inode *inode)
{
    return container_of(inode, struct ram_inode, inode);
}

/* A new inode with one reference and a copy of link (NULL: none), or NULL. */
MUST_CHECK struct ram_inode *ram_inode_create(uint32_t mode, const char *link);

/* ---- Contents ----------------------------------------------------------- */

uint64_t ram_bytes(struct ram_inode *inode);
/*
 * The frame of position's page, with a reference for the caller. *len becomes the bytes up to the
 * page's end, at most *len; when reading, 0 at the end of the file. 0 with a NULL frame: a hole,
 * which reads as zeros. -ENOMEM when there is no memory for a page to be written.
 */
MUST_CHECK int ram_page(struct ram_inode *inode, uint64_t position, bool writing, size_t *len,
                        struct frame **frame);
/* Bytes up to end have been written. */
void ram_grow(struct ram_inode *inode, uint64_t end);
/* Cut the file, or extend it with zeros, to bytes. 0 or -EFBIG. Takes write_lock. */
MUST_CHECK int ram_truncate(struct inode *inode, uint64_t bytes);
/* The first position at or above from that lies in a page, or in a hole; the end of the file counts
 * as a hole. -ENXIO beyond the end. */
int64_t ram_find(struct ram_inode *inode, uint64_t from, bool hole);

/* ---- Names (tree.c) and open files (nodes.c) ---------------------------- */

extern const struct inode_ops ram_ops;
int ram_lookup(struct inode *folder, const char *name, size_t len, struct inode **child);
int ram_create(struct inode *folder, const char *name, size_t len, uint32_t mode, const char *link,
               struct inode **child);
int ram_link(struct inode *folder, const char *name, size_t len, struct inode *inode);
int ram_remove(struct inode *folder, const char *name, size_t len, struct inode *child);
struct inode *ram_parent(struct inode *inode, char *name);
int ram_list(struct inode *folder, uint64_t *position, struct dirents *out);
/* The number of names that lead to it. */
uint64_t ram_links(struct ram_inode *inode);

int ram_open(struct inode *inode, struct file *file);

#endif
