/* SPDX-License-Identifier: MIT */
/*
 * The one way through names.
 *
 *   at      the folder reached so far, with a reference
 *   text    what is still to be walked; where links were followed, a stack of texts: the innermost
 *           link's, and behind it the rest of the text that the link stood in
 *   name    the component taken from the text, looked up by walk_enter(), which goes there
 *
 * The text of a path is never normalised. No lock is held between two steps: the walk holds a
 * reference on the folder that it reached, and that folder may have lost its name meanwhile.
 */
#include "kernel/fs/path.h"

#include "base/string.h"
#include "kernel/fs/file.h"
#include "kernel/fs/mount.h"
#include "uapi/errno.h"

struct walk {
    struct inode *at;
    const char *text;
    struct outer {
        struct inode *link; /* with a reference: its text is being walked */
        const char *text;   /* where to go on afterwards */
    } outer[LINKS_MAX];
    unsigned depth;   /* entries of outer */
    unsigned links;   /* followed so far */
    const char *name; /* the component in hand, */
    size_t len;       /* of this length; 0: the text was all slashes */
    bool slash;       /* valid with the last component in hand: a slash follows it */
};

/* ---- Steps -------------------------------------------------------------- */

static int walk_begin(struct walk *walk, struct inode *base, const char *path)
{
    walk->depth = walk->links = 0;
    walk->slash = false;
    walk->text = path;
    walk->at = path[0] == '/' || !base ? mount_root() : base;
    if (!path[0])
        return -ENOENT;
    inode_hold(walk->at);
    return 0;
}

/* The text of the innermost link is done: go on behind the link. */
static void text_pop(struct walk *walk)
{
    walk->depth--;
    inode_put(walk->outer[walk->depth].link);
    walk->text = walk->outer[walk->depth].text;
}

/* Give back what the walk holds, except for at: its reference becomes the caller's. */
static struct inode *walk_end(struct walk *walk)
{
    while (walk->depth)
        text_pop(walk);
    return walk->at;
}

/* Go to inode, whose reference the walk takes over. */
static void walk_move(struct walk *walk, struct inode *inode)
{
    inode_put(walk->at);
    walk->at = inode;
}

static const char *slashes_skip(const char *text)
{
    while (*text == '/')
        text++;
    return text;
}

/* Take the next component from the text; it is then the component in hand. */
static void component_take(struct walk *walk)
{
    walk->text = slashes_skip(walk->text);
    while (!*walk->text && walk->depth) {
        text_pop(walk);
        walk->text = slashes_skip(walk->text);
    }
    walk->name = walk->text;
    while (*walk->text && *walk->text != '/')
        walk->text++;
    walk->len = (size_t)(walk->text - walk->name);
}

/* Is the component in hand the last one? If so, walk.slash says whether a slash follows it. */
static bool component_is_last(struct walk *walk)
{
    const char *text = walk->text;
    walk->slash = !walk->len;
    for (unsigned depth = walk->depth;; text = walk->outer[--depth].text) {
        walk->slash |= *text == '/';
        if (*slashes_skip(text))
            return false;
        if (!depth)
            return true;
    }
}

static bool name_is(const struct walk *walk, const char *name)
{
    return strlen(name) == walk->len && memcmp(walk->name, name, walk->len) == 0;
}

/* Is the component not the name of an entry: empty, "." or ".."? */
static bool name_is_special(const struct walk *walk)
{
    return !walk->len || name_is(walk, ".") || name_is(walk, "..");
}

/* The folder above folder, across mounts, with a reference. The root is above itself. */
static struct inode *folder_above(struct inode *folder)
{
    for (struct inode *point; (point = mount_point(folder));)
        folder = point;
    if (folder != mount_root())
        return folder->ops->parent(folder, NULL);
    inode_hold(folder);
    return folder;
}

/* What the component in hand names, with a reference. at is a folder. */
static int name_lookup(const struct walk *walk, struct inode **child)
{
    if (walk->len > NAME_BYTES_MAX)
        return -ENAMETOOLONG;
    int err = walk->at->ops->lookup(walk->at, walk->name, walk->len, child);
    if (err)
        return err;
    struct inode *top = mount_top(*child);
    if (top != *child) {
        inode_hold(top);
        inode_put(*child);
        *child = top;
    }
    return 0;
}

