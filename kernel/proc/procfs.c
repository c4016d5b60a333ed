/* SPDX-License-Identifier: MIT */
/*
 * /proc: its folders and paths, and how its files are read. A process may be gone by the time a
 * file of it is read. mem is no text: it reaches into the process itself.
 */
#include "kernel/proc/procfs.h"

#include "base/string.h"
#include "kernel/proc/proc_text.h"
#include "kernel/task/process.h"
#include "kernel/task/task.h"
#include "mm/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"

/* ---- Text files --------------------------------------------------------- */

static long text_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    const struct text *text = file->object;
    if (*position >= text->len)
        return 0;
    len = min_u64(len, text->len - *position);
    if (arch_copy_to_user(to, text->bytes + *position, len))
        return -EFAULT;
    *position += len;
    return (long)len;
}

static long text_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
    (void)position;
    const struct text *text = file->object;
    char line[64];
    if (!text->node->write)
        return -EACCES;
    if (len >= sizeof(line))
        return -EINVAL;
    if (arch_copy_from_user(line, from, len))
        return -EFAULT;
    line[len] = 0;
    if (len && line[len - 1] == '\n')
        line[len - 1] = 0;
    long err = text->node->write(line);
    return err ? err : (long)len;
}

static long text_seek(struct file *file, int64_t offset, int whence)
{
    int64_t base = whence == SEEK_CUR ? (int64_t)file->position : 0;
    if ((whence != SEEK_SET && whence != SEEK_CUR) || base + offset < 0)
        return -EINVAL;
    file->position = (uint64_t)(base + offset);
    return base + offset;
}

static int text_stat(struct file *file, struct linux_stat *stat)
{
    (void)file;
    *stat = (struct linux_stat){ .st_dev = 2,
                                 .st_mode = S_IFREG | 0644,
                                 .st_nlink = 1,
                                 .st_blksize = PAGE_SIZE };
    return 0;
}

static void text_close(struct file *file)
{
    struct text *text = file->object;
    kfree(text->bytes);
    kfree(text);
}

static const struct file_ops text_ops = {
    .read = text_read,
    .write = text_write,
    .seek = text_seek,
    .stat = text_stat,
    .close = text_close,
    .positioned = true,
};

static int text_open(const struct proc_file *node, struct process *process, unsigned flags,
                     struct file **file)
{
    struct text *text = kzalloc(sizeof(*text));
    if (!text)
        return -ENOMEM;
    text->node = node;
    if ((flags & O_ACCMODE) != O_WRONLY) {
        struct mm *mm = process ? process_mm(process) : NULL;
        node->show(text, process, mm);
        if (mm)
            mm_put(mm);
    }
    *file = text->failed ? NULL : file_create(&text_ops, text, flags);
    if (*file)
        return 0;
    kfree(text->bytes);
    kfree(text);
    return -ENOMEM;
}

/* ---- /proc/PID/mem ------------------------------------------------------ */

/* Reads and writes as a debugger would. The object is the process, with a reference. */
static long mem_move(struct file *file, uaddr_t user, size_t len, uint64_t *position, bool writing)
{
    struct process *process = file->object;
    char bounce[256];
    size_t done = 0;
    long err = 0;
    struct mm *mm = process_mm(process);
    if (!mm)
        return 0; /* it has ended */
    if (!process_may_trace(process_current(), process)) {
        mm_put(mm);
        return -EPERM;
    }
    while (done < len && !err) {
        size_t part = min_u64(len - done, sizeof(bounce));
        if (writing && arch_copy_from_user(bounce, uaddr(user.v + done), part)) {
            err = -EFAULT;
            break;
        }
        long now = mm_access(mm, *position, bounce, part, GUP_FORCE | (writing ? GUP_WRITE : 0));
        if (now < 0)
            err = now == -EFAULT ? -EIO : now;
        else if (!writing && arch_copy_to_user(uaddr(user.v + done), bounce, (size_t)now))
            err = -EFAULT;
        else {
            done += (size_t)now;
            *position += (size_t)now;
            if ((size_t)now < part)
                break;
        }
    }
    mm_put(mm);
    return done ? (long)done : err;
}

static long mem_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    return mem_move(file, to, len, position, false);
}

static long mem_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
    return mem_move(file, from, len, position, true);
}

static void mem_close(struct file *file) { process_put(file->object); }

static const struct file_ops mem_ops = {
    .read = mem_read,
    .write = mem_write,
    .seek = text_seek,
    .stat = text_stat,
    .close = mem_close,
    .positioned = true,
};

/* ---- Folders ------------------------------------------------------------ */

static long folder_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    (void)file, (void)to, (void)len, (void)position;
    return -EISDIR;
}

static int folder_stat(struct file *file, struct linux_stat *stat)
{
    (void)file;
    *stat = (struct linux_stat){ .st_dev = 2,
                                 .st_mode = S_IFDIR | 0555,
                                 .st_nlink = 1,
                                 .st_blksize = PAGE_SIZE };
    return 0;
}

/* The name of entry number *index, which moves on; processes follow the kernel's files by pid.
 * false at the end. */
