/* SPDX-License-Identifier: MIT */
/*
 * Proves: whatever names are made, removed, linked and walked, in whatever order, each call ends
 * where a plain model ends, with the same error; and nothing is left allocated.
 *
 * Links: kernel/fs/path.c kernel/fs/path_of.c kernel/fs/mount.c kernel/fs/inode.c
 * Links: kernel/fs/file.c
 * Links: kernel/fs/ramfs/inode.c kernel/fs/ramfs/tree.c kernel/fs/ramfs/nodes.c
 * Links: kernel/fs/ramfs/pages.c tests/fuzz/fs_fake.c tests/fuzz/path_model.c
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs_fake.h"
#include "kernel/fs/file.h"
#include "kernel/fs/mount.h"
#include "kernel/fs/path.h"
#include "kernel/fs/path_of.h"
#include "path_model.h"
#include "uapi/errno.h"
#include "uapi/stat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct node *proc, *here;

/* ---- Each call, in the kernel and in the model -------------------------- */

static void agree(const char *call, const char *text, int saw, int want)
{
    if (saw == want)
        return;
    fprintf(stderr, "%s(\"%s\"): expect %d, saw %d\n", call, text, want, saw);
    abort();
}

static void lookup(const char *text, bool follow, bool enter)
{
    struct inode *inode;
    struct node *node;
    int links = 0, want = *text ? walk(here, text, follow, &links, &node) : -ENOENT;
    int saw = path_lookup(here->inode, text, follow, &inode);
    agree("lookup", text, saw, want);
    if (saw)
        return;
    assert(inode == node->inode && inode->mode >> 12 == node->type >> 12);
    inode_put(inode);
    if (enter && node->type == S_IFDIR)
        here = node;
}

/* What stands in the way of a new name: 0 with its folder. */
static int room(const char *text, bool folder, struct node **in, struct parts *parts)
{
    struct node *old;
    int links = 0;
    cut(text, parts);
    if (!*text)
        return -ENOENT;
    if (!*parts->last)
        return -EEXIST;
    int err = walk_before(here, parts, &links, in);
    if (err)
        return err;
    if (special(parts->last) || !step(*in, parts->last, &old))
        return -EEXIST;
    if (parts->slash && !folder)
        return -ENOENT;
    return *in != root && *in != proc && !(*in)->names ? -ENOENT : 0;
}

static void create(const char *text, uint32_t type, const char *link)
{
    struct parts parts;
    struct node *in = NULL;
    struct inode *inode;
    int want = room(text, type == S_IFDIR, &in, &parts);
    if (node_count == NODES || (!want && free_entry(in) == ENTRIES))
        return;
    int saw = path_create(here->inode, text, type | 0644, link, &inode);
    agree("create", text, saw, want);
    if (saw)
        return;
    struct node *node = node_new(type, in, inode);
    if (link)
        strcpy(node->link, link);
    entry_set(in, parts.last, node);
}

static void hard_link(const char *text, const char *to)
{
    struct parts parts;
    struct node *in = NULL, *node;
    int links = 0;
    if (!*to || walk(here, to, false, &links, &node))
        return;
    int want = room(text, false, &in, &parts);
    if (!want && free_entry(in) == ENTRIES)
        return;
    if (!want && node->type == S_IFDIR)
        want = -EPERM;
    int saw = path_link(here->inode, text, node->inode);
    agree("link", text, saw, want);
    if (!saw)
        entry_set(in, parts.last, node);
}

static int removal(const char *text, bool folder, struct node **in, int *at)
{
    struct parts parts;
    int links = 0;
    cut(text, &parts);
    if (!*text)
        return -ENOENT;
    if (!*parts.last)
        return folder ? -EBUSY : -EISDIR;
    int err = walk_before(here, &parts, &links, in);
    if (err)
        return err;
    if (special(parts.last))
        return !folder ? -EISDIR : !strcmp(parts.last, "..") ? -ENOTEMPTY : -EINVAL;
    *at = find(*in, parts.last);
    if (*at < 0)
        return -ENOENT;
    struct node *node = (*in)->entry[*at].node;
    if (!folder && node->type == S_IFDIR)
        return -EISDIR;
    if (folder ? node->type != S_IFDIR : parts.slash)
        return -ENOTDIR;
    if (node == proc)
        return -EBUSY;
    for (int i = 0; i < ENTRIES; i++) {
        if (node->entry[i].node)
            return -ENOTEMPTY;
    }
    return 0;
}

static void take(const char *text, bool folder)
{
    struct node *in = NULL;
    int at = 0, want = removal(text, folder, &in, &at);
    int saw = path_remove(here->inode, text, folder);
    agree(folder ? "rmdir" : "unlink", text, saw, want);
    if (saw)
        return;
    in->entry[at].node->names--;
    in->entry[at].node = NULL;
}

/* What open(2) makes of it: the node, NULL for a new one in *in of this name. */
static int opening(struct node *at, const char *text, uint32_t flags, int *links, struct node **to,
                   struct node **in, char *name)
{
    struct parts parts;
    bool follow = !(flags & (O_NOFOLLOW | O_EXCL));
    *to = NULL;
    if (!(flags & O_CREAT))
        return walk(at, text, !(flags & O_NOFOLLOW), links, to);
    cut(text, &parts);
    if (!*parts.last)
        return -EISDIR;
    int err = walk_before(at, &parts, links, in);
    if (err || parts.slash)
        return err ? err : -EISDIR;
    strcpy(name, parts.last);
    err = step(*in, name, to);
    if (err == -ENOENT && (*in == root || *in == proc || (*in)->names))
        return 0;
    if (!err && (*to)->type == S_IFLNK && follow)
        return (*links)++ == LINKS_MAX ? -ELOOP
                                       : opening(*in, (*to)->link, flags, links, to, in, name);
    return err ? err : flags & O_EXCL ? -EEXIST : 0;
}

