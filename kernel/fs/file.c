/* SPDX-License-Identifier: MIT */
/* Open files, descriptors, and paths that lead to the RAM file system or to /proc. */
#include "kernel/fs/file.h"

#include "base/panic.h"
#include "base/string.h"
#include "kernel/fs/ramfs.h"
#include "kernel/proc/procfs.h"
#include "mm/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"

/* ---- Files -------------------------------------------------------------- */

struct file *file_create(const struct file_ops *ops, void *object, uint32_t flags)
{
    struct file *file = kzalloc(sizeof(*file));
    if (!file)
        return NULL;
    file->ops = ops;
    file->object = object;
    file->flags = flags;
    file->refs = 1;
    sleep_lock_init(&file->lock);
    return file;
}

void file_hold(struct file *file) { __atomic_add_fetch(&file->refs, 1, __ATOMIC_RELAXED); }

void file_put(struct file *file)
{
    if (__atomic_sub_fetch(&file->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (file->ops->close)
        file->ops->close(file);
    kfree(file);
}

/* ---- Descriptor tables -------------------------------------------------- */

struct files *files_create(void)
{
    struct files *files = kmalloc(sizeof(*files));
    if (!files)
        return NULL;
    files->refs = 1;
    files->lock = (struct spinlock)SPINLOCK_INIT(LOCK_FILES);
    files->end = 0;
    memset(files->cloexec, 0, sizeof(files->cloexec));
    files->cwd[0] = '/';
    files->cwd[1] = 0;
    return files;
}

struct files *files_fork(struct files *from)
{
    struct files *files = files_create();
    if (!files)
        return NULL;
    spin_lock(&from->lock);
    files->end = from->end;
    for (int fd = 0; fd < from->end; fd++) {
        files->file[fd] = from->file[fd];
        if (files->file[fd])
            file_hold(files->file[fd]);
    }
    memcpy(files->cloexec, from->cloexec, sizeof(files->cloexec));
    memcpy(files->cwd, from->cwd, strlen(from->cwd) + 1);
    spin_unlock(&from->lock);
    return files;
}

void files_put(struct files *files)
{
    if (__atomic_sub_fetch(&files->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (int fd = 0; fd < files->end; fd++) {
        if (files->file[fd])
            file_put(files->file[fd]);
    }
    kfree(files);
}

struct file *files_get(struct files *files, int fd)
{
    struct file *file = NULL;
    spin_lock(&files->lock);
    if (fd >= 0 && fd < files->end)
        file = files->file[fd];
    if (file)
        file_hold(file);
    spin_unlock(&files->lock);
    return file;
}

static void cloexec_set(struct files *files, int fd, bool on)
{
    uint64_t bit = 1ull << fd % 64;
    files->cloexec[fd / 64] = on ? files->cloexec[fd / 64] | bit : files->cloexec[fd / 64] & ~bit;
}

/* Put file at fd, which is free. The lock is held. */
static void slot_fill(struct files *files, int fd, struct file *file, bool cloexec)
{
    for (; files->end <= fd; files->end++)
        files->file[files->end] = NULL;
    files->file[fd] = file;
    cloexec_set(files, fd, cloexec);
}

int files_add(struct files *files, struct file *file, int from, bool cloexec)
{
    int fd = from;
    spin_lock(&files->lock);
    while (fd < files->end && files->file[fd])
        fd++;
    if (fd < FILES_MAX)
        slot_fill(files, fd, file, cloexec);
    spin_unlock(&files->lock);
    return fd < FILES_MAX ? fd : -EMFILE;
}

struct file *files_replace(struct files *files, struct file *file, int fd, bool cloexec)
{
    spin_lock(&files->lock);
    struct file *old = fd < files->end ? files->file[fd] : NULL;
    if (file)
        slot_fill(files, fd, file, cloexec);
    else if (old)
        files->file[fd] = NULL;
    spin_unlock(&files->lock);
    return old;
}

int files_cloexec(struct files *files, int fd, int set)
{
    spin_lock(&files->lock);
    bool valid = fd >= 0 && fd < files->end && files->file[fd];
    int result = valid ? (int)(files->cloexec[fd / 64] >> fd % 64 & 1) : -EBADF;
    if (valid && set >= 0)
        cloexec_set(files, fd, set);
    spin_unlock(&files->lock);
    return result;
}

void files_close_on_exec(struct files *files)
{
    for (int fd = 0; fd < files->end; fd++) {
        if (files_cloexec(files, fd, -1) == 1) {
            struct file *old = files_replace(files, NULL, fd, false);
            if (old)
                file_put(old);
        }
    }
}

int files_path(struct files *files, const char *path, char *to, size_t size)
{
    spin_lock(&files->lock);
    int err = path_normalise(files->cwd, path, to, size);
    spin_unlock(&files->lock);
    return err;
}

void files_chdir(struct files *files, const char *path)
{
    spin_lock(&files->lock);
    memcpy(files->cwd, path, strlen(path) + 1);
    spin_unlock(&files->lock);
}

bool files_take(struct files *files, int fd, const struct file *file)
{
    spin_lock(&files->lock);
    bool there = fd < files->end && files->file[fd] == file;
    if (there)
        files->file[fd] = NULL;
    spin_unlock(&files->lock);
    return there;
}

/* ---- Paths -------------------------------------------------------------- */

int path_normalise(const char *cwd, const char *path, char *to, size_t size)
{
    const char *parts[2] = { path[0] == '/' ? "" : cwd, path };
    size_t len = 0;
    for (int i = 0; i < 2; i++) {
        for (const char *at = parts[i]; *at;) {
            while (*at == '/')
                at++;
            size_t part = 0;
            while (at[part] && at[part] != '/')
                part++;
            if (part == 2 && at[0] == '.' && at[1] == '.') {
                while (len && to[--len] != '/') {}
            } else if (part && !(part == 1 && at[0] == '.')) {
                if (len + part + 2 > size)
                    return -ENAMETOOLONG;
                to[len++] = '/';
                memcpy(to + len, at, part);
                len += part;
            }
            at += part;
        }
    }
    if (!len)
        to[len++] = '/';
    to[len] = 0;
    return 0;
}

/* The part of a normalised path inside /proc ("" for /proc itself), or NULL. */
static const char *proc_part(const char *path)
{
    if (strncmp(path, "/proc", 5) != 0 || (path[5] && path[5] != '/'))
        return NULL;
    return path[5] ? path + 6 : "";
}

static int ramfs_open(const char *path, unsigned flags, unsigned mode, struct file **file)
{
    struct inode *inode;
    int err;
    do {
        err = ramfs_lookup(path, !(flags & O_NOFOLLOW), &inode);
        if (!err && flags & O_CREAT && flags & O_EXCL) {
            inode_put(inode);
            return -EEXIST;
        }
        if (err == -ENOENT && flags & O_CREAT)
            err = ramfs_create(path, S_IFREG | (mode & 0777), &inode);
        if (err == -EEXIST && ramfs_is_link(path))
            return -ENOENT; /* a link that leads nowhere; Linux would make its target */
    } while (err == -EEXIST && !(flags & O_EXCL)); /* somebody made it in between: that will do */
    return err ? err : inode_open(inode, flags, file);
}

int file_open(const char *path, unsigned flags, unsigned mode, struct file **file)
{
    char name[PATH_MAX_BYTES];
    if (!path[0])
        return -ENOENT;
    int err = path_normalise("/", path, name, sizeof(name));
    if (err)
        return err;
    const char *proc = proc_part(name);
    return proc ? procfs_open(proc, flags, file) : ramfs_open(name, flags, mode, file);
}

int path_stat(const char *path, bool follow, struct linux_stat *stat)
{
    char name[PATH_MAX_BYTES];
    struct inode *inode;
    if (!path[0])
        return -ENOENT;
    int err = path_normalise("/", path, name, sizeof(name));
    if (err)
        return err;
    const char *proc = proc_part(name);
    if (proc)
        return procfs_stat(proc, follow, stat);
    err = ramfs_lookup(name, follow, &inode);
    if (!err) {
        inode_stat(inode, stat);
        inode_put(inode);
    }
    return err;
}

int path_unlink(const char *path, bool directory)
{
    char name[PATH_MAX_BYTES];
    int err = path_normalise("/", path, name, sizeof(name));
    return err ? err : proc_part(name) ? -EPERM : ramfs_remove(name, directory);
}

int path_mkdir(const char *path, unsigned mode)
{
    char name[PATH_MAX_BYTES];
    struct inode *inode;
    int err = path_normalise("/", path, name, sizeof(name));
    if (!err)
        err = proc_part(name) ? -EPERM : ramfs_create(name, S_IFDIR | (mode & 0777), &inode);
    if (!err)
        inode_put(inode);
    return err;
}

long path_readlink(const char *path, char *to, size_t size)
{
    char name[PATH_MAX_BYTES];
    struct inode *inode;
    int err = path_normalise("/", path, name, sizeof(name));
    if (err)
        return err;
    const char *proc = proc_part(name);
    if (proc)
        return procfs_readlink(proc, to, size);
    err = ramfs_lookup(name, false, &inode);
    if (err)
        return err;
    bool link = (inode_mode(inode) & S_IFMT) == S_IFLNK;
    if (link)
        snprintf(to, size, "%s", inode_link(inode));
    inode_put(inode);
    return link ? (long)strlen(to) : -EINVAL;
}
