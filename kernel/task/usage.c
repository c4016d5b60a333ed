/* SPDX-License-Identifier: MIT */
/* The resources used. */
#include "kernel/task/usage.h"

#include "kernel/fs/file.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "uapi/errno.h"

#define TICK_US (1000000 / ARCH_TICK_HZ)

int usage_out(const struct cpu_use *use, uaddr_t to)
{
    uint64_t user_us = use->user_ticks * TICK_US, system_us = use->system_ticks * TICK_US;
    struct {
        uint64_t user[2], system[2], unknown[14];
    } usage = {
        .user = { user_us / 1000000, user_us % 1000000 },
        .system = { system_us / 1000000, system_us % 1000000 },
    };
    return arch_copy_to_user(to, &usage, sizeof(usage)) ? -EFAULT : 0;
}

struct cpu_use process_children_used(struct process *process)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct cpu_use use = process->children_used;
    spin_unlock_irq(&tasks_lock, irq);
    return use;
}

struct cpu_use usage_inherit(struct process *parent, const struct process *zombie)
{
    struct cpu_use use = cpu_use_read(&zombie->used);
    use.user_ticks += zombie->children_used.user_ticks;
    use.system_ticks += zombie->children_used.system_ticks;
    parent->children_used.user_ticks += use.user_ticks;
    parent->children_used.system_ticks += use.system_ticks;
    return use;
}

#define RUSAGE_SELF     0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD   1

long sys_getrusage(int who, uaddr_t to)
{
    struct process *process = process_current();
    struct cpu_use use;
    switch (who) {
    case RUSAGE_SELF: use = cpu_use_read(&process->used); break;
    case RUSAGE_THREAD: use = cpu_use_read(&task_current()->used); break;
    case RUSAGE_CHILDREN: use = process_children_used(process); break;
    default: return -EINVAL;
    }
    return usage_out(&use, to);
}

long sys_times(uaddr_t to)
{
    struct process *process = process_current();
    struct cpu_use own = cpu_use_read(&process->used), theirs = process_children_used(process);
    uint64_t ticks[4] = { own.user_ticks, own.system_ticks, theirs.user_ticks,
                          theirs.system_ticks };
    if (to.v && arch_copy_to_user(to, ticks, sizeof(ticks)))
        return -EFAULT;
    return (long)(arch_clock_ns() / (TICK_US * 1000ull));
}
