/* SPDX-License-Identifier: MIT */
/* Open files, and the tables of descriptors that lead to them. */
#include "kernel/fs/file.h"

#include "base/string.h"
#include "kernel/fs/inode.h"
#include "kernel/fs/mount.h"
#include "kernel/fs/path.h"
#include "kernel/task/limits.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"

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

void file_discard(struct file *file) { kfree(file); }

void file_hold(struct file *file) { __atomic_add_fetch(&file->refs, 1, __ATOMIC_RELAXED); }

void file_put(struct file *file)
{
    if (__atomic_sub_fetch(&file->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (file->ops->close)
        file->ops->close(file);
    if (file->inode && inode_is(file->inode, S_IFREG) && file_may_write(file))
        inode_writer_end(file->inode);
    inode_put(file->inode);
    kfree(file);
}

long file_seek(struct file *file, int64_t offset, int whence, uint64_t end)
{
    int64_t to, from = whence == SEEK_SET   ? 0
                       : whence == SEEK_CUR ? (int64_t)file->position
                                            : (int64_t)end;
    if (whence < SEEK_SET || whence > SEEK_END || __builtin_add_overflow(from, offset, &to)
        || to < 0)
        return -EINVAL;
    file->position = (uint64_t)to;
    return to;
}

long file_seek_endless(struct file *file, int64_t offset, int whence)
{
    return whence == SEEK_END ? -EINVAL : file_seek(file, offset, whence, 0);
}

int file_open(const char *path, uint32_t flags, uint32_t mode, struct file **file)
{
    struct inode *base = path[0] == '/' ? NULL : fs_folder(process_current()->fs);
    int err = path_open(base, path, flags, mode, file);
    inode_put(base);
    return err;
}

/* ---- Descriptor tables -------------------------------------------------- */

struct files *files_fork(struct files *from)
{
    struct files *files = kmalloc(sizeof(*files));
    if (!files)
        return NULL;
    files->refs = 1;
    files->lock = (struct spinlock)SPINLOCK_INIT(LOCK_FILES);
    files->end = 0;
    if (!from)
        return files;
    spin_lock(&from->lock);
    for (; files->end < from->end; files->end++) {
        struct file *file = files->file[files->end] = from->file[files->end];
        if (file)
            file_hold(file);
    }
    memcpy(files->cloexec, from->cloexec, sizeof(files->cloexec));
    spin_unlock(&from->lock);
    return files;
}

struct files *files_share(struct files *files)
{
    __atomic_add_fetch(&files->refs, 1, __ATOMIC_RELAXED);
    return files;
}

void files_put(struct files *files)
{
    if (!files || __atomic_sub_fetch(&files->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (int fd = 0; fd < files->end; fd++) {
        if (files->file[fd])
            file_put(files->file[fd]);
    }
    kfree(files);
}

struct file *files_get_named(struct files *files, int fd)
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

struct file *files_get(struct files *files, int fd)
{
    struct file *file = files_get_named(files, fd);
    if (!file || !(file_flags(file) & O_PATH))
        return file;
    file_put(file);
    return NULL;
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
    int fd = from, end = (int)min_u64(FILES_MAX, limit_now(RLIMIT_NOFILE));
    spin_lock(&files->lock);
    while (fd < files->end && files->file[fd])
        fd++;
    if (fd < end)
        slot_fill(files, fd, file, cloexec);
    spin_unlock(&files->lock);
    return fd < end ? fd : -EMFILE;
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

bool files_take(struct files *files, int fd, const struct file *file)
{
    spin_lock(&files->lock);
    bool there = fd < files->end && files->file[fd] == file;
    if (there)
        files->file[fd] = NULL;
    spin_unlock(&files->lock);
    return there;
}

/* ---- Working directories ------------------------------------------------ */

struct fs *fs_fork(struct fs *from)
{
    struct fs *fs = kmalloc(sizeof(*fs));
    if (!fs)
        return NULL;
    fs->refs = 1;
    fs->lock = (struct spinlock)SPINLOCK_INIT(LOCK_FILES);
    fs->umask = from ? __atomic_load_n(&from->umask, __ATOMIC_RELAXED) : 022;
    fs->folder = from ? fs_folder(from) : mount_root();
    if (!from)
        inode_hold(fs->folder);
    return fs;
}

struct fs *fs_share(struct fs *fs)
{
    __atomic_add_fetch(&fs->refs, 1, __ATOMIC_RELAXED);
    return fs;
}

void fs_put(struct fs *fs)
{
    if (!fs || __atomic_sub_fetch(&fs->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    inode_put(fs->folder);
    kfree(fs);
}

struct inode *fs_folder(struct fs *fs)
{
    spin_lock(&fs->lock);
    struct inode *folder = fs->folder;
    inode_hold(folder);
    spin_unlock(&fs->lock);
    return folder;
}

void fs_chdir(struct fs *fs, struct inode *folder)
{
    spin_lock(&fs->lock);
    struct inode *old = fs->folder;
    fs->folder = folder;
    spin_unlock(&fs->lock);
    inode_put(old);
}