static void open_it(const char *text, uint32_t flags)
{
    struct node *node = NULL, *in = NULL;
    struct file *file;
    char name[TEXT];
    int links = 0, want = -ENOENT;
    if (flags & O_CREAT && flags & O_DIRECTORY)
        want = -EINVAL;
    else if (*text)
        want = opening(here, text, flags, &links, &node, &in, name);
    if (node_count == NODES || (!want && !node && free_entry(in) == ENTRIES))
        return;
    if (!want && node)
        want = flags & O_DIRECTORY && node->type != S_IFDIR                      ? -ENOTDIR
               : node->type == S_IFLNK                                           ? -ELOOP
               : node->type == S_IFDIR && flags & (O_CREAT | O_WRONLY | O_TRUNC) ? -EISDIR
                                                                                 : 0;
    int saw = path_open(here->inode, text, flags, 0644, &file);
    agree("open", text, saw, want);
    if (saw)
        return;
    if (!node) {
        inode_hold(file->inode);
        node = node_new(S_IFREG, in, file->inode);
        entry_set(in, name, node);
    }
    assert(file->inode == node->inode && inode_is(node->inode, node->type));
    file_put(file);
}

/* The way back to here leads here again, and a folder lists what it holds. */
static void back(void)
{
    char path[PATH_MAX_BYTES], bytes[4096];
    struct dirents out = { .bytes = bytes, .room = sizeof(bytes) };
    struct inode *inode;
    bool gone = false;
    for (const struct node *node = here; node != root; node = node->parent)
        gone |= node != proc && !node->names;
    int err = path_of(here->inode, path, sizeof(path));
    assert(err == -ENAMETOOLONG || err == (gone ? -ENOENT : 0));
    if (!err) {
        assert(!path_lookup(NULL, path, false, &inode) && inode == here->inode);
        inode_put(inode);
    }
    uint64_t position = 0;
    int listed = here->inode->ops->list(here->inode, &position, &out), want = 0, saw = 0;
    for (int i = 0; i < ENTRIES; i++)
        want += here->entry[i].node != NULL;
    for (size_t at = 0; at < out.len; saw++)
        at += ((struct linux_dirent64 *)(bytes + at))->d_reclen;
    assert(listed == (here == root || here == proc || here->names ? 0 : -ENOENT));
    assert(listed || out.full || saw == want + 2);
}

/* ---- Input -------------------------------------------------------------- */

static const uint8_t *next, *end;
static unsigned byte(void) { return next < end ? *next++ : 0; }

/* A path of up to seven pieces. */
static void text_take(char text[TEXT])
{
    static const char *const pieces[] = { "a",  "b",  "c",   "/",  "/", "..", ".",    "//",
                                          "a/", "b/", "../", "./", "l", "l/", "proc", "/proc/" };
    *text = 0;
    for (unsigned i = byte() % 8; i; i--)
        strcat(text, pieces[byte() % 16]);
}

static void start(void)
{
    static bool mounted;
    struct inode *inode;
    if (!mounted)
        mounts_init();
    mounted = true;
    node_count = 0;
    here = root = node_new(S_IFDIR, NULL, mount_root());
    root->parent = root;
    static const char *const names[] = { "dev", "tmp", "proc" };
    for (size_t i = 0; i < 3; i++) {
        assert(!path_lookup(root->inode, names[i], false, &inode));
        proc = node_new(S_IFDIR, root, inode);
        entry_set(root, names[i], proc);
    }
}

/* Take everything away again, from the leaves up, by absolute paths of the model's own. */
static void empty(struct node *folder)
{
    char text[TEXT];
    for (int i = 0; i < ENTRIES; i++) {
        struct node *node = folder->entry[i].node;
        if (!node)
            continue;
        if (node->type == S_IFDIR)
            empty(node);
        if (folder == root
            && (!strcmp(folder->entry[i].name, "dev") || node == proc
                || !strcmp(folder->entry[i].name, "tmp")))
            continue;
        here = folder;
        snprintf(text, sizeof(text), "%s", folder->entry[i].name);
        take(text, node->type == S_IFDIR);
    }
}

static void finish(void)
{
    here = root;
    create("/tmp", S_IFDIR, NULL); /* they may have been removed: start() wants them */
    create("/dev", S_IFDIR, NULL);
    empty(root);
    for (size_t i = 1; i < node_count; i++)
        inode_put(nodes[i].inode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t flags[] = { 0,      O_CREAT,    O_WRONLY,    O_TRUNC,
                                      O_EXCL, O_NOFOLLOW, O_DIRECTORY, O_CREAT | O_EXCL };
    static unsigned long live;
    char text[TEXT], other[TEXT];
    start();
    if (!live)
        live = fake_live;
    for (next = data, end = data + size; next < end;) {
        unsigned op = byte();
        text_take(text);
        switch (op % 10) {
        case 0: create(text, S_IFDIR, NULL); break;
        case 1: create(text, S_IFREG, NULL); break;
        case 2:
            text_take(other);
            if (*other)
                create(text, S_IFLNK, other);
            break;
        case 3: take(text, false); break;
        case 4: take(text, true); break;
        case 5: lookup(text, op & 16, false); break;
        case 6: lookup(text, true, true); break;
        case 7: open_it(text, flags[op / 16 % 8] | flags[byte() % 8]); break;
        case 8:
            text_take(other);
            hard_link(text, other);
            break;
        case 9: back(); break;
        }
    }
    finish();
    assert(fake_live == live);
    return 0;
}
