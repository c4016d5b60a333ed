/* SPDX-License-Identifier: MIT */
/* poll. */
#include "kernel/fs/file.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"

struct poll_entry {
    int32_t fd;
    int16_t events, revents;
};

#define POLL_MAX         64
#define POLL_INTERVAL_NS 10000000ull

static unsigned poll_one(struct poll_entry *entry)
{
    entry->revents = 0;
    if (entry->fd < 0)
        return 0;
    struct file *file = files_get(process_current()->files, entry->fd);
    unsigned ready = !file ? POLLNVAL : file->ops->poll ? file->ops->poll(file) : POLLIN | POLLOUT;
    if (file)
        file_put(file);
    entry->revents = (int16_t)(ready & ((unsigned)entry->events | POLLERR | POLLHUP | POLLNVAL));
    return entry->revents != 0;
}

/* Looks at every tick: files have no common wait queue. */
long sys_poll(uaddr_t user_entries, unsigned count, int timeout_ms)
{
    struct poll_entry entries[POLL_MAX];
    struct wait_queue queue;
    uint64_t deadline = timeout_ms < 0 ? ~0ull : arch_clock_ns() + (uint64_t)timeout_ms * 1000000;
    if (count > POLL_MAX)
        return -EINVAL;
    if (arch_copy_from_user(entries, user_entries, count * sizeof(entries[0])))
        return -EFAULT;
    wait_queue_init(&queue);
    for (;;) {
        unsigned ready = 0;
        for (uint64_t i = 0; i < count; i++)
            ready += poll_one(&entries[i]);
        if (ready || arch_clock_ns() >= deadline)
            return arch_copy_to_user(user_entries, entries, count * sizeof(entries[0]))
                       ? -EFAULT
                       : (long)ready;
        wait_begin(&queue);
        int err = wait_sleep(min_u64(deadline, arch_clock_ns() + POLL_INTERVAL_NS));
        wait_end(&queue);
        if (err == -EINTR)
            return err;
    }
}
