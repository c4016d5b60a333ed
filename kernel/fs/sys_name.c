/* SPDX-License-Identifier: MIT */
/* System calls on names. Paths are copied in once. */
#include "base/string.h"
#include "kernel/fs/file.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"

static struct files *files_current(void) { return process_current()->files; }

/* Relative paths count from the working directory only. */
static int at_check(int dirfd, const char *path)
{
    return dirfd == AT_FDCWD || path[0] == '/' ? 0 : -EBADF;
}

int path_in_at(int dirfd, char *path, uaddr_t from)
{
    char raw[PATH_MAX_BYTES];
    long len = arch_strncpy_from_user(raw, from, sizeof(raw));
    if (len < 0)
        return (int)len;
    int err = raw[0] ? at_check(dirfd, raw) : -ENOENT;
    return err ? err : files_path(files_current(), raw, path, PATH_MAX_BYTES);
}

static int path_in(char *path, uaddr_t from) { return path_in_at(AT_FDCWD, path, from); }

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
