/* SPDX-License-Identifier: MIT */
/*
 * poll. All callers wait in one queue, whatever their files, and each wake lets all of them look
 * again. A task can be in one queue only, and few tasks poll at a time.
 */
#include "kernel/fs/poll.h"

#include "kernel/fs/file.h"
#include "kernel/signal/restart.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/limits.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"

static struct wait_queue pollers = WAIT_QUEUE_INIT(pollers);

struct poll_entry {
    int32_t fd;
    int16_t events, revents;
};

/* One call: what the program asks, and the files, each with a reference. */
struct poll_call {
    unsigned count;
    struct poll_entry *entries; /* behind files */
    struct file *files[];       /* NULL: none, or not open */
};

void poll_wake(void) { wait_wake_all(&pollers); }

/* A file that cannot answer is always ready, as regular files are. */
static unsigned file_ready(struct file *file)
{
    unsigned ready = file->ops->poll ? file->ops->poll(file) : POLLIN | POLLOUT;
    return ready | (ready & POLLIN ? POLLRDNORM : 0) | (ready & POLLOUT ? POLLWRNORM : 0);
}

static bool entry_look(struct poll_entry *entry, struct file *file)
{
    unsigned ready = file ? file_ready(file) : entry->fd >= 0 ? POLLNVAL : 0;
    entry->revents = (int16_t)(ready & ((uint16_t)entry->events | POLLERR | POLLHUP | POLLNVAL));
    return entry->revents != 0;
}

/* How many of the files are ready? */
static unsigned call_look(struct poll_call *call)
{
    unsigned ready = 0;
    for (unsigned i = 0; i < call->count; i++)
        ready += entry_look(&call->entries[i], call->files[i]);
    return ready;
}

/* Fill in the answers. Returns the number of ready files, or a negative errno. */
static long call_wait(struct poll_call *call, bool may_wait, uint64_t deadline_ns)
{
    unsigned ready = call_look(call);
    int err = 0;
    if (!ready && may_wait)
        err = wait_until(&pollers, (ready = call_look(call)) != 0, deadline_ns);
    return err && err != -ETIMEDOUT ? err : (long)ready;
}

static void files_hold(struct poll_call *call)
{
    for (unsigned i = 0; i < call->count; i++)
        call->files[i] = files_get(process_current()->files, call->entries[i].fd);
}

static void files_let_go(struct poll_call *call)
{
    for (unsigned i = 0; i < call->count; i++) {
        if (call->files[i])
            file_put(call->files[i]);
    }
}

static long poll_until(uaddr_t entries, unsigned count, bool may_wait, uint64_t deadline_ns)
{
    if (count > limit_now(RLIMIT_NOFILE))
        return -EINVAL;
    size_t bytes = count * sizeof(struct poll_entry);
    struct poll_call *call = kmalloc(sizeof(*call) + count * sizeof(call->files[0]) + bytes);
    if (!call)
        return -ENOMEM;
    long result = -EFAULT;
    call->count = count;
    call->entries = (struct poll_entry *)&call->files[count];
    if (!arch_copy_from_user(call->entries, entries, bytes)) {
        files_hold(call);
        result = call_wait(call, may_wait, deadline_ns);
        files_let_go(call);
    }
    if (result >= 0 && arch_copy_to_user(entries, call->entries, bytes))
        result = -EFAULT;
    kfree(call);
    return result;
}

/* The arguments: entries, count, may_wait. */
static long poll_again(const struct restart *poll)
{
    long result = poll_until(uaddr(poll->a), (unsigned)poll->b, poll->c, poll->deadline_ns);
    if (result != -ERESTARTSYS)
        return result;
    task_current()->signals.restart = *poll;
    return -ERESTART_RESTARTBLOCK;
}

long sys_poll(uaddr_t entries, unsigned count, int timeout_ms)
{
    uint64_t end = arch_clock_ns() + (uint64_t)(unsigned)timeout_ms * 1000000;
    struct restart poll = {
        .again = poll_again,
        .deadline_ns = timeout_ms < 0 ? 0 : end,
        .a = entries.v,
        .b = count,
        .c = timeout_ms != 0,
    };
    return poll_again(&poll);
}
