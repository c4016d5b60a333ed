/* SPDX-License-Identifier: MIT */
/* Resource limits: getrlimit, setrlimit, prlimit64. Everybody is root, who may raise every limit,
 * and whom RLIMIT_NPROC never binds. */
#include "kernel/task/limits.h"

#include "base/string.h"
#include "kernel/fs/file.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "uapi/errno.h"

#define INFINITE (~0ull)
#define MIB      (1ull << 20)

void limits_begin(struct process *process)
{
    static const struct limit first[LIMITS] = {
        { INFINITE, INFINITE },     /* CPU */
        { INFINITE, INFINITE },     /* FSIZE */
        { INFINITE, INFINITE },     /* DATA */
        { 8 * MIB, INFINITE },      /* STACK */
        { 0, INFINITE },            /* CORE */
        { INFINITE, INFINITE },     /* RSS */
        { INFINITE, INFINITE },     /* NPROC */
        { FILES_MAX, FILES_MAX },   /* NOFILE */
        { 8 * MIB, 8 * MIB },       /* MEMLOCK */
        { INFINITE, INFINITE },     /* AS */
        { INFINITE, INFINITE },     /* LOCKS */
        { QUEUED_MAX, QUEUED_MAX }, /* SIGPENDING */
        { 819200, 819200 },         /* MSGQUEUE */
        { 0, 0 },                   /* NICE */
        { 0, 0 },                   /* RTPRIO */
        { INFINITE, INFINITE },     /* RTTIME */
    };
    memcpy(process->limits, first, sizeof(first));
}

static struct mm_limits limits_of_current(void)
{
    return (struct mm_limits){ limit_now(RLIMIT_STACK), limit_now(RLIMIT_AS),
                               limit_now(RLIMIT_DATA) };
}

void limits_init(void) { mm_limits = limits_of_current; }

/* Read a limit of process, then set it to *new unless new is NULL. */
static long limit_change(struct process *process, unsigned resource, const struct limit *new,
                         struct limit *old)
{
    if (resource >= LIMITS || (new &&new->soft > new->hard))
        return -EINVAL;
    if (new &&resource == RLIMIT_NOFILE &&new->hard > FILES_MAX)
        return -EPERM;
    uint64_t irq = spin_lock_irq(&process->lock);
    *old = process->limits[resource];
    if (new) {
        __atomic_store_n(&process->limits[resource].soft, new->soft, __ATOMIC_RELAXED);
        process->limits[resource].hard = new->hard;
    }
    spin_unlock_irq(&process->lock, irq);
    return 0;
}

long sys_prlimit64(int pid, unsigned resource, uaddr_t new, uaddr_t old)
{
    struct limit want, was;
    if (new.v && arch_copy_from_user(&want, new, sizeof(want)))
        return -EFAULT;
    struct process *process = process_find(pid ? pid : process_current()->pid);
    if (!process)
        return -ESRCH;
    long err = limit_change(process, resource, new.v ? &want : NULL, &was);
    process_put(process);
    return !err && old.v && arch_copy_to_user(old, &was, sizeof(was)) ? -EFAULT : err;
}

long sys_getrlimit(unsigned resource, uaddr_t to)
{
    struct limit was;
    long err = limit_change(process_current(), resource, NULL, &was);
    return !err && arch_copy_to_user(to, &was, sizeof(was)) ? -EFAULT : err;
}

long sys_setrlimit(unsigned resource, uaddr_t from)
{
    struct limit want, was;
    if (arch_copy_from_user(&want, from, sizeof(want)))
        return -EFAULT;
    return limit_change(process_current(), resource, &want, &was);
}
