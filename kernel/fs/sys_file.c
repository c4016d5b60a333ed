/* SPDX-License-Identifier: MIT */
/* System calls on files. Paths are copied in once; a descriptor is held for as long as the call
 * lasts. */
#include "base/string.h"
#include "kernel/fs/file.h"
#include "kernel/fs/pipe.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"

#define IOV_MAX 1024
#define UNUSED2 (void)e, (void)f
#define UNUSED3 (void)d, (void)e, (void)f
#define UNUSED4 (void)c, (void)d, (void)e, (void)f
#define UNUSED5 (void)b, (void)c, (void)d, (void)e, (void)f

static struct files *files_current(void) { return process_current()->files; }

/* ---- Reading and writing ------------------------------------------------ */

typedef long (*transfer_fn)(struct file *file, uaddr_t at, size_t len, uint64_t *position);

/* The operation if the file can do it and was opened for it, else NULL. */
static transfer_fn transfer_of(const struct file *file, bool writing)
{
    unsigned mode = file->flags & O_ACCMODE;
    if (writing)
        return mode == O_RDONLY ? NULL : file->ops->write;
    return mode == O_WRONLY ? NULL : file->ops->read;
}

/* read, write, pread, pwrite: position NULL means the file's own. */
static long transfer(uint64_t fd, uint64_t at, uint64_t len, uint64_t *position, bool writing)
{
    struct file *file = files_get(files_current(), (int)fd);
    if (!file)
        return -EBADF;
    transfer_fn move = transfer_of(file, writing);
    bool own = !position && file->ops->positioned;
    if (own)
        sleep_lock(&file->lock);
    long result = !move ? -EBADF
                        : move(file, uaddr(at), len, position ? position : &file->position);
    if (own)
        sleep_unlock(&file->lock);
    file_put(file);
    return result;
}

SYSCALL(read)
{
    UNUSED3;
    return transfer(a, b, c, NULL, false);
}
SYSCALL(write)
{
    UNUSED3;
    return transfer(a, b, c, NULL, true);
}
SYSCALL(pread64)
{
    UNUSED2;
    return transfer(a, b, c, &d, false);
}
SYSCALL(pwrite64)
{
    UNUSED2;
    return transfer(a, b, c, &d, true);
}

/* All parts of a vector, to one file whose position nobody else moves meanwhile. */
static long parts_move(struct file *file, transfer_fn move, uint64_t vector, uint64_t count)
{
    long done = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t part[2]; /* struct iovec: address, length */
        if (arch_copy_from_user(part, uaddr(vector + i * sizeof(part)), sizeof(part)))
            return done ? done : -EFAULT;
        long now = part[1] ? move(file, uaddr(part[0]), part[1], &file->position) : 0;
        if (now < 0)
            return done ? done : now;
        done += now;
        if ((uint64_t)now < part[1])
            break;
    }
    return done;
}

static long transfer_vector(uint64_t fd, uint64_t vector, uint64_t count, bool writing)
{
    if (count > IOV_MAX)
        return -EINVAL;
    struct file *file = files_get(files_current(), (int)fd);
    if (!file)
        return -EBADF;
    transfer_fn move = transfer_of(file, writing);
    if (file->ops->positioned)
        sleep_lock(&file->lock);
    long result = move ? parts_move(file, move, vector, count) : -EBADF;
    if (file->ops->positioned)
        sleep_unlock(&file->lock);
    file_put(file);
    return result;
}

SYSCALL(readv)
{
    UNUSED3;
    return transfer_vector(a, b, c, false);
}
SYSCALL(writev)
{
    UNUSED3;
    return transfer_vector(a, b, c, true);
}

/* Programs fall back to read and write. */
SYSCALL(sendfile)
{
    (void)a, (void)b, UNUSED4;
    return -EINVAL;
}

SYSCALL(lseek)
{
    UNUSED3;
    struct file *file = files_get(files_current(), (int)a);
    if (!file)
        return -EBADF;
    sleep_lock(&file->lock);
    long result = file->ops->seek ? file->ops->seek(file, (int64_t)b, (int)c) : -ESPIPE;
    sleep_unlock(&file->lock);
    file_put(file);
    return result;
}

