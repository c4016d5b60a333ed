/* SPDX-License-Identifier: MIT */
/*
 * A tree of inodes in memory. A regular file's contents are frames of kind FRAME_FILE, which
 * mappings share; a page never written is a hole. Names and tree are guarded by tree_lock, each
 * file's contents by its own lock.
 */
#include "kernel/fs/ramfs.h"

#include "base/string.h"
#include "kernel/sched/wait.h"
#include "mm/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"

#define NAME_BYTES_MAX 256
#define LINKS_MAX      8
#define FILE_BYTES_MAX (1ull << 30)

struct inode {
    struct vm_source source; /* first, so that a source is its inode */
    uint32_t refs;           /* atomic: names, open files, mappings */
    uint32_t mode;           /* [I] S_IF bits and permissions */
    uint64_t number;         /* [I] */
    struct spinlock lock;    /* contents */
    /* one write or truncation at a time: what is written lands where the file still is */
    struct sleep_lock write_lock;
    uint64_t bytes;                /* [lock] */
    struct frame **pages;          /* [lock] NULL entries: holes */
    uint64_t page_room;            /* [lock] entries in pages */
    const struct file_ops *device; /* [I] */
    uint64_t rdev;                 /* [I] */
    char *link;                    /* [I] */
    struct inode *parent;          /* [tree] */
    struct list children, sibling; /* [tree] */
    char *name;                    /* [tree] NULL: unnamed */
};

static struct spinlock tree_lock = SPINLOCK_INIT(LOCK_TREE);
static struct inode *root;
static uint64_t last_number;

static const struct file_ops regular_ops, folder_ops;

/* ---- Inodes ------------------------------------------------------------- */

static void inode_hold(struct inode *inode)
{
    __atomic_add_fetch(&inode->refs, 1, __ATOMIC_RELAXED);
}

