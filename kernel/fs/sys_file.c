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
static long transfer(int fd, uaddr_t at, size_t len, uint64_t *position, bool writing)
{
    struct file *file = files_get(files_current(), fd);
    if (!file)
        return -EBADF;
    transfer_fn move = transfer_of(file, writing);
    bool own = !position && file->ops->positioned;
    if (own)
        sleep_lock(&file->lock);
    long result = !move ? -EBADF : move(file, at, len, position ? position : &file->position);
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

/* All parts of a vector, to one file whose position nobody else moves meanwhile. */
static long parts_move(struct file *file, transfer_fn move, uaddr_t vector, int count)
{
    long done = 0;
    for (int i = 0; i < count; i++) {
        uint64_t part[2]; /* struct iovec: address, length */
        if (arch_copy_from_user(part, uaddr(vector.v + (uint64_t)i * sizeof(part)), sizeof(part)))
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

static long transfer_vector(int fd, uaddr_t vector, int count, bool writing)
{
    if (count < 0 || count > IOV_MAX)
        return -EINVAL;
    struct file *file = files_get(files_current(), fd);
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
    bool writable = (file->flags & O_ACCMODE) != O_RDONLY;
    long result = file->ops->truncate && writable && len >= 0
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

long sys_getdents64(int fd, uaddr_t to, unsigned size)
{
    struct file *file = files_get(files_current(), fd);
    if (!file)
        return -EBADF;
    sleep_lock(&file->lock);
    long result = file->ops->getdents ? file->ops->getdents(file, to, size) : -ENOTDIR;
    sleep_unlock(&file->lock);
    file_put(file);
    return result;
}

/* ---- Opening and descriptors -------------------------------------------- */

/* Relative paths count from the working directory only. */
static int at_check(int dirfd, const char *path)
{
    return dirfd == AT_FDCWD || path[0] == '/' ? 0 : -EBADF;
}

/* Copy a path in and make it absolute; 0, -ENOENT when it is empty, or another negative errno. */
static int path_in_at(int dirfd, char *path, uaddr_t from)
{
    char raw[PATH_MAX_BYTES];
    long len = arch_strncpy_from_user(raw, from, sizeof(raw));
    if (len < 0)
        return (int)len;
    int err = raw[0] ? at_check(dirfd, raw) : -ENOENT;
    return err ? err : files_path(files_current(), raw, path, PATH_MAX_BYTES);
}

static int path_in(char *path, uaddr_t from) { return path_in_at(AT_FDCWD, path, from); }

static long open_at(int dirfd, uaddr_t user_path, int flags, unsigned mode)
{
    char path[PATH_MAX_BYTES];
    struct file *file;
    int err = path_in_at(dirfd, path, user_path);
    if (!err)
        err = file_open(path, (unsigned)flags, mode, &file);
    if (err)
        return err;
    int fd = files_add(files_current(), file, 0, flags & O_CLOEXEC);
    if (fd < 0)
        file_put(file);
    return fd;
}

long sys_open(uaddr_t path, int flags, unsigned mode)
{
    return open_at(AT_FDCWD, path, flags, mode);
}
long sys_openat(int folder, uaddr_t path, int flags, unsigned mode)
{
    return open_at(folder, path, flags, mode);
}

long sys_close(int fd)
{
    if (fd < 0 || fd >= FILES_MAX)
        return -EBADF;
    struct file *file = files_replace(files_current(), NULL, fd, false);
    if (!file)
        return -EBADF;
    file_put(file);
    return 0;
}

static long dup_to(int from, int to, bool cloexec)
{
    if (to < 0 || to >= FILES_MAX)
        return -EBADF;
    struct file *file = files_get(files_current(), from);
    if (!file)
        return -EBADF;
    struct file *old = files_replace(files_current(), file, to, cloexec);
    if (old)
        file_put(old);
    return to;
}

static long dup_above(int from, uint64_t lowest, bool cloexec)
{
    if (lowest >= FILES_MAX)
        return -EINVAL;
    struct file *file = files_get(files_current(), from);
    if (!file)
        return -EBADF;
    int fd = files_add(files_current(), file, (int)lowest, cloexec);
    if (fd < 0)
        file_put(file);
    return fd;
}

long sys_dup(int fd) { return dup_above(fd, 0, false); }

long sys_dup2(int from, int to)
{
    if (from == to) {
        int valid = files_cloexec(files_current(), from, -1);
        return valid < 0 ? valid : to;
    }
    return dup_to(from, to, false);
}

long sys_dup3(int from, int to, int flags)
{
    return from == to || flags & ~O_CLOEXEC ? -EINVAL : dup_to(from, to, flags & O_CLOEXEC);
}

long sys_fcntl(int fd, int command, uint64_t argument)
{
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
        return dup_above(fd, argument, command == F_DUPFD_CLOEXEC);
    if (command == F_GETFD || command == F_SETFD) {
        int old = files_cloexec(files_current(), fd,
                                command == F_SETFD ? (int)(argument & FD_CLOEXEC) : -1);
        return old < 0 || command == F_GETFD ? old : 0;
    }
    struct file *file = files_get(files_current(), fd);
    if (!file)
        return -EBADF;
    long result = -EINVAL;
    if (command == F_GETFL) {
        result = file->flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
    } else if (command == F_SETFL) {
        file->flags = (file->flags & ~(uint32_t)(O_APPEND | O_NONBLOCK))
                      | (argument & (O_APPEND | O_NONBLOCK));
        result = 0;
    }
    file_put(file);
    return result;
}

long sys_pipe2(uaddr_t fds, int flags)
{
    struct file *end[2];
    int fd[2];
    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    int err = pipe_create(flags & O_NONBLOCK, end);
    if (err)
        return err;
    fd[0] = files_add(files_current(), end[0], 0, flags & O_CLOEXEC);
    fd[1] = fd[0] < 0 ? -EMFILE : files_add(files_current(), end[1], 0, flags & O_CLOEXEC);
    err = fd[1] < 0 ? -EMFILE : arch_copy_to_user(fds, fd, sizeof(fd));
    for (int i = 0; i < 2 && err; i++) { /* another thread may have closed it meanwhile */
        if (fd[i] < 0 || files_take(files_current(), fd[i], end[i]))
            file_put(end[i]);
    }
    return err;
}

long sys_pipe(uaddr_t fds) { return sys_pipe2(fds, 0); }

/* ---- Names -------------------------------------------------------------- */

static long stat_out(int err, const struct linux_stat *stat, uaddr_t to)
{
    return err ? err : arch_copy_to_user(to, stat, sizeof(*stat)) ? -EFAULT : 0;
}

static long stat_path(int dirfd, uaddr_t user_path, uaddr_t to, bool follow)
{
    char path[PATH_MAX_BYTES];
    struct linux_stat stat;
    int err = path_in_at(dirfd, path, user_path);
    if (!err)
        err = path_stat(path, follow, &stat);
    return stat_out(err, &stat, to);
}

long sys_stat(uaddr_t path, uaddr_t to) { return stat_path(AT_FDCWD, path, to, true); }
long sys_lstat(uaddr_t path, uaddr_t to) { return stat_path(AT_FDCWD, path, to, false); }

long sys_fstat(int fd, uaddr_t to)
{
    struct linux_stat stat;
    struct file *file = files_get(files_current(), fd);
    if (!file)
        return -EBADF;
    int err = file->ops->stat(file, &stat);
    file_put(file);
    return stat_out(err, &stat, to);
}

long sys_newfstatat(int folder, uaddr_t path, uaddr_t to, int flags)
{
    char first = 0;
    if (flags & AT_EMPTY_PATH && arch_copy_from_user(&first, path, 1))
        return -EFAULT;
    if (flags & AT_EMPTY_PATH && !first)
        return sys_fstat(folder, to);
    return stat_path(folder, path, to, !(flags & AT_SYMLINK_NOFOLLOW));
}

static long readlink_path(uaddr_t user_path, uaddr_t to, int size)
{
    char path[PATH_MAX_BYTES], target[PATH_MAX_BYTES];
    int err = path_in(path, user_path);
    if (err)
        return err;
    long len = path_readlink(path, target, sizeof(target));
    if (len < 0 || size <= 0)
        return len < 0 ? len : -EINVAL;
    len = (long)min_u64((uint64_t)len, (uint64_t)size);
    return arch_copy_to_user(to, target, (size_t)len) ? -EFAULT : len;
}

long sys_readlink(uaddr_t path, uaddr_t to, int size) { return readlink_path(path, to, size); }
long sys_readlinkat(int folder, uaddr_t path, uaddr_t to, int size)
{
    return readlink_path(path, to, size);
}

static long access_path(uaddr_t user_path, int mode)
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

long sys_access(uaddr_t path, int mode) { return access_path(path, mode); }
long sys_faccessat(int folder, uaddr_t path, int mode) { return access_path(path, mode); }

long sys_getcwd(uaddr_t to, size_t size)
{
    char cwd[PATH_MAX_BYTES];
    int err = files_path(files_current(), ".", cwd, sizeof(cwd));
    size_t len = err ? 0 : strlen(cwd) + 1;
    if (err || len > size)
        return err ? err : -ERANGE;
    return arch_copy_to_user(to, cwd, len) ? -EFAULT : (long)len;
}

long sys_chdir(uaddr_t user_path)
{
    char path[PATH_MAX_BYTES];
    struct linux_stat stat;
    int err = path_in(path, user_path);
    if (!err)
        err = path_stat(path, true, &stat);
    if (!err && (stat.st_mode & S_IFMT) != S_IFDIR)
        err = -ENOTDIR;
    if (!err)
        files_chdir(files_current(), path);
    return err;
}

static long mkdir_path(uaddr_t user_path, unsigned mode)
{
    char path[PATH_MAX_BYTES];
    int err = path_in(path, user_path);
    return err ? err : path_mkdir(path, mode);
}

static long unlink_path(uaddr_t user_path, bool folder)
{
    char path[PATH_MAX_BYTES];
    int err = path_in(path, user_path);
    return err ? err : path_unlink(path, folder);
}

long sys_mkdir(uaddr_t path, unsigned mode) { return mkdir_path(path, mode); }
long sys_mkdirat(int folder, uaddr_t path, unsigned mode) { return mkdir_path(path, mode); }
long sys_rmdir(uaddr_t path) { return unlink_path(path, true); }
long sys_unlink(uaddr_t path) { return unlink_path(path, false); }
long sys_unlinkat(int folder, uaddr_t path, int flags)
{
    return unlink_path(path, flags & AT_REMOVEDIR);
}

long sys_symlink(uaddr_t user_target, uaddr_t user_path)
{
    char target[PATH_MAX_BYTES], path[PATH_MAX_BYTES];
    long len = arch_strncpy_from_user(target, user_target, sizeof(target));
    int err = len < 0 ? (int)len : len == 0 ? -ENOENT : path_in(path, user_path);
    return err ? err : path_symlink(target, path);
}

long sys_umask(int mask) { return 022; }

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
long sys_poll(uaddr_t user_entries, unsigned count, int timeout_ms)
{
    struct poll_entry entries[POLL_MAX];
    struct wait_queue queue;
    uint64_t deadline = timeout_ms < 0 ? ~0ull : arch_clock_ns() + (uint64_t)timeout_ms * 1000000;
    if (count > POLL_MAX)
        return -EINVAL;
    if (arch_copy_from_user(entries, user_entries, count * sizeof(entries[0])))
        return -EFAULT;
    wait_queue_init(&queue);
    for (;;) {
        unsigned ready = 0;
        for (uint64_t i = 0; i < count; i++)
            ready += poll_one(&entries[i]);
        if (ready || arch_clock_ns() >= deadline)
            return arch_copy_to_user(user_entries, entries, count * sizeof(entries[0]))
                       ? -EFAULT
                       : (long)ready;
        wait_begin(&queue);
        int err = wait_sleep(min_u64(deadline, arch_clock_ns() + POLL_INTERVAL_NS));
        wait_end(&queue);
        if (err == -EINTR)
            return err;
    }
}