static bool folder_next(bool root, uint64_t *index, char *name, size_t size, uint8_t *type)
{
    size_t count = 0;
    *type = DT_REG;
    for (const struct proc_file *file; (file = proc_file_at(!root, count)) != NULL; count++) {
        if (count == *index) {
            snprintf(name, size, "%s", file->name);
            (*index)++;
            return true;
        }
    }
    if (!root)
        return false;
    struct process *process = process_next((int)(*index - count) + 1);
    if (!process)
        return false;
    snprintf(name, size, "%d", process->pid);
    *index = count + (uint64_t)process->pid;
    *type = DT_DIR;
    process_put(process);
    return true;
}

static long folder_getdents(struct file *file, uaddr_t to, size_t len)
{
    size_t done = 0;
    for (;;) {
        char buffer[64] __attribute__((aligned(8))) = { 0 };
        struct linux_dirent64 *head = (void *)buffer;
        uint64_t index = file->position;
        if (!folder_next(file->object == NULL, &index, head->d_name, 32, &head->d_type))
            return (long)done;
        size_t bytes = align_up(offsetof(struct linux_dirent64, d_name) + strlen(head->d_name) + 1,
                                8);
        head->d_ino = index + 1;
        head->d_off = (int64_t)index;
        head->d_reclen = (uint16_t)bytes;
        if (bytes > len - done)
            return done ? (long)done : -EINVAL;
        if (arch_copy_to_user(uaddr(to.v + done), buffer, bytes))
            return -EFAULT;
        done += bytes;
        file->position = index;
    }
}

static const struct file_ops folder_ops = {
    .read = folder_read,
    .stat = folder_stat,
    .getdents = folder_getdents,
    .seek = text_seek,
    .positioned = true,
};

/* ---- Paths -------------------------------------------------------------- */

/* The process a path begins with ("self" or digits), with a reference; *rest is what follows its
 * slash. NULL: none. */
static struct process *path_process(const char *path, const char **rest)
{
    int pid = 0;
    size_t len = 0;
    if (strncmp(path, "self", 4) == 0) {
        pid = process_current()->pid;
        len = 4;
    } else {
        for (; path[len] >= '0' && path[len] <= '9' && len < 8; len++)
            pid = pid * 10 + (path[len] - '0');
    }
    if (!len || (path[len] && path[len] != '/'))
        return NULL;
    *rest = path[len] ? path + len + 1 : "";
    return process_find(pid);
}

static int process_open(struct process *process, const char *rest, unsigned flags,
                        struct file **file)
{
    if (strcmp(rest, "mem") == 0) {
        if (!process_may_trace(process_current(), process))
            return -EACCES;
        *file = file_create(&mem_ops, process, flags);
        if (*file)
            process_hold(process);
        return *file ? 0 : -ENOMEM;
    }
    if (!rest[0]) {
        *file = file_create(&folder_ops, (void *)1, flags);
        return *file ? 0 : -ENOMEM;
    }
    const struct proc_file *node = proc_file_find(true, rest);
    return node ? text_open(node, process, flags, file) : -ENOENT;
}

int procfs_open(const char *path, unsigned flags, struct file **file)
{
    const char *rest;
    if (!path[0]) {
        *file = file_create(&folder_ops, NULL, flags);
        return *file ? 0 : -ENOMEM;
    }
    const struct proc_file *node = proc_file_find(false, path);
    if (node)
        return (flags & O_ACCMODE) != O_RDONLY && !node->write ? -EACCES
                                                               : text_open(node, NULL, flags, file);
    struct process *process = path_process(path, &rest);
    if (!process)
        return -ENOENT;
    int err = process_open(process, rest, flags, file);
    process_put(process);
    return err;
}

int procfs_stat(const char *path, bool follow, struct linux_stat *stat)
{
    const char *rest;
    (void)follow;
    uint32_t mode = S_IFREG | 0644;
    if (!path[0]) {
        mode = S_IFDIR | 0555;
    } else if (!proc_file_find(false, path)) {
        struct process *process = path_process(path, &rest);
        if (!process)
            return -ENOENT;
        process_put(process);
        if (!rest[0])
            mode = S_IFDIR | 0555;
        else if (strcmp(rest, "exe") == 0)
            mode = S_IFLNK | 0777;
        else if (strcmp(rest, "mem") != 0 && !proc_file_find(true, rest))
            return -ENOENT;
    }
    *stat =
        (struct linux_stat){ .st_dev = 2, .st_mode = mode, .st_nlink = 1, .st_blksize = PAGE_SIZE };
    return 0;
}

long procfs_readlink(const char *path, char *to, size_t size)
{
    const char *rest;
    if (strcmp(path, "self") == 0)
        return snprintf(to, size, "%d", process_current()->pid);
    struct process *process = path_process(path, &rest);
    if (!process)
        return -ENOENT;
    char name[sizeof(process->path)];
    process_path(process, name);
    long len = strcmp(rest, "exe") == 0 ? snprintf(to, size, "%s", name) : -EINVAL;
    process_put(process);
    return len;
}