void inode_put(struct inode *inode)
{
    if (__atomic_sub_fetch(&inode->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (uint64_t i = 0; i < inode->page_room; i++) {
        if (inode->pages[i])
            frame_put(inode->pages[i]);
    }
    kfree(inode->pages);
    kfree(inode->link);
    kfree(inode->name);
    kfree(inode);
}

/* The frame of a page, made if it is a hole; NULL when memory is out. inode->lock is held. */
static struct frame *page_frame(struct inode *inode, uint64_t page)
{
    if (page >= inode->page_room) {
        uint64_t room = max_u64(page + 1, inode->page_room * 2);
        struct frame **pages = kzalloc(room * sizeof(*pages));
        if (!pages)
            return NULL;
        if (inode->pages)
            memcpy(pages, inode->pages, inode->page_room * sizeof(*pages));
        kfree(inode->pages);
        inode->pages = pages;
        inode->page_room = room;
    }
    if (!inode->pages[page])
        inode->pages[page] = frame_alloc_zeroed(FRAME_FILE);
    return inode->pages[page];
}

static int source_frame(struct vm_source *source, uint64_t page, struct frame **frame)
{
    struct inode *inode = container_of(source, struct inode, source);
    int err = 0;
    spin_lock(&inode->lock);
    if (page >= align_up(inode->bytes, PAGE_SIZE) >> PAGE_SHIFT) {
        err = -EIO;
    } else {
        *frame = page_frame(inode, page);
        if (*frame)
            frame_get(*frame);
        else
            err = -ENOMEM;
    }
    spin_unlock(&inode->lock);
    return err;
}

static void source_hold(struct vm_source *source)
{
    inode_hold(container_of(source, struct inode, source));
}
static void source_release(struct vm_source *source)
{
    inode_put(container_of(source, struct inode, source));
}
static const char *source_name(struct vm_source *source)
{
    const struct inode *inode = container_of(source, struct inode, source);
    return inode->name ? inode->name : "[shared]";
}

static struct inode *inode_create(uint32_t mode)
{
    struct inode *inode = kzalloc(sizeof(*inode));
    if (!inode)
        return NULL;
    inode->source = (struct vm_source){ source_frame, source_hold, source_release, source_name };
    inode->refs = 1;
    inode->lock = (struct spinlock)SPINLOCK_INIT(LOCK_INODE);
    sleep_lock_init(&inode->write_lock);
    inode->mode = mode;
    inode->number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
    list_init(&inode->children);
    list_init(&inode->sibling);
    return inode;
}

struct vm_source *ramfs_unnamed_source(uint64_t bytes)
{
    struct inode *inode = inode_create(S_IFREG | 0600);
    if (!inode)
        return NULL;
    inode->bytes = bytes;
    return &inode->source;
}

uint32_t inode_mode(const struct inode *inode) { return inode->mode; }
const char *inode_link(const struct inode *inode) { return inode->link; }

void inode_set_device(struct inode *inode, const struct file_ops *ops, uint64_t rdev)
{
    inode->device = ops;
    inode->rdev = rdev;
}

void inode_stat(struct inode *inode, struct linux_stat *stat)
{
    *stat = (struct linux_stat){
        .st_dev = 1,
        .st_ino = inode->number,
        .st_nlink = 1,
        .st_mode = inode->mode,
        .st_rdev = inode->rdev,
        .st_size = (int64_t)inode->bytes,
        .st_blksize = PAGE_SIZE,
        .st_blocks = (int64_t)(align_up(inode->bytes, 512) / 512),
    };
}

/* ---- Contents ----------------------------------------------------------- */

/* What moves bytes between a page and the other side; 0 or -EFAULT. */
typedef int (*mover)(void *page_bytes, uint64_t other, size_t len);
static int to_kernel(void *page, uint64_t other, size_t len)
{
    memcpy((void *)other, page, len);
    return 0;
}
static int from_kernel(void *page, uint64_t other, size_t len)
{
    memcpy(page, (const void *)other, len);
    return 0;
}
static int to_user(void *page, uint64_t other, size_t len)
{
    return arch_copy_to_user(uaddr(other), page, len);
}
static int from_user(void *page, uint64_t other, size_t len)
{
    return arch_copy_from_user(page, uaddr(other), len);
}

/*
 * Move len bytes at position, page by page. The frame is held, not the lock, while user memory is
 * touched, since that may fault into this very file. Growth becomes visible after the bytes that it
 * covers.
 */
static long contents_move(struct inode *inode, uint64_t other, size_t len, uint64_t position,
                          bool writing, mover move)
{
    size_t done = 0;
    while (done < len) {
        uint64_t at = position + done;
        size_t part = min_u64(len - done, PAGE_SIZE - at % PAGE_SIZE);
        spin_lock(&inode->lock);
        if (!writing && at >= inode->bytes)
            part = 0;
        else if (!writing)
            part = min_u64(part, inode->bytes - at);
        struct frame *frame = part ? page_frame(inode, at >> PAGE_SHIFT) : NULL;
        if (frame)
            frame_get(frame);
        spin_unlock(&inode->lock);
        if (!part)
            break;
        if (!frame)
            return done ? (long)done : -ENOMEM;
        int err = move((char *)frame_va(frame) + at % PAGE_SIZE, other + done, part);
        frame_put(frame);
        if (err)
            return done ? (long)done : err;
        done += part;
        if (writing) {
            spin_lock(&inode->lock);
            inode->bytes = max_u64(inode->bytes, at + part);
            spin_unlock(&inode->lock);
        }
    }
    return (long)done;
}

long inode_read(struct inode *inode, void *to, size_t len, uint64_t position)
{
    if ((inode->mode & S_IFMT) != S_IFREG)
        return (inode->mode & S_IFMT) == S_IFDIR ? -EISDIR : -EINVAL;
    return contents_move(inode, (uint64_t)to, len, position, false, to_kernel);
}

long inode_write(struct inode *inode, const void *from, size_t len, uint64_t position)
{
    if (position > FILE_BYTES_MAX || len > FILE_BYTES_MAX - position)
        return -EFBIG;
    return contents_move(inode, (uint64_t)from, len, position, true, from_kernel);
}

int inode_truncate(struct inode *inode, uint64_t bytes)
{
    if (bytes > FILE_BYTES_MAX)
        return -EFBIG;
    sleep_lock(&inode->write_lock);
    spin_lock(&inode->lock);
    uint64_t keep = align_up(bytes, PAGE_SIZE) >> PAGE_SHIFT;
    for (uint64_t i = keep; i < inode->page_room; i++) {
        if (inode->pages[i])
            frame_put(inode->pages[i]);
        inode->pages[i] = NULL;
    }
    if (bytes % PAGE_SIZE && keep <= inode->page_room && inode->pages[keep - 1])
        memset((char *)frame_va(inode->pages[keep - 1]) + bytes % PAGE_SIZE, 0,
               PAGE_SIZE - bytes % PAGE_SIZE);
    inode->bytes = bytes;
    spin_unlock(&inode->lock);
    sleep_unlock(&inode->write_lock);
    return 0;
}

/* ---- Names -------------------------------------------------------------- */

static struct inode *child_find(struct inode *folder, const char *name, size_t len)
{
    list_for_each (link, &folder->children) {
        struct inode *child = list_entry(link, struct inode, sibling);
        if (strlen(child->name) == len && memcmp(child->name, name, len) == 0)
            return child;
    }
    return NULL;
}

static size_t component_len(const char *path)
{
    size_t len = 0;
    while (path[len] && path[len] != '/')
        len++;
    return len;
}

/*
 * Walk path from the root. Where a symbolic link stands in the way its target, joined with the
 * rest, is left in next and *again set. tree_lock is held; the result carries a reference.
 */
static int walk(const char *path, bool follow, struct inode **result, char *next, bool *again)
{
    struct inode *at = root;
    const char *rest = path;
    *again = false;
    while (*rest == '/')
        rest++;
    while (*rest) {
        size_t len = component_len(rest);
        const char *after = rest + len;
        while (*after == '/')
            after++;
        if ((at->mode & S_IFMT) != S_IFDIR)
            return -ENOTDIR;
        struct inode *child = child_find(at, rest, len);
        if (!child)
            return -ENOENT;
        if ((child->mode & S_IFMT) == S_IFLNK && (*after || follow)) {
            char folder[PATH_MAX_BYTES], joined[PATH_MAX_BYTES];
            snprintf(folder, sizeof(folder), "%.*s", (int)(rest - path), path);
            snprintf(joined, sizeof(joined), "%s/%s", child->link, after);
            *again = true;
            return path_normalise(folder[0] ? folder : "/", joined, next, PATH_MAX_BYTES);
        }
        at = child;
        rest = after;
    }
    inode_hold(at);
    *result = at;
    return 0;
}

int ramfs_lookup(const char *path, bool follow, struct inode **inode)
{
    char current[PATH_MAX_BYTES], next[PATH_MAX_BYTES];
    snprintf(current, sizeof(current), "%s", path);
    for (int links = 0; links <= LINKS_MAX; links++) {
        bool again;
        spin_lock(&tree_lock);
        int err = walk(current, follow, inode, next, &again);
        spin_unlock(&tree_lock);
        if (err || !again)
            return err;
        memcpy(current, next, sizeof(current));
    }
    return -ELOOP;
}

bool ramfs_is_link(const char *path)
{
    struct inode *inode;
    if (ramfs_lookup(path, false, &inode))
        return false;
    bool link = (inode->mode & S_IFMT) == S_IFLNK;
    inode_put(inode);
    return link;
}

/* The folder a path lies in, with a reference, and the last component. */
static int parent_lookup(const char *path, struct inode **parent, const char **name)
{
    char folder[PATH_MAX_BYTES];
    const char *slash = path;
    for (const char *c = path; *c; c++) {
        if (*c == '/')
            slash = c;
    }
    *name = slash + 1;
    if (!**name)
        return -EEXIST;
    if (strlen(*name) >= NAME_BYTES_MAX)
        return -ENAMETOOLONG;
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    int err = ramfs_lookup(folder[0] ? folder : "/", true, parent);
    if (!err && ((*parent)->mode & S_IFMT) != S_IFDIR) {
        inode_put(*parent);
        err = -ENOTDIR;
    }
    return err;
}

/* Make path, complete before anybody can find it. link, for a symbolic link, becomes its own
 * unless this fails. */
static int node_create(const char *path, uint32_t mode, char *link, struct inode **result)
{
    struct inode *parent;
    const char *name;
    int err = parent_lookup(path, &parent, &name);
    if (err)
        return err;
    struct inode *inode = inode_create(mode);
    size_t len = strlen(name);
    char *copy = inode ? kmalloc(len + 1) : NULL;
    err = copy ? 0 : -ENOMEM;
    spin_lock(&tree_lock);
    if (!err && parent != root && list_empty(&parent->sibling))
        err = -ENOENT; /* the folder was removed in between */
    if (!err && child_find(parent, name, len))
        err = -EEXIST;
    if (!err) {
        memcpy(copy, name, len + 1);
        inode->name = copy;
        inode->link = link;
        inode->bytes = link ? strlen(link) : 0;
        inode->parent = parent;
        list_append(&inode->sibling, &parent->children);
        inode_hold(inode); /* the tree's */
    }
    spin_unlock(&tree_lock);
    inode_put(parent);
    if (err) {
        kfree(copy);
        if (inode)
            inode_put(inode);
        return err;
    }
    *result = inode;
    return 0;
}

int ramfs_create(const char *path, uint32_t mode, struct inode **result)
{
    return node_create(path, mode, NULL, result);
}

int ramfs_remove(const char *path, bool folder)
{
    struct inode *inode;
    int err = ramfs_lookup(path, false, &inode);
    if (err)
        return err;
    bool is_folder = (inode->mode & S_IFMT) == S_IFDIR;
    spin_lock(&tree_lock);
    if (inode == root || inode->device)
        err = -EBUSY;
    else if (folder != is_folder)
        err = folder ? -ENOTDIR : -EISDIR;
    else if (!list_empty(&inode->children))
        err = -ENOTEMPTY;
    else if (list_empty(&inode->sibling))
        err = -ENOENT; /* somebody was quicker */
    else {
        list_remove(&inode->sibling);
        inode->parent = NULL; /* who still has it open must not follow ".." there */
    }
    spin_unlock(&tree_lock);
    if (!err)
        inode_put(inode); /* the tree's */
    inode_put(inode);
    return err;
}

/* ---- Open files --------------------------------------------------------- */

static long regular_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    long done = contents_move(file->object, to.v, len, *position, false, to_user);
    if (done > 0)
        *position += (uint64_t)done;
    return done;
}

static uint64_t inode_bytes(struct inode *inode)
{
    spin_lock(&inode->lock);
    uint64_t bytes = inode->bytes;
    spin_unlock(&inode->lock);
    return bytes;
}

static long regular_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
    struct inode *inode = file->object;
    long done = -EFBIG;
    sleep_lock(&inode->write_lock);
    if (file->flags & O_APPEND)
        *position = inode_bytes(inode);
    if (*position <= FILE_BYTES_MAX && len <= FILE_BYTES_MAX - *position)
        done = contents_move(inode, from.v, len, *position, true, from_user);
    if (done > 0)
        *position += (uint64_t)done;
    sleep_unlock(&inode->write_lock);
    return done;
}

