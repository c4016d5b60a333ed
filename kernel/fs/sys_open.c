/* SPDX-License-Identifier: MIT */
/* System calls on descriptors: opened, closed, copied, their flags. */
#include "kernel/fs/file.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/sys_path.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/limits.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"

long sys_openat(int folder, uaddr_t user_path, int flags, unsigned mode)
{
    struct user_path path;
    struct file *file;
    int err = user_path_begin(&path, folder, user_path, false);
    if (err)
        return err;
    err = path_open(path.base, path.text, (uint32_t)flags, mode_masked(mode & 07777), &file);
    user_path_end(&path);
    if (err)
        return err;
    int fd = files_add(files_current(), file, 0, flags & O_CLOEXEC);
    if (fd < 0)
        file_put(file);
    return fd;
}

long sys_open(uaddr_t path, int flags, unsigned mode)
{
    return sys_openat(AT_FDCWD, path, flags, mode);
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
    if (to < 0 || (uint64_t)to >= limit_now(RLIMIT_NOFILE))
        return -EBADF;
    struct file *file = files_get_named(files_current(), from);
    if (!file)
        return -EBADF;
    struct file *old = files_replace(files_current(), file, to, cloexec);
    if (old)
        file_put(old);
    return to;
}

static long dup_above(int from, uint64_t lowest, bool cloexec)
{
    if (lowest >= limit_now(RLIMIT_NOFILE))
        return -EINVAL;
    struct file *file = files_get_named(files_current(), from);
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

/* F_SETFL: of two calls at once the last one counts. Flags that cannot be changed are left alone,
 * as on Linux; flags that this kernel lacks are refused. */
static int flags_set(struct file *file, uint32_t flags)
{
    const uint32_t settable = O_APPEND | O_NONBLOCK;
    if (file_flags(file) & O_PATH)
        return -EBADF;
    if (flags & (O_ASYNC | O_DIRECT))
        return -EINVAL;
    __atomic_store_n(&file->flags, (file_flags(file) & ~settable) | (flags & settable),
                     __ATOMIC_RELAXED);
    return 0;
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
    struct file *file = files_get_named(files_current(), fd);
    if (!file)
        return -EBADF;
    long result = command == F_GETFL   ? (long)file_flags(file)
                  : command == F_SETFL ? flags_set(file, (uint32_t)argument)
                                       : -EINVAL;
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
