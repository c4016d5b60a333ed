/* SPDX-License-Identifier: MIT */
/*
 * Proves: whatever bytes an initrd holds, unpacking it ends and touches nothing beside them; and of
 * an archive that is whole, every name leads to what the last entry of that name gave it, hard
 * links to what the last of them holds.
 *
 * Links: kernel/fs/cpio.c kernel/fs/path.c kernel/fs/path_of.c kernel/fs/mount.c
 * Links: kernel/fs/inode.c kernel/fs/file.c
 * Links: kernel/fs/ramfs/inode.c kernel/fs/ramfs/tree.c kernel/fs/ramfs/nodes.c
 * Links: kernel/fs/ramfs/pages.c tests/fuzz/fs_fake.c base/printf.c
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs_fake.h"
#include "kernel/fs/cpio.h"
#include "kernel/fs/file.h"
#include "kernel/fs/mount.h"
#include "kernel/fs/path.h"
#include "uapi/errno.h"
#include "uapi/stat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- Emptying the tree -------------------------------------------------- */

static void remove_below(struct inode *folder)
{
    char bytes[4096];
    struct dirents out = { .bytes = bytes, .room = sizeof(bytes) };
    uint64_t position = 0;
    for (; !folder->ops->list(folder, &position, &out) && out.len; out.len = 0) {
        for (size_t at = 0; at < out.len;) {
            const struct linux_dirent64 *entry = (void *)(bytes + at);
            struct inode *child;
            at += entry->d_reclen;
            if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")
                || path_lookup(folder, entry->d_name, false, &child))
                continue;
            if (inode_is(child, S_IFDIR))
                remove_below(child);
            (void)!path_remove(folder, entry->d_name, inode_is(child, S_IFDIR));
            inode_put(child);
        }
    }
}

/* ---- Any bytes ---------------------------------------------------------- */

static void any(const uint8_t *data, size_t size)
{
    char *copy = aligned_alloc(16, (size + 15) / 16 * 16 + 16);
    char *exact = copy + (size + 15) / 16 * 16 - (size + 3) / 4 * 4; /* ends where it ends */
    memcpy(exact, data, size);
    (void)!initrd_unpack(exact, size);
    free(copy);
}

/* ---- A whole archive, and what it must become --------------------------- */

#define FILES 8
static struct model {
    int kind; /* 0: nothing, 1: a file, 2: a link */
    char text[64];
    int id; /* of a file with several names, else 0 */
} model[FILES];

static const uint8_t *next, *end;
static unsigned byte(void) { return next < end ? *next++ : 0; }

static char *archive;
static size_t archive_bytes;

static void pad(size_t to)
{
    while (archive_bytes % to)
        archive[archive_bytes++] = 0;
}

static void entry_put(const char *name, unsigned mode, unsigned id, const char *text, bool summed)
{
    unsigned sum = 0, len = (unsigned)strlen(text);
    for (const char *at = text; *at; at++)
        sum += (uint8_t)*at;
    archive_bytes += (size_t)sprintf(archive + archive_bytes,
                                     "07070%d%08X%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
                                     summed ? 2 : 1, id, mode, 0, 0, id ? 3 : 1, 0, len, 8, 1, 0, 0,
                                     (unsigned)strlen(name) + 1, summed ? sum : 0);
    memcpy(archive + archive_bytes, name, strlen(name) + 1);
    archive_bytes += strlen(name) + 1;
    pad(4);
    memcpy(archive + archive_bytes, text, len);
    archive_bytes += len;
    pad(4);
}

/* One more entry, in the archive and in the model. A file of several names keeps its text when an
 * entry brings none. */
static void entry_add(bool summed)
{
    char name[8], text[40] = "";
    unsigned at = byte() % FILES, kind = byte() % 4, len = byte() % 32;
    int id = kind == 3 ? (int)(byte() % 2) + 1 : 0;
    snprintf(name, sizeof(name), "%sf%u", byte() % 2 ? "./" : "", at);
    for (unsigned i = 0; i < len; i++)
        text[i] = (char)('a' + byte() % 26);
    if (kind == 2 && !*text)
        return;
    model[at].kind = 0;
    const char *was = "";
    for (int i = 0; id && i < FILES; i++) {
        if (model[i].kind == 1 && model[i].id == id)
            was = model[i].text;
    }
    struct model new = { .kind = kind == 2 ? 2 : 1, .id = id };
    snprintf(new.text, sizeof(new.text), "%s", *text ? text : was);
    model[at] = new;
    for (int i = 0; id && i < FILES; i++) {
        if (model[i].kind == 1 && model[i].id == id)
            strcpy(model[i].text, new.text);
    }
    entry_put(name, kind == 2 ? S_IFLNK | 0777 : S_IFREG | 0644, (unsigned)id, text, summed);
}

static void check(int at)
{
    char name[8], saw[64] = "";
    struct inode *inode;
    struct file *file;
    snprintf(name, sizeof(name), "/f%d", at);
    int err = path_lookup(NULL, name, false, &inode);
    assert(err == (model[at].kind ? 0 : -ENOENT));
    if (err)
        return;
    assert(inode_is(inode, model[at].kind == 2 ? S_IFLNK : S_IFREG));
    if (model[at].kind == 2) {
        assert(!strcmp(inode->link, model[at].text));
    } else {
        assert(!inode_open(inode, O_RDONLY, &file));
        assert(file_read_kernel(file, saw, sizeof(saw) - 1, 0) == (long)strlen(model[at].text));
        assert(!strcmp(saw, model[at].text));
        file_put(file);
    }
    inode_put(inode);
}

static void whole(void)
{
    archive = malloc(1 << 16);
    archive_bytes = 0;
    memset(model, 0, sizeof(model));
    bool summed = byte() % 2;
    for (unsigned entries = byte() % 32; entries; entries--) {
        entry_add(summed);
        if (byte() % 8)
            continue;
        entry_put("TRAILER!!!", 0, 0, "", false); /* another archive begins: other links */
        pad(byte() % 2 ? 512 : 4);
        for (int i = 0; i < FILES; i++)
            model[i].id = 0;
    }
    entry_put("TRAILER!!!", 0, 0, "", false);
    assert(!initrd_unpack(archive, archive_bytes));
    for (int i = 0; i < FILES; i++)
        check(i);
    free(archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool mounted;
    static unsigned long live;
    if (!mounted) {
        mounts_init();
        remove_below(mount_root());
        live = fake_live;
        mounted = true;
    }
    next = data;
    end = data + size;
    if (byte() % 2)
        whole();
    else if (size)
        any(next, size - 1);
    remove_below(mount_root());
    assert(fake_live == live);
    return 0;
}
