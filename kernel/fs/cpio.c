/* SPDX-License-Identifier: MIT */
/* The initrd: a cpio archive of the "newc" kind, unpacked into the RAM file system. Believed in
 * nothing. */
#include "base/log.h"
#include "base/string.h"
#include "kernel/fs/ramfs.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"

#define HEADER_BYTES 110
enum { FIELD_MODE = 1, FIELD_BYTES = 6, FIELD_NAME_BYTES = 11 };

/* Header field number i: eight hexadecimal digits; false for anything else. */
static bool field(const char *header, int i, uint32_t *value)
{
    *value = 0;
    for (int d = 0; d < 8; d++) {
        char c = header[6 + i * 8 + d];
        uint32_t digit = c >= '0' && c <= '9'                 ? (uint32_t)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a' + 10)
                                                              : 16;
        if (digit == 16)
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

static int entry_unpack(const char *name, uint32_t mode, const char *data, uint32_t bytes)
{
    char path[PATH_MAX_BYTES], target[PATH_MAX_BYTES];
    struct inode *inode;
    int err = path_normalise("/", name, path, sizeof(path));
    if (err || strcmp(path, "/") == 0)
        return err;
    if ((mode & S_IFMT) == S_IFLNK) {
        snprintf(target, sizeof(target), "%.*s", (int)bytes, data);
        return path_symlink(target, path);
    }
    if ((mode & S_IFMT) != S_IFDIR && (mode & S_IFMT) != S_IFREG)
        return 0; /* devices: /dev is the kernel's */
    err = ramfs_create(path, mode, &inode);
    if (err == -EEXIST && (mode & S_IFMT) == S_IFDIR)
        return 0;
    if (err)
        return err;
    long done = (mode & S_IFMT) == S_IFREG ? inode_write(inode, data, bytes, 0) : 0;
    inode_put(inode);
    return done < 0 ? (int)done : 0;
}

int initrd_unpack(const void *cpio, size_t bytes)
{
    const char *base = cpio;
    for (uint64_t at = 0; at + HEADER_BYTES <= bytes;) {
        uint32_t mode, data_bytes, name_bytes;
        const char *header = base + at;
        if (memcmp(header, "070701", 6) != 0 || !field(header, FIELD_MODE, &mode)
            || !field(header, FIELD_BYTES, &data_bytes)
            || !field(header, FIELD_NAME_BYTES, &name_bytes))
            break;
        uint64_t data_at = align_up(at + HEADER_BYTES + name_bytes, 4),
                 next = align_up(data_at + data_bytes, 4);
        const char *name = header + HEADER_BYTES;
        if (!name_bytes || data_at + data_bytes > bytes || name[name_bytes - 1])
            break;
        if (strcmp(name, "TRAILER!!!") == 0)
            return 0;
        int err = entry_unpack(name, mode, base + data_at, data_bytes);
        if (err) {
            log_line("initrd: %s: cannot be unpacked (error %d)", name, -err);
            return err;
        }
        at = next;
    }
    log_line("initrd: damaged or cut off: no newc cpio archive with a trailer");
    return -EINVAL;
}