static long inode_seek(struct file *file, int64_t offset, int whence)
{
    struct inode *inode = file->object;
    int64_t base = whence == SEEK_SET   ? 0
                   : whence == SEEK_CUR ? (int64_t)file->position
                                        : (int64_t)inode_bytes(inode);
    if (whence < SEEK_SET || whence > SEEK_END || base + offset < 0)
        return -EINVAL;
    file->position = (uint64_t)(base + offset);
    return base + offset;
}

static int file_stat_inode(struct file *file, struct linux_stat *stat)
{
    inode_stat(file->object, stat);
    return 0;
}

static int regular_truncate(struct file *file, uint64_t bytes)
{
    return inode_truncate(file->object, bytes);
}

static struct vm_source *regular_source(struct file *file)
{
    struct inode *inode = file->object;
    inode_hold(inode);
    return &inode->source;
}

static void inode_close(struct file *file) { inode_put(file->object); }

/* Entry number *index of a folder: "." and ".." first; false at the end. tree_lock is held. */
static bool folder_entry(struct inode *folder, uint64_t index, struct inode **entry,
                         const char **name)
{
    if (index < 2) {
        *entry = index == 0 || !folder->parent ? folder : folder->parent;
        *name = index == 0 ? "." : "..";
        return true;
    }
    list_for_each (link, &folder->children) {
        if (index-- == 2) {
            *entry = list_entry(link, struct inode, sibling);
            *name = (*entry)->name;
            return true;
        }
    }
    return false;
}

