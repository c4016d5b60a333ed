/* SPDX-License-Identifier: MIT */
/* System calls on names. A path is copied in once. */
#include "base/string.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path_of.h"
#include "kernel/fs/sys_path.h"
#include "kernel/syscall/syscall.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"

/* ---- Paths from user memory --------------------------------------------- */

/* The folder at which a call's relative path starts, with a reference. */
static int base_of(int folder, struct inode **base)
{
    if (folder == AT_FDCWD) {
        *base = fs_folder(process_current()->fs);
        return 0;
    }
    struct file *file = files_get_named(files_current(), folder);
    if (!file)
        return -EBADF;
    *base = file->inode;
    if (*base)
        inode_hold(*base);
    file_put(file);
    return *base ? 0 : -ENOTDIR;
}

int user_path_begin(struct user_path *path, int folder, uaddr_t from, bool empty)
{
    long len = arch_strncpy_from_user(path->text, from, sizeof(path->text));
    path->base = NULL;
    if (len < 0)
        return (int)len;
    if (!len && !empty)
        return -ENOENT;
    return path->text[0] == '/' ? 0 : base_of(folder, &path->base);
}

void user_path_end(struct user_path *path) { inode_put(path->base); }

uint32_t mode_masked(uint32_t mode)
{
    return mode & ~__atomic_load_n(&process_current()->fs->umask, __ATOMIC_RELAXED);
}

/* What a path leads to, with a reference. An empty path, where the call allows one, leads to its
 * base. */
static int user_lookup(int folder, uaddr_t from, bool follow, bool empty, struct inode **inode)
{
    struct user_path path;
    int err = user_path_begin(&path, folder, from, empty);
    if (err)
        return err;
    if (!path.text[0]) {
        *inode = path.base;
        return 0;
    }
    err = path_lookup(path.base, path.text, follow, inode);
    user_path_end(&path);
    return err;
}

/* ---- stat and access ---------------------------------------------------- */

static long stat_out(const struct linux_stat *stat, uaddr_t to)
{
    return arch_copy_to_user(to, stat, sizeof(*stat)) ? -EFAULT : 0;
}

long sys_fstat(int fd, uaddr_t to)
{
    struct linux_stat stat;
    struct file *file = files_get_named(files_current(), fd);
    int err = 0;
    if (!file)
        return -EBADF;
    if (file->inode)
        file->inode->ops->stat(file->inode, &stat);
    else
        err = file->ops->stat(file, &stat);
    file_put(file);
    return err ? err : stat_out(&stat, to);
}

static long stat_path(int folder, uaddr_t path, uaddr_t to, bool follow, bool empty)
{
    struct linux_stat stat;
    struct inode *inode;
    int err = user_lookup(folder, path, follow, empty, &inode);
    if (err)
        return err;
    inode->ops->stat(inode, &stat);
    inode_put(inode);
    return stat_out(&stat, to);
}

long sys_stat(uaddr_t path, uaddr_t to) { return stat_path(AT_FDCWD, path, to, true, false); }
long sys_lstat(uaddr_t path, uaddr_t to) { return stat_path(AT_FDCWD, path, to, false, false); }

long sys_newfstatat(int folder, uaddr_t path, uaddr_t to, int flags)
{
    char first = 1;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
        return -EINVAL;
    if (flags & AT_EMPTY_PATH && arch_copy_from_user(&first, path, 1))
        return -EFAULT;
    if (!first && folder != AT_FDCWD)
        return sys_fstat(folder, to); /* a pipe's, too */
    return stat_path(folder, path, to, !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH);
}

/* Every program is root: it may read and write all files, and run those that anybody may run. */
long sys_faccessat(int folder, uaddr_t path, int mode)
{
    struct inode *inode;
    if (mode & ~(R_OK | W_OK | X_OK))
        return -EINVAL;
    int err = user_lookup(folder, path, true, false, &inode);
    if (err)
        return err;
    bool may = !(mode & X_OK) || inode_is(inode, S_IFDIR) || inode->mode & 0111;
    inode_put(inode);
    return may ? 0 : -EACCES;
}

long sys_access(uaddr_t path, int mode) { return sys_faccessat(AT_FDCWD, path, mode); }

/* ---- Links -------------------------------------------------------------- */

