/* SPDX-License-Identifier: MIT */
/*
 * process_vm_readv() and process_vm_writev(): copy between the caller's memory and another
 * process's, as the other's own loads and stores would reach it. That is no debugger's write:
 * read-only memory and shadow stacks refuse it.
 */
#include "kernel/planted.h"
#include "kernel/sched/wait.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "uapi/errno.h"

#define IOV_MAX            1024
#define TRANSFER_BYTES_MAX 0x7ffff000ull /* of one call, as on Linux */

/* A list of struct iovec in the caller's memory, and what is left of its current part. */
struct parts {
    uaddr_t list;
    unsigned long count; /* behind the current one */
    uint64_t at;
    size_t len;
};

/* The current part, the next one if it is done: 1, or 0 at the end, or -EFAULT or -EINVAL. */
static int parts_next(struct parts *parts)
{
    uint64_t part[2];
    while (!parts->len) {
        if (!parts->count)
            return 0;
        if (arch_copy_from_user(part, parts->list, sizeof(part)))
            return -EFAULT;
        if (part[1] > INT64_MAX)
            return -EINVAL;
        parts->list.v += sizeof(part);
        parts->count--;
        parts->at = part[0];
        parts->len = part[1];
    }
    return 1;
}

/* Is the whole list valid, and not empty? 1, 0 or a negative errno. */
static int parts_check(struct parts parts)
{
    int any = 0, more;
    if (parts.count > IOV_MAX)
        return -EINVAL;
    while ((more = parts_next(&parts)) > 0) {
        any = 1;
        parts.len = 0;
    }
    return more < 0 ? more : any;
}

/* Move some bytes within one page of either side. How many, or -EFAULT or -ENOMEM. */
static long piece_move(struct mm *mm, struct parts *own, struct parts *other, bool write)
{
    char bounce[256];
    size_t len = min_u64(min_u64(own->len, other->len),
                         min_u64(sizeof(bounce), PAGE_SIZE - own->at % PAGE_SIZE));
    if (write && arch_copy_from_user(bounce, uaddr(own->at), len))
        return -EFAULT;
    long done = mm_access(mm, other->at, bounce, len, planted_vm(write ? GUP_WRITE : 0));
    if (done > 0 && !write && arch_copy_to_user(uaddr(own->at), bounce, (size_t)done))
        return -EFAULT;
    if (done > 0) {
        own->at += (size_t)done;
        own->len -= (size_t)done;
        other->at += (size_t)done;
        other->len -= (size_t)done;
    }
    return done;
}

/* Bytes moved, or a negative errno when none were. */
static long parts_move(struct mm *mm, struct parts *own, struct parts *other, bool write)
{
    uint64_t done = 0;
    long now = 1;
    while (done < TRANSFER_BYTES_MAX && !task_breathe()) {
        now = parts_next(own);
        if (now > 0)
            now = parts_next(other);
        if (now > 0)
            now = piece_move(mm, own, other, write);
        if (now <= 0)
            break;
        done += (size_t)now;
    }
    return done ? (long)done : now < 0 ? now : 0;
}

static long transfer(int pid, struct parts own, struct parts other, uint64_t flags, bool write)
{
    if (flags)
        return -EINVAL;
    int any = parts_check(own);
    if (any > 0)
        any = parts_check(other);
    if (any <= 0)
        return any;
    struct process *process = process_find(pid);
    if (!process)
        return -ESRCH;
    bool allowed = process_may_trace(process_current(), process);
    struct mm *mm = allowed ? process_mm(process) : NULL;
    process_put(process);
    if (!mm)
        return allowed ? -ESRCH : -EPERM;
    long done = parts_move(mm, &own, &other, write);
    mm_put(mm);
    return done;
}

long sys_process_vm_readv(int pid, uaddr_t own, unsigned long own_count, uaddr_t other,
                          unsigned long other_count, uint64_t flags)
{
    return transfer(pid, (struct parts){ .list = own, .count = own_count },
                    (struct parts){ .list = other, .count = other_count }, flags, false);
}

long sys_process_vm_writev(int pid, uaddr_t own, unsigned long own_count, uaddr_t other,
                           unsigned long other_count, uint64_t flags)
{
    return transfer(pid, (struct parts){ .list = own, .count = own_count },
                    (struct parts){ .list = other, .count = other_count }, flags, true);
}