SYSCALL(ftruncate)
{
    UNUSED4;
    struct file *file = files_get(files_current(), (int)a);
    if (!file)
        return -EBADF;
    bool writable = (file->flags & O_ACCMODE) != O_RDONLY;
    long result = file->ops->truncate && writable ? file->ops->truncate(file, b) : -EINVAL;
    file_put(file);
    return result;
}

SYSCALL(ioctl)
{
    UNUSED3;
    struct file *file = files_get(files_current(), (int)a);
    if (!file)
        return -EBADF;
    long result = file->ops->ioctl ? file->ops->ioctl(file, (unsigned)b, c) : -ENOTTY;
    file_put(file);
    return result;
}

SYSCALL(getdents64)
{
    UNUSED3;
    struct file *file = files_get(files_current(), (int)a);
    if (!file)
        return -EBADF;
    sleep_lock(&file->lock);
    long result = file->ops->getdents ? file->ops->getdents(file, uaddr(b), c) : -ENOTDIR;
    sleep_unlock(&file->lock);
    file_put(file);
    return result;
}

/* ---- Opening and descriptors -------------------------------------------- */

/* Relative paths count from the working directory only. */
static int at_check(uint64_t dirfd, const char *path)
{
    return (int)dirfd == AT_FDCWD || path[0] == '/' ? 0 : -EBADF;
}

/* Copy a path in and make it absolute; 0, -ENOENT when it is empty, or another negative errno. */
static int path_in_at(uint64_t dirfd, char *path, uint64_t from)
{
    char raw[PATH_MAX_BYTES];
    long len = arch_strncpy_from_user(raw, uaddr(from), sizeof(raw));
    if (len < 0)
        return (int)len;
    int err = raw[0] ? at_check(dirfd, raw) : -ENOENT;
    return err ? err : files_path(files_current(), raw, path, PATH_MAX_BYTES);
}

static int path_in(char *path, uint64_t from) { return path_in_at((uint64_t)AT_FDCWD, path, from); }

static long open_at(uint64_t dirfd, uint64_t user_path, uint64_t flags, uint64_t mode)
{
    char path[PATH_MAX_BYTES];
    struct file *file;
    int err = path_in_at(dirfd, path, user_path);
    if (!err)
        err = file_open(path, (unsigned)flags, (unsigned)mode, &file);
    if (err)
        return err;
    int fd = files_add(files_current(), file, 0, flags & O_CLOEXEC);
    if (fd < 0)
        file_put(file);
    return fd;
}

SYSCALL(open)
{
    UNUSED3;
    return open_at((uint64_t)AT_FDCWD, a, b, c);
}
SYSCALL(openat)
{
    UNUSED2;
    return open_at(a, b, c, d);
}

SYSCALL(close)
{
    UNUSED5;
    if (a >= FILES_MAX)
        return -EBADF;
    struct file *file = files_replace(files_current(), NULL, (int)a, false);
    if (!file)
        return -EBADF;
    file_put(file);
    return 0;
}

static long dup_to(uint64_t from, uint64_t to, bool cloexec)
{
    if (to >= FILES_MAX)
        return -EBADF;
    struct file *file = files_get(files_current(), (int)from);
    if (!file)
        return -EBADF;
    struct file *old = files_replace(files_current(), file, (int)to, cloexec);
    if (old)
        file_put(old);
    return (long)to;
}

static long dup_above(uint64_t from, uint64_t lowest, bool cloexec)
{
    if (lowest >= FILES_MAX)
        return -EINVAL;
    struct file *file = files_get(files_current(), (int)from);
    if (!file)
        return -EBADF;
    int fd = files_add(files_current(), file, (int)lowest, cloexec);
    if (fd < 0)
        file_put(file);
    return fd;
}

SYSCALL(dup)
{
    UNUSED5;
    return dup_above(a, 0, false);
}

SYSCALL(dup2)
{
    UNUSED4;
    if (a == b) {
        int valid = files_cloexec(files_current(), (int)a, -1);
        return valid < 0 ? valid : (long)b;
    }
    return dup_to(a, b, false);
}

SYSCALL(dup3)
{
    UNUSED3;
    return a == b || c & ~(uint64_t)O_CLOEXEC ? -EINVAL : dup_to(a, b, c & O_CLOEXEC);
}