static uint8_t dirent_type(uint32_t mode) { return (uint8_t)(mode >> 12 & 15); }

static long folder_getdents(struct file *file, uaddr_t to, size_t len)
{
    size_t done = 0;
    for (;;) {
        union {
            struct linux_dirent64 head;
            char bytes[NAME_BYTES_MAX + 32];
        } buffer;
        struct inode *entry;
        const char *name;
        spin_lock(&tree_lock);
        bool more = folder_entry(file->object, file->position, &entry, &name);
        size_t bytes = more
                           ? align_up(offsetof(struct linux_dirent64, d_name) + strlen(name) + 1, 8)
                           : 0;
        if (more) {
            memset(&buffer, 0, bytes);
            buffer.head.d_ino = entry->number;
            buffer.head.d_off = (int64_t)file->position + 1;
            buffer.head.d_reclen = (uint16_t)bytes;
            buffer.head.d_type = dirent_type(entry->mode);
            memcpy(buffer.bytes + offsetof(struct linux_dirent64, d_name), name, strlen(name) + 1);
        }
        spin_unlock(&tree_lock);
        if (!more)
            return (long)done;
        if (bytes > len - done)
            return done ? (long)done : -EINVAL;
        if (arch_copy_to_user(uaddr(to.v + done), &buffer, bytes))
            return -EFAULT;
        done += bytes;
        file->position++;
    }
}

