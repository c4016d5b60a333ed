/* SPDX-License-Identifier: MIT */
/* /proc: its folders and names. A process may be gone by the time a file of it is read. */
#include "kernel/proc/procfs.h"

#include "base/string.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path.h"
#include "kernel/fs/path_of.h"
#include "kernel/proc/mem.h"
#include "kernel/proc/proc_text.h"
#include "kernel/proc/text.h"
#include "kernel/task/process.h"
#include "kernel/task/task.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"

/* ---- Inodes ------------------------------------------------------------- */

enum kind { PROC_ROOT, PROC_SELF, PROC_FILE, PROC_FOLDER, PROC_MEM, PROC_EXE };

/* Every lookup makes a new one. Two inodes of one name have the same number. */
struct proc_inode {
    struct inode inode;           /* first */
    enum kind kind;               /* [I] */
    const struct proc_file *node; /* [I] of PROC_FILE */
    struct process *process;      /* [I] the process shown, with a reference; NULL: the kernel */
};

static struct proc_inode *proc_inode(struct inode *inode)
{
    return container_of(inode, struct proc_inode, inode);
}

#define NUMBERS_EACH 64 /* of a process, and of the kernel's own files */
static uint64_t number_of(enum kind kind, const struct process *process, size_t index)
{
    return (process ? (uint64_t)process->pid : 0) * NUMBERS_EACH + kind + index + 1;
}

static const struct inode_ops proc_ops;
static struct inode *root; /* fixed once it is mounted */

/* Takes a reference of its own on process (NULL: none), and has room for a link's text. NULL: out
 * of memory. */
static struct proc_inode *inode_make(enum kind kind, uint32_t mode, struct process *process,
                                     size_t text_bytes)
{
    struct proc_inode *inode = kzalloc(sizeof(*inode) + text_bytes);
    if (!inode)
        return NULL;
    inode_init(&inode->inode, &proc_ops, mode, number_of(kind, process, 0));
    inode->kind = kind;
    inode->process = process;
    if (process)
        process_hold(process);
    if (text_bytes)
        inode->inode.link = (char *)(inode + 1);
    return inode;
}

static struct inode *proc_free(struct inode *base)
{
    struct proc_inode *inode = proc_inode(base);
    if (inode->process)
        process_put(inode->process);
    kfree(inode);
    return NULL;
}

struct inode *procfs_root(void)
{
    struct proc_inode *inode = inode_make(PROC_ROOT, S_IFDIR | 0555, NULL, 0);
    root = inode ? &inode->inode : NULL;
    return root;
}

static void proc_stat(struct inode *base, struct linux_stat *stat)
{
    *stat = (struct linux_stat){ .st_dev = 2,
                                 .st_ino = base->number,
                                 .st_mode = base->mode,
                                 .st_nlink = 1,
                                 .st_blksize = PAGE_SIZE };
}

/* ---- Names -------------------------------------------------------------- */

static bool name_is(const char *name, size_t len, const char *text)
{
    return strlen(text) == len && memcmp(name, text, len) == 0;
}

/* The process that a folder's name means, with a reference, or NULL. */
static struct process *name_process(const char *name, size_t len)
{
    int pid = 0;
    if (len > 9 || name[0] == '0')
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9')
            return NULL;
        pid = pid * 10 + (name[i] - '0');
    }
    return process_find(pid);
}

/* The text file of this name, of process or (NULL) of the kernel. NULL: none, or no memory. */
static struct proc_inode *file_make(struct process *process, const char *name, size_t len)
{
    const struct proc_file *node;
    size_t index = 0;
    while ((node = proc_file_at(process, index)) && !name_is(name, len, node->name))
        index++;
    if (!node)
        return NULL;
    struct proc_inode *inode = inode_make(PROC_FILE, S_IFREG | (node->write ? 0644 : 0444), process,
                                          0);
    if (inode) {
        inode->node = node;
        inode->inode.number = number_of(PROC_EXE + 1, process, index);
    }
    return inode;
}

static struct proc_inode *self_make(void)
{
    char text[12];
    int len = snprintf(text, sizeof(text), "%d", process_current()->pid);
    struct proc_inode *inode = inode_make(PROC_SELF, S_IFLNK | 0777, NULL, (size_t)len + 1);
    if (inode)
        memcpy(inode + 1, text, (size_t)len + 1);
    return inode;
}

/* The program's file, with a reference; NULL: none. */
static struct inode *process_program(struct process *process)
{
    uint64_t irq = spin_lock_irq(&process->lock);
    struct inode *program = process->program;
    if (program)
        inode_hold(program);
    spin_unlock_irq(&process->lock, irq);
    return program;
}

static struct proc_inode *exe_make(struct process *process)
{
    struct proc_inode *inode = inode_make(PROC_EXE, S_IFLNK | 0777, process, PATH_MAX_BYTES);
    struct inode *program = process_program(process);
    if (inode && program && path_of(program, (char *)(inode + 1), PATH_MAX_BYTES))
        snprintf((char *)(inode + 1), PATH_MAX_BYTES, "%s", "(deleted)");
    inode_put(program);
    return inode;
}