/* Go where link leads, or let the walk go on with the link's text. Takes over the reference on
 * link. Returns as walk_enter(). */
static int link_follow(struct walk *walk, struct inode *link)
{
    bool too_many = walk->links++ == LINKS_MAX;
    struct inode *target = !too_many && link->ops->target ? link->ops->target(link) : NULL;
    if (too_many || target) {
        inode_put(link);
        if (target)
            walk_move(walk, target);
        return too_many ? -ELOOP : 0;
    }
    walk->outer[walk->depth++] = (struct outer){ link, walk->text };
    walk->text = link->link;
    if (link->link[0] == '/') {
        inode_hold(mount_root());
        walk_move(walk, mount_root());
    }
    return 1;
}

/* Go to what the component in hand names. 0; 1 when it is a link whose text is walked next; or a
 * negative errno. */
static int walk_enter(struct walk *walk, bool follow)
{
    struct inode *child;
    if (!inode_is(walk->at, S_IFDIR))
        return -ENOTDIR;
    if (name_is_special(walk)) {
        if (name_is(walk, ".."))
            walk_move(walk, folder_above(walk->at));
        return 0;
    }
    int err = name_lookup(walk, &child);
    if (err)
        return err;
    if (follow && inode_is(child, S_IFLNK))
        return link_follow(walk, child);
    walk_move(walk, child);
    return 0;
}

/* Walk until the last component is in hand. at is then the folder in which to look it up. */
static int walk_to_last(struct walk *walk)
{
    for (;;) {
        component_take(walk);
        if (component_is_last(walk))
            return inode_is(walk->at, S_IFDIR) ? 0 : -ENOTDIR;
        int err = walk_enter(walk, true);
        if (err < 0)
            return err;
    }
}

/* ---- Looking up --------------------------------------------------------- */

static int walk_all(struct walk *walk, bool follow)
{
    int err;
    do {
        err = walk_to_last(walk);
        if (!err)
            err = walk_enter(walk, follow || walk->slash);
    } while (err > 0);
    return !err && walk->slash && !inode_is(walk->at, S_IFDIR) ? -ENOTDIR : err;
}

int path_lookup(struct inode *base, const char *path, bool follow, struct inode **inode)
{
    struct walk walk;
    int err = walk_begin(&walk, base, path);
    if (err)
        return err;
    err = walk_all(&walk, follow);
    *inode = walk_end(&walk);
    if (err)
        inode_put(*inode);
    return err;
}

/* ---- Making ------------------------------------------------------------- */

/* Make what the component in hand names; with a reference. */
static int name_create(struct walk *walk, uint32_t mode, const char *link, struct inode **inode)
{
    if (!walk->at->ops->create)
        return -ENOENT;
    return walk->at->ops->create(walk->at, walk->name, walk->len, mode, link, inode);
}

/* Check that the name in hand is free for something new. folder: a folder is to be made. */
static int name_is_free(const struct walk *walk, bool folder)
{
    struct inode *child;
    if (name_is_special(walk))
        return -EEXIST;
    int err = name_lookup(walk, &child);
    if (err)
        return err != -ENOENT || (walk->slash && !folder) ? err : 0;
    inode_put(child);
    return -EEXIST;
}

int path_create(struct inode *base, const char *path, uint32_t mode, const char *link,
                struct inode **inode)
{
    struct walk walk;
    struct inode *new;
    int err = walk_begin(&walk, base, path);
    if (err)
        return err;
    err = walk_to_last(&walk);
    if (!err)
        err = name_is_free(&walk, (mode & S_IFMT) == S_IFDIR);
    if (!err)
        err = name_create(&walk, mode, link, &new);
    inode_put(walk_end(&walk));
    if (!err && inode)
        *inode = new;
    else if (!err)
        inode_put(new);
    return err;
}