long sys_readlinkat(int folder, uaddr_t path, uaddr_t to, int size)
{
    struct inode *inode;
    if (size <= 0)
        return -EINVAL;
    int err = user_lookup(folder, path, false, true, &inode);
    if (err)
        return err;
    long len = inode_is(inode, S_IFLNK) ? (long)min_u64(strlen(inode->link), (uint64_t)size)
                                        : -EINVAL;
    if (len > 0 && arch_copy_to_user(to, inode->link, (size_t)len))
        len = -EFAULT;
    inode_put(inode);
    return len;
}

long sys_readlink(uaddr_t path, uaddr_t to, int size)
{
    return sys_readlinkat(AT_FDCWD, path, to, size);
}

long sys_symlinkat(uaddr_t user_target, int folder, uaddr_t user_path)
{
    char target[PATH_MAX_BYTES];
    struct user_path path;
    long len = arch_strncpy_from_user(target, user_target, sizeof(target));
    if (len <= 0)
        return len ? len : -ENOENT;
    int err = user_path_begin(&path, folder, user_path, false);
    if (err)
        return err;
    err = path_create(path.base, path.text, S_IFLNK | 0777, target, NULL);
    user_path_end(&path);
    return err;
}

long sys_symlink(uaddr_t target, uaddr_t path) { return sys_symlinkat(target, AT_FDCWD, path); }

long sys_linkat(int old_folder, uaddr_t old, int folder, uaddr_t user_path, int flags)
{
    struct inode *inode;
    struct user_path path;
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int err = user_lookup(old_folder, old, flags & AT_SYMLINK_FOLLOW, flags & AT_EMPTY_PATH,
                          &inode);
    if (err)
        return err;
    err = user_path_begin(&path, folder, user_path, false);
    if (!err) {
        err = path_link(path.base, path.text, inode);
        user_path_end(&path);
    }
    inode_put(inode);
    return err;
}

long sys_link(uaddr_t old, uaddr_t path) { return sys_linkat(AT_FDCWD, old, AT_FDCWD, path, 0); }

/* ---- Folders ------------------------------------------------------------ */

long sys_mkdirat(int folder, uaddr_t user_path, unsigned mode)
{
    struct user_path path;
    int err = user_path_begin(&path, folder, user_path, false);
    if (err)
        return err;
    err = path_create(path.base, path.text, S_IFDIR | mode_masked(mode & 01777), NULL, NULL);
    user_path_end(&path);
    return err;
}

long sys_mkdir(uaddr_t path, unsigned mode) { return sys_mkdirat(AT_FDCWD, path, mode); }

long sys_unlinkat(int folder, uaddr_t user_path, int flags)
{
    struct user_path path;
    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    int err = user_path_begin(&path, folder, user_path, false);
    if (err)
        return err;
    err = path_remove(path.base, path.text, flags & AT_REMOVEDIR);
    user_path_end(&path);
    return err;
}

long sys_unlink(uaddr_t path) { return sys_unlinkat(AT_FDCWD, path, 0); }
long sys_rmdir(uaddr_t path) { return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

/* Make inode the working directory. Takes over the caller's reference. */
static long chdir_to(struct inode *inode)
{
    if (inode_is(inode, S_IFDIR)) {
        fs_chdir(process_current()->fs, inode);
        return 0;
    }
    inode_put(inode);
    return -ENOTDIR;
}

long sys_chdir(uaddr_t path)
{
    struct inode *inode;
    int err = user_lookup(AT_FDCWD, path, true, false, &inode);
    return err ? err : chdir_to(inode);
}

long sys_fchdir(int fd)
{
    struct inode *inode;
    int err = fd == AT_FDCWD ? -EBADF : base_of(fd, &inode);
    return err ? err : chdir_to(inode);
}

long sys_getcwd(uaddr_t to, size_t size)
{
    char path[PATH_MAX_BYTES];
    struct inode *folder = fs_folder(process_current()->fs);
    int err = path_of(folder, path, sizeof(path));
    inode_put(folder);
    size_t len = err ? 0 : strlen(path) + 1;
    if (err || len > size)
        return err ? err : -ERANGE;
    return arch_copy_to_user(to, path, len) ? -EFAULT : (long)len;
}

long sys_umask(int mask)
{
    return __atomic_exchange_n(&process_current()->fs->umask, (uint32_t)mask & 0777,
                               __ATOMIC_RELAXED);
}
