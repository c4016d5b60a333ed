/* SPDX-License-Identifier: MIT */
/* Pipes: a ring of one page between readers and writers that wait for each other. */
#include "kernel/fs/pipe.h"

#include "kernel/fs/poll.h"
#include "kernel/fs/ring.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"
#include "uapi/termios.h"

/* [A] atomic  [L] lock */
struct pipe {
    struct spinlock lock;
    uint32_t ends;             /* [A] open ends of either kind */
    uint32_t readers, writers; /* [L] */
    struct ring ring;          /* [L] */
    struct wait_queue wait;    /* readers and writers alike */
};

static bool file_writes(const struct file *file)
{
    return (file_flags(file) & O_ACCMODE) == O_WRONLY;
}

/* Wake every task that waits for bytes, for room or for the other end: it looks again. */
static void pipe_changed(struct pipe *pipe)
{
    wait_wake_all(&pipe->wait);
    poll_wake();
}

/* ---- Reading ------------------------------------------------------------ */

/* What a reader saw. */
struct look {
    char bytes[256];
    size_t got;
    uint64_t first; /* the number of the first byte, for ring_drop() */
};

/* Look at the first bytes, at most len. False: there are none, but some may still come. */
static bool pipe_look(struct pipe *pipe, size_t len, struct look *look)
{
    spin_lock(&pipe->lock);
    look->got = 0;
    if (pipe->ring.len)
        look->got = ring_peek(&pipe->ring, look->bytes, min_u64(len, sizeof(look->bytes)),
                              &look->first);
    bool at_end = !pipe->writers;
    spin_unlock(&pipe->lock);
    return look->got || at_end;
}

/* Deliver the next bytes, at most len, and wait for them if necessary. Returns how many, or a
 * negative errno. 0 means the end, or that another reader was faster and the caller may look again.
 * The bytes leave the ring once the reader has them. */
static long pipe_deliver(struct file *file, uaddr_t to, size_t len, bool may_wait, bool *at_end)
{
    struct pipe *pipe = file->object;
    struct look look;
    int err = may_wait ? wait_until(&pipe->wait, pipe_look(pipe, len, &look), 0)
              : pipe_look(pipe, len, &look) ? 0
                                            : -EAGAIN;
    if (!err && arch_copy_to_user(to, look.bytes, look.got))
        err = -EFAULT;
    if (err)
        return err;
    *at_end = !look.got;
    spin_lock(&pipe->lock);
    bool mine = look.got && ring_drop(&pipe->ring, look.first, look.got);
    spin_unlock(&pipe->lock);
    return mine ? (long)look.got : 0;
}

/* A read waits only while it has delivered nothing. */
static long pipe_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    size_t done = 0;
    bool at_end = false;
    long now = 0;
    while (done < len && !at_end && now >= 0) {
        bool may_wait = !done && !(file_flags(file) & O_NONBLOCK);
        now = pipe_deliver(file, uaddr(to.v + done), len - done, may_wait, &at_end);
        done += now > 0 ? (size_t)now : 0;
        if (done < len && task_breathe())
            break;
    }
    if (done)
        pipe_changed(file->object);
    return done ? (long)done : now;
}

/* ---- Writing ------------------------------------------------------------ */

/* Put in as many bytes as there is room for. False: none, but there may be room later. */
static bool pipe_put(struct pipe *pipe, const char *from, size_t len, bool whole, long *put)
{
    spin_lock(&pipe->lock);
    size_t room = pipe->readers ? ring_room(&pipe->ring, len, whole) : 0;
    ring_put(&pipe->ring, from, room);
    *put = pipe->readers ? (long)room : -EPIPE;
    spin_unlock(&pipe->lock);
    return *put != 0;
}

/* Put some of part bytes in, or all of them if the write is whole. Returns how many, or a negative
 * errno. */
static long pipe_write_part(struct file *file, const char *from, size_t part, bool whole)
{
    struct pipe *pipe = file->object;
    long put;
    int err = !(file_flags(file) & O_NONBLOCK)
                  ? wait_until(&pipe->wait, pipe_put(pipe, from, part, whole, &put), 0)
              : pipe_put(pipe, from, part, whole, &put) ? 0
                                                        : -EAGAIN;
    return err ? err : put;
}

/* A write of up to PIPE_BUF bytes is never mixed with the bytes of another writer. */
static long pipe_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
    char small[256], *bounce = len <= sizeof(small) ? small : kmalloc(PIPE_BUF);
    size_t done = 0;
    long now = bounce ? 0 : -ENOMEM;
    while (done < len && now >= 0) {
        size_t part = min_u64(len - done, PIPE_BUF);
        if (arch_copy_from_user(bounce, uaddr(from.v + done), part))
            now = -EFAULT;
        else
            now = pipe_write_part(file, bounce, part, len <= PIPE_BUF);
        if (now > 0) {
            done += (size_t)now;
            pipe_changed(file->object);
        }
        if (done < len && task_breathe())
            break;
    }
    if (bounce != small)
        kfree(bounce);
    if (now == -EPIPE)
        signal_send_self(SIGPIPE);
    return done ? (long)done : now;
}

/* ---- The rest ----------------------------------------------------------- */

static int pipe_stat(struct file *file, struct linux_stat *stat)
{
    *stat =
        (struct linux_stat){ .st_mode = S_IFIFO | 0600, .st_blksize = PAGE_SIZE, .st_nlink = 1 };
    return 0;
}

static unsigned pipe_poll(struct file *file)
{
    struct pipe *pipe = file->object;
    spin_lock(&pipe->lock);
    unsigned ready;
    if (file_writes(file))
        ready = (ring_room(&pipe->ring, PIPE_BUF, true) ? POLLOUT : 0)
                | (pipe->readers ? 0 : POLLERR);
    else
        ready = (pipe->ring.len ? POLLIN : 0) | (pipe->writers ? 0 : POLLHUP);
    spin_unlock(&pipe->lock);
    return ready;
}

static void pipe_free(struct pipe *pipe)
{
    kfree(pipe->ring.bytes);
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
    pipe_changed(pipe);
    if (__atomic_sub_fetch(&pipe->ends, 1, __ATOMIC_ACQ_REL) == 0)
        pipe_free(pipe);
}

static long pipe_ioctl(struct file *file, unsigned request, uint64_t argument)
{
    struct pipe *pipe = file->object;
    if (request != FIONREAD)
        return -ENOTTY;
    spin_lock(&pipe->lock);
    int count = (int)pipe->ring.len;
    spin_unlock(&pipe->lock);
    return arch_copy_to_user(uaddr(argument), &count, sizeof(count)) ? -EFAULT : 0;
}

static const struct file_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .stat = pipe_stat,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
    .close = pipe_close,
};

int pipe_create(uint32_t flags, struct file *end[2])
{
    struct pipe *pipe = kzalloc(sizeof(*pipe));
    if (!pipe)
        return -ENOMEM;
    pipe->lock = (struct spinlock)SPINLOCK_INIT(LOCK_PIPE);
    pipe->ring.bytes = kmalloc(RING_BYTES);
    end[0] = pipe->ring.bytes ? file_create(&pipe_ops, pipe, O_RDONLY | flags) : NULL;
    end[1] = end[0] ? file_create(&pipe_ops, pipe, O_WRONLY | flags) : NULL;
    if (!end[1]) {
        if (end[0])
            file_discard(end[0]);
        pipe_free(pipe);
        return -ENOMEM;
    }
    pipe->ends = 2;
    pipe->readers = pipe->writers = 1;
    wait_queue_init(&pipe->wait);
    return 0;
}