SYSCALL(fcntl)
{
    UNUSED3;
    if (b == F_DUPFD || b == F_DUPFD_CLOEXEC)
        return dup_above(a, c, b == F_DUPFD_CLOEXEC);
    if (b == F_GETFD || b == F_SETFD) {
        int old = files_cloexec(files_current(), (int)a, b == F_SETFD ? (int)(c & FD_CLOEXEC) : -1);
        return old < 0 || b == F_GETFD ? old : 0;
    }
    struct file *file = files_get(files_current(), (int)a);
    if (!file)
        return -EBADF;
    long result = -EINVAL;
    if (b == F_GETFL) {
        result = file->flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
    } else if (b == F_SETFL) {
        file->flags = (file->flags & ~(uint32_t)(O_APPEND | O_NONBLOCK))
                      | (c & (O_APPEND | O_NONBLOCK));
        result = 0;
    }
    file_put(file);
    return result;
}

SYSCALL(pipe2)
{
    UNUSED4;
    struct file *end[2];
    int fd[2];
    if (b & ~(uint64_t)(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    int err = pipe_create((uint32_t)b & O_NONBLOCK, end);
    if (err)
        return err;
    fd[0] = files_add(files_current(), end[0], 0, b & O_CLOEXEC);
    fd[1] = fd[0] < 0 ? -EMFILE : files_add(files_current(), end[1], 0, b & O_CLOEXEC);
    err = fd[1] < 0 ? -EMFILE : arch_copy_to_user(uaddr(a), fd, sizeof(fd));
    for (int i = 0; i < 2 && err; i++) { /* another thread may have closed it meanwhile */
        if (fd[i] < 0 || files_take(files_current(), fd[i], end[i]))
            file_put(end[i]);
    }
    return err;
}

SYSCALL(pipe)
{
    (void)b, UNUSED4;
    return sys_pipe2(a, 0, 0, 0, 0, 0);
}

/* ---- Names -------------------------------------------------------------- */

static long stat_out(int err, const struct linux_stat *stat, uint64_t to)
{
    return err ? err : arch_copy_to_user(uaddr(to), stat, sizeof(*stat)) ? -EFAULT : 0;
}

static long stat_path(uint64_t dirfd, uint64_t user_path, uint64_t to, bool follow)
{
    char path[PATH_MAX_BYTES];
    struct linux_stat stat;
    int err = path_in_at(dirfd, path, user_path);
    if (!err)
        err = path_stat(path, follow, &stat);
    return stat_out(err, &stat, to);
}

SYSCALL(stat)
{
    UNUSED4;
    return stat_path((uint64_t)AT_FDCWD, a, b, true);
}
SYSCALL(lstat)
{
    UNUSED4;
    return stat_path((uint64_t)AT_FDCWD, a, b, false);
}

SYSCALL(fstat)
{
    UNUSED4;
    struct linux_stat stat;
    struct file *file = files_get(files_current(), (int)a);
    if (!file)
        return -EBADF;
    int err = file->ops->stat(file, &stat);
    file_put(file);
    return stat_out(err, &stat, b);
}

SYSCALL(newfstatat)
{
    UNUSED2;
    char first = 0;
    if (d & AT_EMPTY_PATH && arch_copy_from_user(&first, uaddr(b), 1))
        return -EFAULT;
    if (d & AT_EMPTY_PATH && !first)
        return sys_fstat(a, c, 0, 0, 0, 0);
    return stat_path(a, b, c, !(d & AT_SYMLINK_NOFOLLOW));
}

static long readlink_path(uint64_t user_path, uint64_t to, uint64_t size)
{
    char path[PATH_MAX_BYTES], target[PATH_MAX_BYTES];
    int err = path_in(path, user_path);
    if (err)
        return err;
    long len = path_readlink(path, target, sizeof(target));
    if (len < 0 || size == 0)
        return len < 0 ? len : -EINVAL;
    len = (long)min_u64((uint64_t)len, size);
    return arch_copy_to_user(uaddr(to), target, (size_t)len) ? -EFAULT : len;
}

SYSCALL(readlink)
{
    UNUSED3;
    return readlink_path(a, b, c);
}
SYSCALL(readlinkat)
{
    (void)a, UNUSED2;
    return readlink_path(b, c, d);
}

static long access_path(uint64_t user_path, uint64_t mode)
{
    char path[PATH_MAX_BYTES];
    struct linux_stat stat;
    int err = path_in(path, user_path);
    if (!err)
        err = path_stat(path, true, &stat);
    if (!err && mode & 1 && !(stat.st_mode & 0111))
        err = -EACCES;
    return err;
}

SYSCALL(access)
{
    UNUSED4;
    return access_path(a, b);
}
SYSCALL(faccessat)
{
    (void)a, UNUSED3;
    return access_path(b, c);
}

SYSCALL(getcwd)
{
    UNUSED4;
    char cwd[PATH_MAX_BYTES];
    int err = files_path(files_current(), ".", cwd, sizeof(cwd));
    size_t len = err ? 0 : strlen(cwd) + 1;
    if (err || len > b)
        return err ? err : -ERANGE;
    return arch_copy_to_user(uaddr(a), cwd, len) ? -EFAULT : (long)len;
}

SYSCALL(chdir)
{
    UNUSED5;
    char path[PATH_MAX_BYTES];
    struct linux_stat stat;
    int err = path_in(path, a);
    if (!err)
        err = path_stat(path, true, &stat);
    if (!err && (stat.st_mode & S_IFMT) != S_IFDIR)
        err = -ENOTDIR;
    if (!err)
        files_chdir(files_current(), path);
    return err;
}

static long mkdir_path(uint64_t user_path, uint64_t mode)
{
    char path[PATH_MAX_BYTES];
    int err = path_in(path, user_path);
    return err ? err : path_mkdir(path, (unsigned)mode);
}

static long unlink_path(uint64_t user_path, bool folder)
{
    char path[PATH_MAX_BYTES];
    int err = path_in(path, user_path);
    return err ? err : path_unlink(path, folder);
}

SYSCALL(mkdir)
{
    UNUSED4;
    return mkdir_path(a, b);
}
SYSCALL(mkdirat)
{
    (void)a, UNUSED3;
    return mkdir_path(b, c);
}
SYSCALL(rmdir)
{
    UNUSED5;
    return unlink_path(a, true);
}
SYSCALL(unlink)
{
    UNUSED5;
    return unlink_path(a, false);
}
SYSCALL(unlinkat)
{
    (void)a, UNUSED3;
    return unlink_path(b, c & AT_REMOVEDIR);
}

SYSCALL(symlink)
{
    UNUSED4;
    char target[PATH_MAX_BYTES], path[PATH_MAX_BYTES];
    long len = arch_strncpy_from_user(target, uaddr(a), sizeof(target));
    int err = len < 0 ? (int)len : len == 0 ? -ENOENT : path_in(path, b);
    return err ? err : path_symlink(target, path);
}

SYSCALL(umask)
{
    (void)a, UNUSED5;
    return 022;
}

/* ---- poll --------------------------------------------------------------- */

struct poll_entry {
    int32_t fd;
    int16_t events, revents;
};

#define POLL_MAX         64
#define POLL_INTERVAL_NS 10000000ull

static unsigned poll_one(struct poll_entry *entry)
{
    entry->revents = 0;
    if (entry->fd < 0)
        return 0;
    struct file *file = files_get(files_current(), entry->fd);
    unsigned ready = !file ? POLLNVAL : file->ops->poll ? file->ops->poll(file) : POLLIN | POLLOUT;
    if (file)
        file_put(file);
    entry->revents = (int16_t)(ready & ((unsigned)entry->events | POLLERR | POLLHUP | POLLNVAL));
    return entry->revents != 0;
}

/* Looks at every tick: files have no common wait queue. */
SYSCALL(poll)
{
    UNUSED3;
    struct poll_entry entries[POLL_MAX];
    struct wait_queue queue;
    uint64_t deadline = (int)c < 0 ? ~0ull : arch_clock_ns() + c * 1000000;
    if (b > POLL_MAX)
        return -EINVAL;
    if (arch_copy_from_user(entries, uaddr(a), b * sizeof(entries[0])))
        return -EFAULT;
    wait_queue_init(&queue);
    for (;;) {
        unsigned ready = 0;
        for (uint64_t i = 0; i < b; i++)
            ready += poll_one(&entries[i]);
        if (ready || arch_clock_ns() >= deadline)
            return arch_copy_to_user(uaddr(a), entries, b * sizeof(entries[0])) ? -EFAULT
                                                                                : (long)ready;
        wait_begin(&queue);
        int err = wait_sleep(min_u64(deadline, arch_clock_ns() + POLL_INTERVAL_NS));
        wait_end(&queue);
        if (err == -EINTR)
            return err;
    }
}
