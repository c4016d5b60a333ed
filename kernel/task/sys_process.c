/* SPDX-License-Identifier: MIT */
/* System calls on identity, limits and the system as a whole. */
#include "base/log.h"
#include "base/string.h"
#include "base/version.h"
#include "kernel/sched/sched.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/exit.h"
#include "kernel/task/process.h"
#include "mm/frame.h"
#include "uapi/errno.h"

#define NS_PER_S 1000000000ull

/* ---- Ending and identity ------------------------------------------------ */

long sys_exit(int status) { task_exit(status_exited(status)); }

long sys_exit_group(int status) { process_exit(status_exited(status)); }

long sys_getpid(void) { return process_current()->pid; }
long sys_gettid(void) { return task_current()->tid; }
long sys_getuid(void) { return 0; }
long sys_getpgid(int pid) { return process_current()->pid; }
long sys_getgid(void) { return 0; }
long sys_geteuid(void) { return 0; }
long sys_getegid(void) { return 0; }
long sys_getpgrp(void) { return process_current()->pid; }
long sys_getsid(int pid) { return process_current()->pid; }
long sys_setpgid(int pid, int group) { return 0; }
long sys_setsid(void) { return process_current()->pid; }

long sys_getppid(void) { return __atomic_load_n(&process_current()->parent_pid, __ATOMIC_RELAXED); }

long sys_sched_yield(void)
{
    sched_yield();
    return 0;
}

long sys_set_tid_address(uaddr_t to)
{
    task_current()->clear_tid = to;
    return task_current()->tid;
}

/* A set of CPUs is one word: what a longer mask says beyond it is ignored, a shorter one is too
 * short, as on Linux. */
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
    if (!(cpus & arch_cpus_online()))
        return -EINVAL;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct task *task = tid ? task_find_locked(tid) : task_current();
    if (task)
        sched_set_affinity(task, cpus);
    spin_unlock_irq(&tasks_lock, irq);
    return task ? 0 : -ESRCH;
}

long sys_getcpu(uaddr_t cpu_to, uaddr_t node_to, uaddr_t unused)
{
    uint32_t cpu = arch_cpu_id(), node = 0;
    if (cpu_to.v && arch_copy_to_user(cpu_to, &cpu, sizeof(cpu)))
        return -EFAULT;
    return node_to.v && arch_copy_to_user(node_to, &node, sizeof(node)) ? -EFAULT : 0;
}

#define PR_SET_NAME 15
#define PR_GET_NAME 16

long sys_prctl(int option, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    struct task *task = task_current();
    char name[TASK_NAME_BYTES] = { 0 };
    if (option == PR_GET_NAME)
        return arch_copy_to_user(uaddr(b), task->name, sizeof(task->name)) ? -EFAULT : 0;
    if (option != PR_SET_NAME)
        return -EINVAL;
    long len = arch_strncpy_from_user(name, uaddr(b), sizeof(name));
    if (len == -EFAULT)
        return len;
    name[sizeof(name) - 1] = 0;
    memcpy(task->name, name, sizeof(name));
    return 0;
}

/* ---- The system --------------------------------------------------------- */

long sys_uname(uaddr_t to)
{
    /* The release is the Linux whose interface this is: C libraries refuse to start on an older
     * one. */
    static const struct {
        char text[6][65];
    } names = { {
        "Penumbra",
        "penumbra",
        "6.12.0-penumbra",
        PENUMBRA_VERSION,
        "x86_64",
        "(none)",
    } };
    return arch_copy_to_user(to, &names, sizeof(names)) ? -EFAULT : 0;
}

#define GRND_NONBLOCK 1u
#define GRND_RANDOM   2u
#define GRND_INSECURE 4u

/* What was written before the end of the buffer's memory, or of the task's life, counts. */
long sys_getrandom(uaddr_t to, size_t len, unsigned flags)
{
    size_t done = 0;
    if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)
        || (flags & GRND_RANDOM && flags & GRND_INSECURE))
        return -EINVAL;
    for (len = min_u64(len, INT32_MAX); done < len;) {
        uint8_t bytes[64];
        size_t part = min_u64(sizeof(bytes), len - done);
        arch_random(bytes, part);
        if (arch_copy_to_user(uaddr(to.v + done), bytes, part))
            return done ? (long)done : -EFAULT;
        done += part;
        if (done % PAGE_SIZE == 0 && task_breathe())
            return (long)done;
    }
    return (long)done;
}

#define RLIMIT_STACK  3
#define RLIMIT_NOFILE 7
#define RLIMIT_COUNT  16

static long limit_get(unsigned resource, uaddr_t to)
{
    uint64_t limit = resource == RLIMIT_STACK    ? task_current()->mm->stack_limit
                     : resource == RLIMIT_NOFILE ? 256
                                                 : ~0ull;
    uint64_t pair[2] = { limit, limit };
    if (resource >= RLIMIT_COUNT)
        return -EINVAL;
    return arch_copy_to_user(to, pair, sizeof(pair)) ? -EFAULT : 0;
}

long sys_getrlimit(unsigned resource, uaddr_t to) { return limit_get(resource, to); }

long sys_prlimit64(int pid, unsigned resource, uaddr_t new, uaddr_t old)
{
    if (pid && pid != process_current()->pid)
        return -ESRCH;
    if (new.v)
        return -EPERM; /* limits are fixed */
    return old.v ? limit_get(resource, old) : 0;
}

long sys_sysinfo(uaddr_t to)
{
    struct frame_stats stats;
    frame_stats(&stats);
    struct {
        int64_t uptime;
        uint64_t loads[3], total, free, shared, buffer, swap_total, swap_free;
        uint16_t processes, pad;
        uint64_t high_total, high_free;
        uint32_t unit;
        char tail[4];
    } info = { .uptime = (int64_t)(arch_clock_ns() / NS_PER_S),
               .total = stats.total * PAGE_SIZE,
               .free = stats.free * PAGE_SIZE,
               .unit = 1 };
    return arch_copy_to_user(to, &info, sizeof(info)) ? -EFAULT : 0;
}

#define REBOOT_MAGIC1    0xfee1dead
#define REBOOT_RESTART   0x01234567
#define REBOOT_HALT      0xcdef0123
#define REBOOT_POWER_OFF 0x4321fedc

long sys_reboot(int magic1, int magic2, unsigned command, uaddr_t text)
{
    if ((uint32_t)magic1 != REBOOT_MAGIC1)
        return -EINVAL;
    switch (command) {
    case REBOOT_RESTART: arch_reboot();
    case REBOOT_HALT:
    case REBOOT_POWER_OFF: arch_power_off();
    case 0: /* what ^C on a PC's keyboard does: nothing to configure */ return 0;
    default: return -EINVAL;
    }
}
