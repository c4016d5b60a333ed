/* SPDX-License-Identifier: MIT */
/*
 * The initrd: cpio archives, unpacked into the RAM file system. Nothing in an archive is trusted.
 * Each entry is a header of hexadecimal digits, a name, and data, the last two padded to four
 * bytes; an archive ends with an entry of the name TRAILER!!!, and zeros may stand between two
 * archives.
 */
#include "kernel/fs/cpio.h"

#include "base/list.h"
#include "base/log.h"
#include "base/string.h"
#include "kernel/fs/path.h"
#include "kernel/fs/ramfs/ramfs.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"

#define HEADER_BYTES 110
#define MAGIC_BYTES  6
enum field {
    INODE,
    MODE,
    UID,
    GID,
    LINKS,
    TIME,
    BYTES,
    MAJOR,
    MINOR,
    DEVICE_MAJOR,
    DEVICE_MINOR,
    NAME_BYTES,
    SUM,
    FIELDS
};

/* A file of which the archive has more names than have been read so far. Kept for one archive. */
struct hard_link {
    struct list link;
    uint32_t id[3]; /* INODE, MAJOR, MINOR */
    struct inode *inode;
};

struct entry {
    uint32_t field[FIELDS];
    bool summed; /* of the kind "crc" */
    const char *name, *data;
};

struct unpack {
    const char *base;
    uint64_t at, bytes;
    struct list hard_links;
    unsigned devices; /* left out so far */
};

/* ---- Taking the archive apart ------------------------------------------- */

/* Eight hexadecimal digits; false for anything else. */
static bool hex_take(const char *digits, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 8; i++) {
        char c = digits[i];
        uint32_t digit = c >= '0' && c <= '9'                 ? (uint32_t)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a' + 10)
                                                              : 16;
        if (digit == 16)
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

/* Read the entry at unpack->at, and move behind it. False: the entry is damaged, or cut off. */
static bool entry_take(struct unpack *unpack, struct entry *entry)
{
    const char *header = unpack->base + unpack->at;
    if (unpack->bytes - unpack->at < HEADER_BYTES)
        return false;
    entry->summed = memcmp(header, "070702", MAGIC_BYTES) == 0;
    if (!entry->summed && memcmp(header, "070701", MAGIC_BYTES) != 0)
        return false;
    for (int i = 0; i < FIELDS; i++) {
        if (!hex_take(header + MAGIC_BYTES + i * 8, &entry->field[i]))
            return false;
    }
    uint32_t name_bytes = entry->field[NAME_BYTES];
    uint64_t data_at = align_up(unpack->at + HEADER_BYTES + name_bytes, 4),
             data_end = data_at + entry->field[BYTES];
    entry->name = header + HEADER_BYTES;
    entry->data = unpack->base + data_at;
    if (!name_bytes || data_end > unpack->bytes || entry->name[name_bytes - 1])
        return false;
    unpack->at = min_u64(align_up(data_end, 4), unpack->bytes);
    return true;
}

/* The kind "crc" gives the sum of the data's bytes. */
static bool sum_is_right(const struct entry *entry)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; entry->summed && i < entry->field[BYTES]; i++)
        sum += (uint8_t)entry->data[i];
    return !entry->summed || (entry->field[MODE] & S_IFMT) != S_IFREG || !entry->field[BYTES]
           || sum == entry->field[SUM];
}

/* ---- Hard links --------------------------------------------------------- */

static struct hard_link *hard_link_find(struct unpack *unpack, const struct entry *entry)
{
    list_for_each (link, &unpack->hard_links) {
        struct hard_link *known = list_entry(link, struct hard_link, link);
        if (known->id[0] == entry->field[INODE] && known->id[1] == entry->field[MAJOR]
            && known->id[2] == entry->field[MINOR])
            return known;
    }
    return NULL;
}

/* inode may get more names: remember it in known's place, or, if known is NULL, in a new one. */
static int hard_link_keep(struct unpack *unpack, const struct entry *entry, struct hard_link *known,
                          struct inode *inode)
{
    struct hard_link *new = known ? known : kzalloc(sizeof(*new));
    if (!new)
        return -ENOMEM;
    inode_put(new->inode);
    inode_hold(inode);
    *new = (struct hard_link){
        .link = new->link,
        .id = { entry->field[INODE], entry->field[MAJOR], entry->field[MINOR] },
        .inode = inode,
    };
    if (!known)
        list_append(&new->link, &unpack->hard_links);
    return 0;
}

static void hard_links_forget(struct unpack *unpack)
{
    list_for_each_safe (link, after, &unpack->hard_links) {
        struct hard_link *known = list_entry(link, struct hard_link, link);
        inode_put(known->inode);
        kfree(known);
    }
    list_init(&unpack->hard_links);
}

/* ---- Entries ------------------------------------------------------------ */

/* An earlier entry of this name makes room. 1: the earlier entry stays, because both are folders,
 * or because it is a device node. */
