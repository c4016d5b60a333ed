/* SPDX-License-Identifier: MIT */
/* /proc/PID/mem: not a text file; it reaches into the memory of the process. */
#include "kernel/proc/mem.h"

#include "kernel/fs/file.h"
#include "kernel/task/process.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"

/* Reads and writes as a debugger would. The object is the process. */
static long mem_move(struct file *file, uaddr_t user, size_t len, uint64_t *position, bool writing)
{
    struct process *process = file->object;
    char bounce[256];
    size_t done = 0;
    long err = 0;
    struct mm *mm = process_mm(process);
    if (!mm)
        return 0; /* it has ended */
    if (!process_may_trace(process_current(), process)) {
        mm_put(mm);
        return -EPERM;
    }
    while (done < len && !err) {
        size_t part = min_u64(len - done, sizeof(bounce));
        if (writing && arch_copy_from_user(bounce, uaddr(user.v + done), part)) {
            err = -EFAULT;
            break;
        }
        long now = mm_access(mm, *position, bounce, part, GUP_FORCE | (writing ? GUP_WRITE : 0));
        if (now < 0)
            err = now == -EFAULT ? -EIO : now;
        else if (!writing && arch_copy_to_user(uaddr(user.v + done), bounce, (size_t)now))
            err = -EFAULT;
        else {
            done += (size_t)now;
            *position += (size_t)now;
            if ((size_t)now < part || task_breathe())
                break;
        }
    }
    mm_put(mm);
    return done ? (long)done : err;
}

static long mem_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    return mem_move(file, to, len, position, false);
}

static long mem_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
    return mem_move(file, from, len, position, true);
}

static const struct file_ops mem_ops = {
    .read = mem_read,
    .write = mem_write,
    .seek = file_seek_endless,
    .positioned = true,
};

int mem_open(struct process *process, struct file *file)
{
    if (!process_may_trace(process_current(), process))
        return -EACCES;
    file->ops = &mem_ops;
    file->object = process;
    return 0;
}