static struct inode *exe_target(struct inode *link)
{
    struct proc_inode *inode = proc_inode(link);
    return inode->kind == PROC_EXE ? process_program(inode->process) : NULL;
}

static struct proc_inode *root_child(const char *name, size_t len)
{
    if (name_is(name, len, "self"))
        return self_make();
    struct process *process = name_process(name, len);
    if (!process)
        return file_make(NULL, name, len);
    struct proc_inode *inode = inode_make(PROC_FOLDER, S_IFDIR | 0555, process, 0);
    process_put(process);
    return inode;
}

static struct proc_inode *process_child(struct process *process, const char *name, size_t len)
{
    if (name_is(name, len, "mem"))
        return inode_make(PROC_MEM, S_IFREG | 0600, process, 0);
    if (name_is(name, len, "exe"))
        return exe_make(process);
    return file_make(process, name, len);
}

static int proc_lookup(struct inode *base, const char *name, size_t len, struct inode **child)
{
    struct process *process = proc_inode(base)->process;
    struct proc_inode *inode = process ? process_child(process, name, len) : root_child(name, len);
    if (!inode)
        return -ENOENT;
    *child = &inode->inode;
    return 0;
}

/* The folder above. Only folders are asked, and the root is above each of them. */
static struct inode *proc_parent(struct inode *base, char *name)
{
    struct proc_inode *inode = proc_inode(base);
    if (inode->kind != PROC_FOLDER)
        return NULL;
    if (name)
        snprintf(name, NAME_BYTES_MAX + 1, "%d", inode->process->pid);
    inode_hold(root);
    return root;
}

/* ---- Listing ------------------------------------------------------------ */

/* Positions: 0 is ".", 1 is "..", then come the entries that a folder always holds. In the root the
 * processes follow, by pid: a position stays valid when processes come and go. */
#define FIRST_PROCESS 1000

struct name {
    char text[32];
    uint64_t number, next; /* next: the position behind it */
    uint32_t mode;
};

/* The entry of this index among those that are always there; false behind the last. */
static bool name_fixed(struct process *process, uint64_t index, struct name *name)
{
    uint64_t links = process ? 2 : 1;
    enum kind kind = !process ? PROC_SELF : index ? PROC_EXE : PROC_MEM;
    const char *text = !process ? "self" : index ? "exe" : "mem";
    if (index >= links) {
        const struct proc_file *node = proc_file_at(process, index - links);
        if (!node)
            return false;
        text = node->name;
        name->number = number_of(PROC_EXE + 1, process, index - links);
    } else {
        name->number = number_of(kind, process, 0);
    }
    name->mode = index >= links || kind == PROC_MEM ? S_IFREG : S_IFLNK;
    snprintf(name->text, sizeof(name->text), "%s", text);
    return true;
}

/* The first process at or behind position; false at the end. */
static bool name_of_process(uint64_t position, struct name *name)
{
    uint64_t least = position < FIRST_PROCESS ? 1 : position - FIRST_PROCESS;
    struct process *process = least <= INT32_MAX ? process_next((int)least) : NULL;
    if (!process)
        return false;
    snprintf(name->text, sizeof(name->text), "%d", process->pid);
    name->mode = S_IFDIR;
    name->number = number_of(PROC_FOLDER, process, 0);
    name->next = FIRST_PROCESS + (uint64_t)process->pid + 1;
    process_put(process);
    return true;
}

static bool name_at(struct inode *folder, uint64_t position, struct name *name)
{
    struct process *process = proc_inode(folder)->process;
    name->next = position + 1;
    if (position < 2) {
        snprintf(name->text, sizeof(name->text), "%s", position ? ".." : ".");
        name->mode = S_IFDIR;
        name->number = position ? root->number : folder->number;
        return true;
    }
    if (position < FIRST_PROCESS && name_fixed(process, position - 2, name))
        return true;
    return !process && name_of_process(position, name);
}

static int proc_list(struct inode *folder, uint64_t *position, struct dirents *out)
{
    struct name name;
    while (name_at(folder, *position, &name)
           && dirents_add(out, name.text, strlen(name.text), name.number, name.next, name.mode))
        *position = name.next;
    return 0;
}

/* ---- Opening ------------------------------------------------------------ */

static int proc_open(struct inode *base, struct file *file)
{
    struct proc_inode *inode = proc_inode(base);
    if (inode->kind == PROC_FILE)
        return file_may_write(file) && !inode->node->write
                   ? -EACCES
                   : text_open(inode->node, inode->process, file);
    return mem_open(inode->process, file);
}

static const struct inode_ops proc_ops = {
    .lookup = proc_lookup,
    .parent = proc_parent,
    .target = exe_target,
    .list = proc_list,
    .stat = proc_stat,
    .open = proc_open,
    .free = proc_free,
};
