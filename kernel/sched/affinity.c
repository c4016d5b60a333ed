/* SPDX-License-Identifier: MIT */
/* System calls on where and when a task runs. */
#include "kernel/sched/sched.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "uapi/errno.h"

long sys_sched_yield(void)
{
    sched_yield();
    return 0;
}

/* A set of CPUs is one word. As on Linux, bits of a longer mask beyond it are ignored, and a
 * shorter mask is refused. */
long sys_sched_getaffinity(int tid, size_t size, uaddr_t to)
{
    uint64_t cpus = 0;
    if (size < sizeof(cpus) || size % sizeof(cpus))
        return -EINVAL;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    const struct task *task = tid ? task_find_locked(tid) : task_current();
    if (task)
        cpus = __atomic_load_n(&task->affinity, __ATOMIC_RELAXED) & arch_cpus_online();
    spin_unlock_irq(&tasks_lock, irq);
    if (!task)
        return -ESRCH;
    return arch_copy_to_user(to, &cpus, sizeof(cpus)) ? -EFAULT : (long)sizeof(cpus);
}

long sys_sched_setaffinity(int tid, size_t size, uaddr_t from)
{
    uint64_t cpus = 0;
    if (arch_copy_from_user(&cpus, from, min_u64(size, sizeof(cpus))))
        return -EFAULT;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct task *task = tid ? task_find_locked(tid) : task_current();
    int err = !task ? -ESRCH : cpus & arch_cpus_online() ? 0 : -EINVAL;
    if (!err)
        sched_set_affinity(task, cpus);
    spin_unlock_irq(&tasks_lock, irq);
    return err;
}

long sys_getcpu(uaddr_t cpu_to, uaddr_t node_to, uaddr_t unused)
{
    uint32_t cpu = arch_cpu_id(), node = 0;
    if (cpu_to.v && arch_copy_to_user(cpu_to, &cpu, sizeof(cpu)))
        return -EFAULT;
    return node_to.v && arch_copy_to_user(node_to, &node, sizeof(node)) ? -EFAULT : 0;
}
