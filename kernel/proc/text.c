/* SPDX-License-Identifier: MIT */
/*
 * Files of text that the kernel writes while they are read. Most files are written into memory when
 * they are opened, and show that moment. Files that grow with a process are written record by
 * record, a piece of memory at a time. Each record then shows the moment at which its piece was
 * read.
 */
#include "kernel/proc/text.h"

#include "base/string.h"
#include "kernel/fs/file.h"
#include "kernel/proc/proc_text.h"
#include "kernel/task/process.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"

#define RECORD_BYTES 512 /* no line is longer */
#define PIECE_BYTES  4096

struct text {
    const struct proc_file *node; /* [I] */
    struct process *process;      /* [I] kept by the file's inode; NULL: the kernel's */
    struct sleep_lock lock;       /* guards the fields below, once the file is open */
    char *bytes;                  /* from kmalloc() */
    size_t len, room;
    bool failed;     /* memory ran out */
    uint64_t at;     /* the position of bytes[0] in the file */
    uint64_t cursor; /* where the next record begins, as node->next() counts */
};

/* ---- Writing it --------------------------------------------------------- */

void text_printf(struct text *text, const char *format, ...)
{
    char line[RECORD_BYTES];
    va_list args;
    va_start(args, format);
    size_t len = min_u64((uint64_t)vsnprintf(line, sizeof(line), format, args), sizeof(line) - 1);
    va_end(args);
    if (text->len + len > text->room && !text->failed) {
        size_t room = max_u64(text->room * 2, PIECE_BYTES);
        char *bytes = kmalloc(room);
        text->failed = !bytes;
        if (bytes) {
            memcpy(bytes, text->bytes, text->len);
            kfree(text->bytes);
            text->bytes = bytes;
            text->room = room;
        }
    }
    if (!text->failed) {
        memcpy(text->bytes + text->len, line, len);
        text->len += len;
    }
}

void text_take(struct text *text, size_t (*write)(char *to, size_t size), size_t size)
{
    text->bytes = kmalloc(size);
    text->failed = !text->bytes;
    text->room = text->failed ? 0 : size;
    text->len = text->failed ? 0 : write(text->bytes, size);
}

/* Go on to the next piece; false, with nothing left in memory, at the end. */
static bool piece_next(struct text *text)
{
    struct mm *mm = process_mm(text->process);
    text->at += text->len;
    text->len = 0;
    while (mm && text->len + RECORD_BYTES <= PIECE_BYTES
           && text->node->next(text, mm, &text->cursor)) {}
    if (mm)
        mm_put(mm);
    return text->len != 0;
}

/* Make sure that the byte at position is in memory. 0; 1 beyond the end; or a negative errno. */
static int piece_find(struct text *text, uint64_t position)
{
    if (position < text->at)
        text->at = text->len = text->cursor = 0;
    while (position >= text->at + text->len) {
        if (!text->node->next || !piece_next(text))
            return text->failed ? -ENOMEM : 1;
        if (task_breathe())
            return -EINTR;
    }
    return 0;
}

/* ---- The file ----------------------------------------------------------- */

static long text_move(struct text *text, uaddr_t to, size_t len, uint64_t *position)
{
    size_t done = 0;
    while (done < len) {
        int err = piece_find(text, *position);
        if (err)
            return done || err > 0 ? (long)done : err;
        size_t from = (size_t)(*position - text->at), part = min_u64(len - done, text->len - from);
        if (arch_copy_to_user(uaddr(to.v + done), text->bytes + from, part))
            return done ? (long)done : -EFAULT;
        *position += part;
        done += part;
    }
    return (long)done;
}

static long text_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    struct text *text = file->object;
    sleep_lock(&text->lock);
    long done = text_move(text, to, len, position);
    sleep_unlock(&text->lock);
    return done;
}

static long text_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
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
    long err = text->node->write(text->process, line);
    return err ? err : (long)len;
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
    .seek = file_seek_endless,
    .close = text_close,
    .positioned = true,
};

int text_open(const struct proc_file *node, struct process *process, struct file *file)
{
    struct text *text = kzalloc(sizeof(*text));
    if (!text)
        return -ENOMEM;
    text->node = node;
    text->process = process;
    sleep_lock_init(&text->lock);
    if (file_may_read(file) && node->show) {
        struct mm *mm = process ? process_mm(process) : NULL;
        node->show(text, process, mm);
        if (mm)
            mm_put(mm);
    }
    if (text->failed) {
        kfree(text->bytes);
        kfree(text);
        return -ENOMEM;
    }
    file->ops = &text_ops;
    file->object = text;
    return 0;
}