static int name_clear(struct unpack *unpack, const struct entry *entry)
{
    struct inode *old;
    bool folder = (entry->field[MODE] & S_IFMT) == S_IFDIR;
    if (path_lookup(NULL, entry->name, false, &old))
        return 0; /* if the path is wrong, the call that makes it will say so */
    bool is_folder = inode_is(old, S_IFDIR), device = inode_is(old, S_IFCHR);
    inode_put(old);
    if (device) {
        unpack->devices++;
        return 1;
    }
    return folder && is_folder ? 1 : path_remove(NULL, entry->name, is_folder);
}

static int link_unpack(const struct entry *entry)
{
    char target[PATH_MAX_BYTES];
    if (!entry->field[BYTES] || entry->field[BYTES] >= sizeof(target))
        return entry->field[BYTES] ? -ENAMETOOLONG : -ENOENT;
    snprintf(target, sizeof(target), "%.*s", (int)entry->field[BYTES], entry->data);
    return path_create(NULL, entry->name, S_IFLNK | 0777, target, NULL);
}

/* The file of this entry, under its name, with a reference: a new one, or another name's. */
static int file_make(struct unpack *unpack, const struct entry *entry, struct inode **inode)
{
    struct hard_link *known = hard_link_find(unpack, entry);
    bool shared = entry->field[LINKS] > 1;
    int err = shared && known ? path_link(NULL, entry->name, known->inode) : -ENOENT;
    if (!err) {
        *inode = known->inode;
        inode_hold(*inode);
    }
    if (err
        != -ENOENT) /* else it is the first name, or later entries have taken all earlier ones */
        return err;
    err = path_create(NULL, entry->name, S_IFREG | (entry->field[MODE] & 07777), NULL, inode);
    if (!err && shared) {
        err = hard_link_keep(unpack, entry, known, *inode);
        if (err)
            inode_put(*inode);
    }
    return err;
}

static int file_unpack(struct unpack *unpack, const struct entry *entry)
{
    struct inode *inode;
    int err = file_make(unpack, entry, &inode);
    if (err)
        return err;
    if (entry->field[BYTES]) {
        err = inode->ops->truncate(inode, 0);
        long done = err ? err : ramfs_write(inode, entry->data, entry->field[BYTES], 0);
        err = done < 0 ? (int)done : (uint64_t)done < entry->field[BYTES] ? -ENOMEM : 0;
    }
    if (err) /* no file is better than a part of one; no program runs yet that could interfere */
        err = inode->ops->truncate(inode, 0) || path_remove(NULL, entry->name, false) ? -EIO : err;
    inode_put(inode);
    return err;
}

static int entry_unpack(struct unpack *unpack, const struct entry *entry)
{
    uint32_t type = entry->field[MODE] & S_IFMT;
    if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK) {
        unpack->devices++;
        return 0;
    }
    int err = name_clear(unpack, entry);
    if (err)
        return err > 0 ? 0 : err;
    if (type == S_IFLNK)
        return link_unpack(entry);
    if (type == S_IFREG)
        return file_unpack(unpack, entry);
    return path_create(NULL, entry->name, S_IFDIR | (entry->field[MODE] & 07777), NULL, NULL);
}

/* ---- Archives ----------------------------------------------------------- */

static int entry_failed(const char *name, int err)
{
    if (err == -ENOMEM)
        log_line("initrd: %s: out of memory: what the initrd holds does not fit", name);
    else
        log_line("initrd: %s: cannot be unpacked (error %d)", name, -err);
    return err;
}

/* One archive, up to behind its trailer. */
static int archive_unpack(struct unpack *unpack)
{
    struct entry entry;
    while (entry_take(unpack, &entry)) {
        if (strcmp(entry.name, "TRAILER!!!") == 0)
            return 0;
        if (!sum_is_right(&entry)) {
            log_line("initrd: %s: damaged: its checksum does not match", entry.name);
            return -EINVAL;
        }
        int err = entry_unpack(unpack, &entry);
        if (err)
            return entry_failed(entry.name, err);
    }
    log_line("initrd: damaged or cut off: not a newc cpio archive with a trailer");
    return -EINVAL;
}

/* Is there another archive behind this one? Bytes that are neither an archive nor padding are
 * logged. */
static bool archive_follows(struct unpack *unpack)
{
    while (unpack->at < unpack->bytes && !unpack->base[unpack->at])
        unpack->at++;
    if (unpack->at == unpack->bytes)
        return false;
    bool archive = unpack->bytes - unpack->at >= MAGIC_BYTES && unpack->at % 4 == 0
                   && memcmp(unpack->base + unpack->at, "07070", MAGIC_BYTES - 1) == 0;
    if (!archive)
        log_line("initrd: %lu bytes behind the archive are not a cpio archive, and are left out",
                 unpack->bytes - unpack->at);
    return archive;
}

int initrd_unpack(const void *cpio, size_t bytes)
{
    struct unpack unpack = { .base = cpio, .bytes = bytes };
    int err;
    list_init(&unpack.hard_links);
    do {
        err = archive_unpack(&unpack);
        hard_links_forget(&unpack);
    } while (!err && archive_follows(&unpack));
    if (unpack.devices)
        log_line("initrd: %u device nodes are left out: /dev is the kernel's", unpack.devices);
    return err;
}