static long folder_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    (void)file, (void)to, (void)len, (void)position;
    return -EISDIR;
}

static const struct file_ops regular_ops = {
    .read = regular_read,
    .write = regular_write,
    .seek = inode_seek,
    .stat = file_stat_inode,
    .truncate = regular_truncate,
    .source = regular_source,
    .close = inode_close,
    .positioned = true,
};
static const struct file_ops folder_ops = {
    .read = folder_read,
    .seek = inode_seek,
    .stat = file_stat_inode,
    .getdents = folder_getdents,
    .close = inode_close,
    .positioned = true,
};

int inode_open(struct inode *inode, uint32_t flags, struct file **file)
{
    uint32_t kind = inode->mode & S_IFMT;
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    int err = kind == S_IFLNK                          ? -ELOOP
              : kind == S_IFDIR && writes              ? -EISDIR
              : kind != S_IFDIR && flags & O_DIRECTORY ? -ENOTDIR
                                                       : 0;
    if (!err && flags & O_TRUNC && kind == S_IFREG && writes)
        err = inode_truncate(inode, 0);
    if (!err) {
        const struct file_ops *ops = inode->device     ? inode->device
                                     : kind == S_IFDIR ? &folder_ops
                                                       : &regular_ops;
        *file = file_create(ops, inode, flags);
        err = *file ? 0 : -ENOMEM;
    }
    if (err)
        inode_put(inode);
    return err;
}

bool file_is_executable(struct file *file)
{
    const struct inode *inode = file->object;
    return file->ops == &regular_ops && inode->mode & 0111;
}

long file_read_kernel(struct file *file, void *to, size_t len, uint64_t position)
{
    if (file->ops != &regular_ops)
        return file->ops == &folder_ops ? -EISDIR : -EACCES;
    return inode_read(file->object, to, len, position);
}

void ramfs_init(void)
{
    root = inode_create(S_IFDIR | 0755);
    root->parent = NULL;
}

/* ---- Symbolic links ----------------------------------------------------- */

int path_symlink(const char *target, const char *path)
{
    char name[PATH_MAX_BYTES];
    struct inode *inode;
    size_t len = strlen(target) + 1;
    char *copy = kmalloc(len);
    int err = copy ? path_normalise("/", path, name, sizeof(name)) : -ENOMEM;
    if (!err) {
        memcpy(copy, target, len);
        err = node_create(name, S_IFLNK | 0777, copy, &inode);
    }
    if (err)
        kfree(copy);
    else
        inode_put(inode);
    return err;
}
