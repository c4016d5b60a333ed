/* SPDX-License-Identifier: MIT */
/*
 * The names of the RAM file system. An entry is one name in one folder; it holds a reference on its
 * inode. The inode may have other names. A folder keeps its parent for as long as it lives, removed
 * or not, so that ".." never leads into freed memory.
 */
#include "base/string.h"
#include "kernel/fs/ramfs/ram_inode.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"

/* [T] tree_lock  [I] fixed before anybody can find it */
struct entry {
    struct list sibling;      /* [T] in its folder's entries */
    struct list same;         /* [T] in its inode's names */
    struct ram_inode *folder; /* [I] which holds the entry */
    struct ram_inode *inode;  /* [I] with a reference */
    uint64_t cookie;          /* [I] rises within a folder and is never used again */
    size_t len;               /* [I] of name */
    char name[];              /* [I] */
};

static struct spinlock tree_lock = SPINLOCK_INIT(LOCK_TREE);

static struct entry *entry_find(struct ram_inode *folder, const char *name, size_t len)
{
    list_for_each (link, &folder->entries) {
        struct entry *entry = list_entry(link, struct entry, sibling);
        if (entry->len == len && memcmp(entry->name, name, len) == 0)
            return entry;
    }
    return NULL;
}

/* Was the inode removed from the tree? The root never is. tree_lock is held. */
static bool folder_is_removed(const struct ram_inode *folder)
{
    return folder->parent && list_empty(&folder->names);
}

int ram_lookup(struct inode *base, const char *name, size_t len, struct inode **child)
{
    spin_lock(&tree_lock);
    struct entry *entry = entry_find(ram_inode(base), name, len);
    if (entry) {
        *child = &entry->inode->inode;
        inode_hold(*child);
    }
    spin_unlock(&tree_lock);
    return entry ? 0 : -ENOENT;
}

/* ---- Making ------------------------------------------------------------- */

static struct entry *entry_create(const char *name, size_t len)
{
    struct entry *entry = kzalloc(sizeof(*entry) + len + 1);
    if (!entry)
        return NULL;
    memcpy(entry->name, name, len);
    entry->len = len;
    return entry;
}

/* Let entry lead to inode, which is new or has a name. 0, -EEXIST, -EPERM for a folder that has a
 * name, or -ENOENT when the folder to hold the entry, or the last name, was removed. */
static int entry_insert(struct ram_inode *folder, struct entry *entry, struct ram_inode *inode,
                        bool new)
{
    int err = 0;
    spin_lock(&tree_lock);
    if (folder_is_removed(folder))
        err = -ENOENT;
    else if (!new &&inode_is(&inode->inode, S_IFDIR))
        err = -EPERM;
    else if (!new && !inode->links)
        err = -ENOENT;
    else if (entry_find(folder, entry->name, entry->len))
        err = -EEXIST;
    if (!err) {
        entry->folder = folder;
        entry->inode = inode;
        entry->cookie = ++folder->last_cookie;
        inode_hold(&inode->inode);
        inode->links++;
        if (inode_is(&inode->inode, S_IFDIR)) {
            inode->links = 2; /* its name and its "." */
            folder->links++;
        }
        list_append(&entry->sibling, &folder->entries);
        list_append(&entry->same, &inode->names);
    }
    spin_unlock(&tree_lock);
    return err;
}

static int name_add(struct inode *folder, const char *name, size_t len, struct inode *inode,
                    bool new)
{
    struct entry *entry = entry_create(name, len);
    if (!entry)
        return -ENOMEM;
    int err = entry_insert(ram_inode(folder), entry, ram_inode(inode), new);
    if (err)
        kfree(entry);
    return err;
}

int ram_link(struct inode *folder, const char *name, size_t len, struct inode *inode)
{
    return name_add(folder, name, len, inode, false);
}

int ram_create(struct inode *folder, const char *name, size_t len, uint32_t mode, const char *link,
               struct inode **child)
{
    struct ram_inode *inode = ram_inode_create(mode, link);
    if (!inode)
        return -ENOMEM;
    if (inode_is(&inode->inode, S_IFDIR)) {
        inode_hold(folder);
        inode->parent = ram_inode(folder);
    }
    int err = name_add(folder, name, len, &inode->inode, true);
    if (err)
        inode_put(&inode->inode);
    else
        *child = &inode->inode;
    return err;
}

/* ---- Removing ----------------------------------------------------------- */

int ram_remove(struct inode *base, const char *name, size_t len, struct inode *child)
{
    struct ram_inode *folder = ram_inode(base), *inode = ram_inode(child);
    int err = 0;
    spin_lock(&tree_lock);
    struct entry *entry = entry_find(folder, name, len);
    if (!entry || entry->inode != inode)
        err = -ENOENT;
    else if (!list_empty(&inode->entries))
        err = -ENOTEMPTY;
    if (!err) {
        list_remove(&entry->sibling);
        list_remove(&entry->same);
        inode->links--;
        if (inode_is(child, S_IFDIR)) {
            inode->links = 0;
            folder->links--;
        }
    }
    spin_unlock(&tree_lock);
    if (err)
        return err;
    inode_put(child); /* the entry's reference; the caller has its own */
    kfree(entry);
    return 0;
}

/* ---- Looking ------------------------------------------------------------ */

struct inode *ram_parent(struct inode *base, char *name)
{
    struct ram_inode *inode = ram_inode(base), *parent = inode->parent;
    spin_lock(&tree_lock);
    if (name) {
        struct entry *entry = list_entry(inode->names.next, struct entry, same);
        parent = list_empty(&inode->names) ? NULL : entry->folder;
        if (parent)
            memcpy(name, entry->name, entry->len + 1);
    }
    if (parent)
        inode_hold(&parent->inode);
    spin_unlock(&tree_lock);
    return parent ? &parent->inode : NULL;
}

uint64_t ram_links(struct ram_inode *inode)
{
    spin_lock(&tree_lock);
    uint64_t links = inode->links;
    spin_unlock(&tree_lock);
    return links;
}

/* Positions: 0 at the start, 1 behind ".", 2 behind "..", then 2 + the cookie of the entry
 * before. */
int ram_list(struct inode *base, uint64_t *position, struct dirents *out)
{
    struct ram_inode *folder = ram_inode(base);
    spin_lock(&tree_lock);
    const struct ram_inode *above = folder->parent ? folder->parent : folder;
    bool removed = folder_is_removed(folder), room = !removed;
    if (room && *position == 0 && (room = dirents_add(out, ".", 1, base->number, 1, base->mode)))
        *position = 1;
    if (room && *position == 1
        && (room = dirents_add(out, "..", 2, above->inode.number, 2, above->inode.mode)))
        *position = 2;
    list_for_each (link, &folder->entries) {
        struct entry *entry = list_entry(link, struct entry, sibling);
        const struct inode *inode = &entry->inode->inode;
        if (2 + entry->cookie <= *position)
            continue;
        room = room
               && dirents_add(out, entry->name, entry->len, inode->number, 2 + entry->cookie,
                              inode->mode);
        if (!room)
            break;
        *position = 2 + entry->cookie;
    }
    spin_unlock(&tree_lock);
    return removed ? -ENOENT : 0;
}
