/* SPDX-License-Identifier: MIT */
/* Open files, the names that lead to them, and a process's table of descriptors. */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

#include "base/list.h"
#include "base/lock.h"
#include "base/types.h"
#include "kernel/sched/wait.h"
#include "mm/mm.h"

struct file;
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
    long (*seek)(struct file *file, int64_t offset, int whence);
    int (*stat)(struct file *file, struct linux_stat *stat);
    long (*ioctl)(struct file *file, unsigned request, uint64_t argument);
    long (*getdents)(struct file *file, uaddr_t to, size_t len);
    int (*truncate)(struct file *file, uint64_t bytes);
    /* Frames of the contents for mmap and exec, with a reference on the source for the caller;
     * NULL member: not mappable. */
    struct vm_source *(*source)(struct file *file);
    unsigned (*poll)(struct file *file); /* POLLIN | POLLOUT ... now */
    void (*close)(struct file *file);    /* the last reference is gone */
    bool positioned; /* read, write, seek and getdents use file.position: one at a time */
};

/* [A] atomic  [L] lock  [I] fixed */
struct file {
    const struct file_ops *ops; /* [I] */
    uint32_t refs;              /* [A] */
    uint32_t flags;             /* [A] O_* status flags and access mode */
    struct sleep_lock lock;     /* of files whose reads and writes move a position */
    uint64_t position;          /* [L] */
    void *object;               /* [I] the inode, pipe, ... behind it; ops know which */
};

/* NULL: out of memory */
MUST_CHECK struct file *file_create(const struct file_ops *ops, void *object, uint32_t flags);
void file_hold(struct file *file);
void file_put(struct file *file);

/* Open path with Linux's O_* flags. 0 or negative errno. Paths here and below are absolute. */
MUST_CHECK int file_open(const char *path, unsigned flags, unsigned mode, struct file **file);
/* Read from a regular file into kernel memory (exec, tests); bytes read or negative errno. */
MUST_CHECK long file_read_kernel(struct file *file, void *to, size_t len, uint64_t position);

bool file_is_executable(struct file *file);

/* The path calls: 0 or negative errno. */
int path_stat(const char *path, bool follow, struct linux_stat *stat);
int path_unlink(const char *path, bool directory);
int path_mkdir(const char *path, unsigned mode);
int path_symlink(const char *target, const char *path);
long path_readlink(const char *path, char *to, size_t size);
/* Normalise path (joined to cwd) without looking anything up: "/a/./b/../c" -> "/a/c".
 * -ENAMETOOLONG. */
int path_normalise(const char *cwd, const char *path, char *to, size_t size);

#define PATH_MAX_BYTES 1024
#define FILES_MAX      256

/* A process's descriptors. */
struct files {
    uint32_t refs; /* [A] */
    struct spinlock lock;
    struct file *file[FILES_MAX];     /* [L] */
    uint64_t cloexec[FILES_MAX / 64]; /* [L] */
    int end;                          /* [L] descriptors in use lie below */
    char cwd[PATH_MAX_BYTES];         /* [L] */
};

MUST_CHECK struct files *files_create(void);
MUST_CHECK struct files *files_fork(struct files *from); /* a copy, NULL when out of memory */
void files_put(struct files *files);
void files_close_on_exec(struct files *files);
/* Make path absolute: joined to the working directory when relative, normalised. -ENAMETOOLONG. */
MUST_CHECK int files_path(struct files *files, const char *path, char *to, size_t size);
/* Go to path, which is absolute and normalised. */
void files_chdir(struct files *files, const char *path);
/* Empty fd if it still holds file; whose reference is then the caller's. */
MUST_CHECK bool files_take(struct files *files, int fd, const struct file *file);
/* The file behind fd with a reference, or NULL (-EBADF). */
MUST_CHECK struct file *files_get(struct files *files, int fd);
/* Put file (the table takes over the caller's reference) at the lowest free descriptor >= from;
 * the descriptor or -EMFILE. */
/* Put file (NULL: nothing) at fd; what was there goes to the caller. fd lies below FILES_MAX. */
MUST_CHECK struct file *files_replace(struct files *files, struct file *file, int fd, bool cloexec);
/* The close-on-exec flag of fd before, -EBADF; set it unless set is negative. */
int files_cloexec(struct files *files, int fd, int set);
MUST_CHECK int files_add(struct files *files, struct file *file, int from, bool cloexec);

/* kernel/fs/sys_name.c: copy a path in from user memory and make it absolute; 0, -ENOENT when it is
 * empty, or another negative errno. */
MUST_CHECK int path_in_at(int dirfd, char *path, uaddr_t from);

/* kernel/fs/cpio.c: unpack a newc archive into the RAM file system. 0, or -EINVAL or -ENOMEM
 * with a log line. */
MUST_CHECK int initrd_unpack(const void *cpio, size_t bytes);

#endif