int path_link(struct inode *base, const char *path, struct inode *inode)
{
    struct walk walk;
    int err = walk_begin(&walk, base, path);
    if (err)
        return err;
    err = walk_to_last(&walk);
    if (!err)
        err = name_is_free(&walk, false);
    if (!err && walk.at->ops != inode->ops)
        err = -EXDEV;
    if (!err && !inode->ops->link)
        err = -EPERM;
    if (!err)
        err = walk.at->ops->link(walk.at, walk.name, walk.len, inode);
    inode_put(walk_end(&walk));
    return err;
}

/* ---- Removing ----------------------------------------------------------- */

/* Can the component in hand be removed at all, judged by the text alone? */
static int name_may_go(const struct walk *walk, bool folder)
{
    if (!name_is_special(walk))
        return 0;
    if (!folder)
        return -EISDIR;
    return !walk->len ? -EBUSY : name_is(walk, "..") ? -ENOTEMPTY : -EINVAL;
}

static int child_remove(struct walk *walk, struct inode *child, bool folder)
{
    bool is_folder = inode_is(child, S_IFDIR);
    if (!folder && (is_folder || walk->slash))
        return is_folder ? -EISDIR : -ENOTDIR;
    if (folder && !is_folder)
        return -ENOTDIR;
    if (mount_point(child))
        return -EBUSY;
    if (!walk->at->ops->remove)
        return -EPERM;
    return walk->at->ops->remove(walk->at, walk->name, walk->len, child);
}

int path_remove(struct inode *base, const char *path, bool folder)
{
    struct walk walk;
    struct inode *child;
    int err = walk_begin(&walk, base, path);
    if (err)
        return err;
    err = walk_to_last(&walk);
    if (!err)
        err = name_may_go(&walk, folder);
    if (!err)
        err = name_lookup(&walk, &child);
    if (!err) {
        err = child_remove(&walk, child, folder);
        inode_put(child);
    }
    inode_put(walk_end(&walk));
    return err;
}

/* ---- Opening ------------------------------------------------------------ */

/* Impossible flags are refused before anything is looked up or made. */
static int flags_check(uint32_t flags)
{
    bool writes = (flags & O_ACCMODE) == O_WRONLY || (flags & O_ACCMODE) == O_RDWR;
    if (flags & O_PATH)
        return 0;
    if (flags & O_TMPFILE_BIT)
        return flags & O_DIRECTORY && writes ? -EOPNOTSUPP : -EINVAL;
    if (flags & O_DIRECT || (flags & O_CREAT && flags & O_DIRECTORY))
        return -EINVAL;
    return 0;
}

/* Go to the file that the component in hand names; make the file if it does not exist. Returns as
 * walk_enter(). */
static int walk_enter_or_create(struct walk *walk, uint32_t flags, uint32_t mode)
{
    bool exclusive = flags & O_EXCL;
    struct inode *new;
    if (walk->slash)
        return -EISDIR;
    for (;;) {
        int err = walk_enter(walk, !exclusive && !(flags & O_NOFOLLOW));
        if (err != -ENOENT)
            return !err && exclusive ? -EEXIST : err;
        err = name_create(walk, S_IFREG | mode, NULL, &new);
        if (!err)
            walk_move(walk, new);
        if (err != -EEXIST || exclusive)
            return err; /* another task made the file in between: use that one */
    }
}

static int walk_open(struct walk *walk, uint32_t flags, uint32_t mode, struct file **file)
{
    int err;
    if (!(flags & O_CREAT)) {
        err = walk_all(walk, !(flags & O_NOFOLLOW));
    } else {
        do {
            err = walk_to_last(walk);
            if (!err)
                err = walk_enter_or_create(walk, flags, mode);
        } while (err > 0);
    }
    return err ? err : inode_open(walk->at, flags, file);
}

int path_open(struct inode *base, const char *path, uint32_t flags, uint32_t mode,
              struct file **file)
{
    struct walk walk;
    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int err = flags_check(flags);
    if (!err)
        err = walk_begin(&walk, base, path);
    if (err)
        return err;
    err = walk_open(&walk, flags, mode, file);
    inode_put(walk_end(&walk));
    return err;
}
