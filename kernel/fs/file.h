/* SPDX-License-Identifier: MIT */
/* Open files, the names that lead to them, and a process's table of descriptors. */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

#include "base/list.h"
#include "base/lock.h"
#include "base/types.h"
#include "kernel/sched/wait.h"
#include "mm/mm.h"
#include "uapi/fcntl.h"

struct file;
struct inode;      /* kernel/fs/inode.h */
struct linux_stat; /* include/uapi/stat.h */

/*
 * What an open file can do. A NULL member means that it cannot (-EINVAL, or as the call's manual
 * page says). Data goes through kernel buffers only where it must: read and write take user
 * addresses and use arch_copy_*_user(). read and write return bytes, or a negative errno; they may
 * wait, and then return -EINTR when a signal is due.
 */
struct file_ops {
    long (*read)(struct file *file, uaddr_t to, size_t len, uint64_t *position);
    long (*write)(struct file *file, uaddr_t from, size_t len, uint64_t *position);
    /* NULL: the file has no position, so pread and pwrite fail */
    long (*seek)(struct file *file, int64_t offset, int whence);
    int (*stat)(struct file *file, struct linux_stat *stat); /* of a file without an inode */
    long (*ioctl)(struct file *file, unsigned request, uint64_t argument);
    int (*truncate)(struct file *file, uint64_t bytes);
    /* Frames of the contents for mmap and exec, with a reference on the source for the caller;
     * NULL member: not mappable. */
    struct vm_source *(*source)(struct file *file);
    unsigned (*poll)(struct file *file); /* POLLIN | POLLOUT ... now */
    void (*close)(struct file *file);    /* the last reference is gone */
    bool positioned; /* read, write, seek and getdents use file.position: one at a time */
};

/* [A] atomic  [L] lock  [I] fixed before anybody else can see it */
struct file {
    const struct file_ops *ops; /* [I] */
    struct inode *inode;        /* [I] what was opened, with a reference; NULL: a pipe's end */
    void *object;               /* [I] what the operations need besides */
    uint32_t refs;              /* [A] */
    uint32_t flags;             /* [A] of the O_* bits O_APPEND and O_NONBLOCK change */
    struct sleep_lock lock;     /* of files whose reads and writes move a position */
    uint64_t position;          /* [L] */
};

/* The O_* status flags and access mode now. */
static inline uint32_t file_flags(const struct file *file)
{
    return __atomic_load_n(&file->flags, __ATOMIC_RELAXED);
}
/* Was it opened for reading, for writing? The fourth access mode is good for ioctl only. */
static inline bool file_may_read(const struct file *file) { return (file_flags(file) + 1) & 1; }
static inline bool file_may_write(const struct file *file) { return (file_flags(file) + 1) & 2; }

/* NULL: out of memory */
MUST_CHECK struct file *file_create(const struct file_ops *ops, void *object, uint32_t flags);
void file_discard(struct file *file); /* for a file of file_create() that nobody else has seen */
void file_hold(struct file *file);
void file_put(struct file *file);
/* What lseek does to a position, in a file that ends at end. */
long file_seek(struct file *file, int64_t offset, int whence, uint64_t end);
/* The seek() of a file without a known end: SEEK_END is -EINVAL. */
long file_seek_endless(struct file *file, int64_t offset, int whence);

/* Open path, which starts at the current process's working directory, with Linux's O_* flags. 0 or
 * negative errno. */
MUST_CHECK int file_open(const char *path, uint32_t flags, uint32_t mode, struct file **file);
/* Read from a regular file into kernel memory (exec, tests); bytes read or negative errno. */
MUST_CHECK long file_read_kernel(struct file *file, void *to, size_t len, uint64_t position);
bool file_is_executable(const struct file *file);

#define FILES_MAX 256

/* The descriptors of a process, or of several. */
struct files {
    uint32_t refs; /* [A] */
    struct spinlock lock;
    struct file *file[FILES_MAX];     /* [L] */
    uint64_t cloexec[FILES_MAX / 64]; /* [L] */
    int end;                          /* [L] descriptors in use lie below */
};

/* A copy; of NULL: an empty table. NULL when out of memory. */
MUST_CHECK struct files *files_fork(struct files *from);
MUST_CHECK struct files *files_share(struct files *files);
void files_put(struct files *files); /* NULL: nothing */
void files_close_on_exec(struct files *files);
/* The file behind fd with a reference, or NULL (-EBADF). Only the second function returns a file
 * that was opened with O_PATH. */
MUST_CHECK struct file *files_get(struct files *files, int fd);
MUST_CHECK struct file *files_get_named(struct files *files, int fd);
/* Put file (the table takes over the caller's reference) at the lowest free descriptor >= from;
 * the descriptor or -EMFILE. */
MUST_CHECK int files_add(struct files *files, struct file *file, int from, bool cloexec);
/* Put file (NULL: nothing) at fd. Returns the file that was there; the caller owns its reference.
 * fd lies below FILES_MAX. */
MUST_CHECK struct file *files_replace(struct files *files, struct file *file, int fd, bool cloexec);
/* Empty fd if it still holds file. The table's reference then belongs to the caller. */
MUST_CHECK bool files_take(struct files *files, int fd, const struct file *file);
/* Set the close-on-exec flag of fd, unless set is negative. Returns the flag before, or -EBADF. */
int files_cloexec(struct files *files, int fd, int set);

/* Once at start: tasks wait for the pages that a userfaultfd provides. */
void userfaultfd_init(void);

/* Where the relative paths of a process, or of several, start, and what they make. */
struct fs {
    uint32_t refs; /* [A] */
    struct spinlock lock;
    struct inode *folder; /* [L] the working directory, with a reference */
    uint32_t umask;       /* [A] */
};

/* A copy; of NULL: the root and the usual umask. NULL when out of memory. */
MUST_CHECK struct fs *fs_fork(struct fs *from);
MUST_CHECK struct fs *fs_share(struct fs *fs);
void fs_put(struct fs *fs); /* NULL: nothing */
/* The working directory, with a reference. */
MUST_CHECK struct inode *fs_folder(struct fs *fs);
/* Go to folder, whose reference fs takes over. */
void fs_chdir(struct fs *fs, struct inode *folder);

#endif
