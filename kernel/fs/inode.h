/* SPDX-License-Identifier: MIT */
/* Inodes: what names lead to, whatever file system they belong to. */
#ifndef KERNEL_INODE_H
#define KERNEL_INODE_H

#include "base/types.h"
#include "uapi/fcntl.h"

struct dirents;
struct file;
struct inode;
struct linux_stat; /* include/uapi/stat.h */

#define NAME_BYTES_MAX 255 /* of one component, without its end */

/*
 * What a file system does with its inodes. A NULL member means that it cannot; open, stat and free
 * are always there. Names are components: not empty, neither "." nor "..", and no longer than
 * NAME_BYTES_MAX.
 */
struct inode_ops {
    /* The child of this name, with a reference. 0, -ENOENT or -ENOMEM. */
    int (*lookup)(struct inode *folder, const char *name, size_t len, struct inode **child);
    /* Make a child, complete before anybody can find it; link is a symbolic link's text. 0 with a
     * reference, -EEXIST, -ENOENT when the folder itself was removed, or -ENOMEM. */
    int (*create)(struct inode *folder, const char *name, size_t len, uint32_t mode,
                  const char *link, struct inode **child);
    /* Give inode another name. inode is not a folder and has a name already. Fails as create
     * does. */
    int (*link)(struct inode *folder, const char *name, size_t len, struct inode *inode);
    /* Remove the name of child, which lookup returned. 0, -ENOENT when another task removed it
     * first, or -ENOTEMPTY. */
    int (*remove)(struct inode *folder, const char *name, size_t len, struct inode *child);
    /* The folder that inode lies in, with a reference; its own name there goes to
     * name[NAME_BYTES_MAX + 1] unless that is NULL. NULL when a name was asked for and inode has
     * none any more. */
    struct inode *(*parent)(struct inode *inode, char *name);
    /* Where a link of the kernel's own leads (/proc/PID/exe), whatever its text says. With a
     * reference, or NULL. */
    struct inode *(*target)(struct inode *link);
    /* Entries of a folder from *position on, which moves on, until out is full. 0 or -ENOENT. */
    int (*list)(struct inode *folder, uint64_t *position, struct dirents *out);
    void (*stat)(struct inode *inode, struct linux_stat *stat);
    /* Fill in ops and object of a file that is being opened. 0 or negative errno. */
    int (*open)(struct inode *inode, struct file *file);
    int (*truncate)(struct inode *inode, uint64_t bytes);
    /* The last reference is gone. Returns another inode whose reference this one held, or NULL. */
    struct inode *(*free)(struct inode *inode);
};

/* [I] fixed before anybody can find it  [A] atomic */
struct inode {
    const struct inode_ops *ops; /* [I] */
    uint32_t refs;    /* [A] from names, children, open files, mappings, working folders */
    uint32_t mode;    /* [I] S_IF bits and permissions */
    int32_t writers;  /* [A] open for writing; or, below 0, running as programs */
    uint64_t number;  /* [I] */
    const char *link; /* [I] a symbolic link's text, which lives as long */
};

void inode_init(struct inode *inode, const struct inode_ops *ops, uint32_t mode, uint64_t number);
void inode_hold(struct inode *inode);
void inode_put(struct inode *inode); /* NULL is allowed */

static inline bool inode_is(const struct inode *inode, uint32_t type)
{
    return (inode->mode & S_IFMT) == type;
}

/*
 * Open it with Linux's O_* flags; the caller keeps its reference. 0, -ENOMEM, -EISDIR, -ENOTDIR,
 * -ELOOP for a symbolic link, -ETXTBSY for a running program, or what the file system answers.
 */
MUST_CHECK int inode_open(struct inode *inode, uint32_t flags, struct file **file);

/*
 * A program's file cannot be opened for writing as long as a process runs it, nor be run while
 * somebody has it open for writing. program_begin() takes a reference, or answers -ETXTBSY.
 */
MUST_CHECK int program_begin(struct inode *inode);
void program_hold(struct inode *inode); /* one more use of a running program; NULL is allowed */
void program_end(struct inode *inode);  /* NULL is allowed */

/* A file that could write to inode is closed. */
void inode_writer_end(struct inode *inode);

/* ---- What getdents64 gives ---------------------------------------------- */

struct dirents {
    char *bytes;
    size_t len, room;
    bool full; /* one more entry would not fit */
};

/* Add an entry; cookie is the position behind it. False, with nothing added, when it does not
 * fit. */
MUST_CHECK bool dirents_add(struct dirents *out, const char *name, size_t len, uint64_t number,
                            uint64_t cookie, uint32_t mode);

#endif
