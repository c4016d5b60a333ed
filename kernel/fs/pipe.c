/* SPDX-License-Identifier: MIT */
/* Pipes: a ring of one page between readers and writers that wait for each other. */
#include "kernel/fs/pipe.h"

#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "mm/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"

#define PIPE_BYTES PAGE_SIZE

/* [L] lock */
struct pipe {
    struct spinlock lock;
    uint32_t ends;             /* [A] open ends of either kind */
    uint32_t readers, writers; /* [L] */
    uint64_t taken;            /* [L] bytes ever read */
    size_t start, len;         /* [L] what the ring holds */
    char *ring;                /* one page */
    struct wait_queue wait;
};

static bool file_writes(const struct file *file) { return (file->flags & O_ACCMODE) == O_WRONLY; }

/* Copy up to len bytes out of the ring, which keeps them; how many. */
static size_t ring_peek(const struct pipe *pipe, char *to, size_t len)
{
    size_t count = min_u64(len, pipe->len);
    for (size_t i = 0; i < count; i++)
        to[i] = pipe->ring[(pipe->start + i) % PIPE_BYTES];
    return count;
}

static void ring_drop(struct pipe *pipe, size_t len)
{
    pipe->start = (pipe->start + len) % PIPE_BYTES;
    pipe->len -= len;
    pipe->taken += len;
}

static void ring_put(struct pipe *pipe, const char *from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        pipe->ring[(pipe->start + pipe->len++) % PIPE_BYTES] = from[i];
}

/* Wait for bytes or for the last writer to go. How many bytes are copied to bounce; *taken tells
 * which ones they are. */
static long pipe_wait_bytes(struct file *file, char *bounce, size_t len, uint64_t *taken)
{
    struct pipe *pipe = file->object;
    for (;;) {
        long err = 0;
        wait_begin(&pipe->wait);
        spin_lock(&pipe->lock);
        size_t got = ring_peek(pipe, bounce, len);
        bool at_end = !got && !pipe->writers;
        *taken = pipe->taken;
        spin_unlock(&pipe->lock);
        if (!got && !at_end)
            err = file->flags & O_NONBLOCK ? -EAGAIN : wait_sleep(0);
        wait_end(&pipe->wait);
        if (got || at_end || err)
            return err ? err : (long)got;
    }
}

/* The bytes leave the ring once the reader has them, unless another reader was faster: then this
 * one looks again. */
static long pipe_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    (void)position;
    struct pipe *pipe = file->object;
    char bounce[256];
    size_t done = 0;
    while (done < len) {
        uint64_t taken;
        if (done && !pipe->len)
            break;
        long got = pipe_wait_bytes(file, bounce, min_u64(len - done, sizeof(bounce)), &taken);
        if (got > 0 && arch_copy_to_user(uaddr(to.v + done), bounce, (size_t)got))
            got = -EFAULT;
        if (got <= 0)
            return done ? (long)done : got;
        spin_lock(&pipe->lock);
        bool mine = pipe->taken == taken;
        if (mine)
            ring_drop(pipe, (size_t)got);
        spin_unlock(&pipe->lock);
        if (mine) {
            done += (size_t)got;
            wait_wake_all(&pipe->wait);
        }
    }
    return (long)done;
}

/* Put at most a ring's length into the ring, in one piece, waiting for room. 0 or negative
 * errno. */
static long pipe_write_part(struct file *file, const char *bounce, size_t part)
{
    struct pipe *pipe = file->object;
    for (;;) {
        long err = 0;
        wait_begin(&pipe->wait);
        spin_lock(&pipe->lock);
        bool broken = !pipe->readers, fits = PIPE_BYTES - pipe->len >= part;
        if (!broken && fits)
            ring_put(pipe, bounce, part);
        spin_unlock(&pipe->lock);
        if (!broken && !fits)
            err = file->flags & O_NONBLOCK ? -EAGAIN : wait_sleep(0);
        wait_end(&pipe->wait);
        if (broken) {
            process_signal(process_current(), SIGPIPE);
            return -EPIPE;
        }
        if (fits || err)
            return err;
    }
}

/* Up to a ring's length goes in without another writer's bytes in between (PIPE_BUF). */
static long pipe_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
    (void)position;
    struct pipe *pipe = file->object;
    char small[256], *bounce = len <= sizeof(small) ? small : kmalloc(PIPE_BYTES);
    size_t done = 0;
    long err = bounce ? 0 : -ENOMEM;
    while (done < len && !err) {
        size_t part = min_u64(len - done, PIPE_BYTES);
        if (arch_copy_from_user(bounce, uaddr(from.v + done), part))
            err = -EFAULT;
        else
            err = pipe_write_part(file, bounce, part);
        if (!err) {
            done += part;
            wait_wake_all(&pipe->wait);
        }
    }
    if (bounce != small)
        kfree(bounce);
    return done ? (long)done : err;
}

static int pipe_stat(struct file *file, struct linux_stat *stat)
{
    (void)file;
    *stat =
        (struct linux_stat){ .st_mode = S_IFIFO | 0600, .st_blksize = PAGE_SIZE, .st_nlink = 1 };
    return 0;
}

static unsigned pipe_poll(struct file *file)
{
    struct pipe *pipe = file->object;
    spin_lock(&pipe->lock);
    unsigned ready = file_writes(file)
                         ? (pipe->len < PIPE_BYTES ? POLLOUT : 0) | (pipe->readers ? 0 : POLLERR)
                         : (pipe->len ? POLLIN : 0) | (pipe->writers ? 0 : POLLHUP);
    spin_unlock(&pipe->lock);
    return ready;
}

static void pipe_free(struct pipe *pipe)
{
    kfree(pipe->ring);
    kfree(pipe);
}

static void pipe_close(struct file *file)
{
    struct pipe *pipe = file->object;
    spin_lock(&pipe->lock);
    if (file_writes(file))
        pipe->writers--;
    else
        pipe->readers--;
    spin_unlock(&pipe->lock);
    wait_wake_all(&pipe->wait);
    if (__atomic_sub_fetch(&pipe->ends, 1, __ATOMIC_ACQ_REL) == 0)
        pipe_free(pipe);
}

static const struct file_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .stat = pipe_stat,
    .poll = pipe_poll,
    .close = pipe_close,
};

int pipe_create(uint32_t flags, struct file *end[2])
{
    struct pipe *pipe = kzalloc(sizeof(*pipe));
    if (!pipe)
        return -ENOMEM;
    pipe->lock = (struct spinlock)SPINLOCK_INIT(LOCK_PIPE);
    pipe->ring = kmalloc(PIPE_BYTES);
    end[0] = pipe->ring ? file_create(&pipe_ops, pipe, O_RDONLY | flags) : NULL;
    end[1] = end[0] ? file_create(&pipe_ops, pipe, O_WRONLY | flags) : NULL;
    if (!end[1]) {
        kfree(end[0]);
        pipe_free(pipe);
        return -ENOMEM;
    }
    pipe->ends = 2;
    pipe->readers = pipe->writers = 1;
    wait_queue_init(&pipe->wait);
    return 0;
}
