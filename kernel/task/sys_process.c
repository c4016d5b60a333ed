/* SPDX-License-Identifier: MIT */
/* System calls on processes, time and identity. */
#include "base/log.h"
#include "base/string.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "mm/frame.h"
#include "uapi/errno.h"

#define NONE     (void)a, (void)b, (void)c, (void)d, (void)e, (void)f
#define NS_PER_S 1000000000ull

struct linux_timespec {
    int64_t seconds, nanoseconds;
};

/* ---- Ending and identity ------------------------------------------------ */

SYSCALL(exit)
{
    NONE;
    task_exit((int)(a & 0xff) << 8);
}

SYSCALL(exit_group)
{
    NONE;
    process_exit((int)(a & 0xff) << 8);
}

SYSCALL(getpid)
{
    NONE;
    return process_current()->pid;
}
SYSCALL(gettid)
{
    NONE;
    return task_current()->tid;
}
SYSCALL(getuid)
{
    NONE;
    return 0;
}
SYSCALL(getpgid)
{
    NONE;
    return process_current()->pid;
}
SYSCALL(setpgid)
{
    NONE;
    return 0;
}
SYSCALL(setsid)
{
    NONE;
    return process_current()->pid;
}

SYSCALL(getppid)
{
    NONE;
    return __atomic_load_n(&process_current()->parent_pid, __ATOMIC_RELAXED);
}

SYSCALL(sched_yield)
{
    NONE;
    sched_yield();
    return 0;
}

SYSCALL(set_tid_address)
{
    NONE;
    task_current()->clear_tid = a;
    return task_current()->tid;
}

/* A set of CPUs is one word: what a longer mask says beyond it is ignored, a shorter one is too
 * short, as on Linux. */
SYSCALL(sched_getaffinity)
{
    NONE;
    uint64_t cpus = 0;
    if (b < sizeof(cpus) || b % sizeof(cpus))
        return -EINVAL;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    const struct task *task = a ? task_find_locked((int)a) : task_current();
    if (task)
        cpus = __atomic_load_n(&task->affinity, __ATOMIC_RELAXED) & arch_cpus_online();
    spin_unlock_irq(&tasks_lock, irq);
    if (!task)
        return -ESRCH;
    return arch_copy_to_user(uaddr(c), &cpus, sizeof(cpus)) ? -EFAULT : (long)sizeof(cpus);
}

SYSCALL(sched_setaffinity)
{
    NONE;
    uint64_t cpus = 0;
    if (arch_copy_from_user(&cpus, uaddr(c), min_u64(b, sizeof(cpus))))
        return -EFAULT;
    if (!(cpus & arch_cpus_online()))
        return -EINVAL;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct task *task = a ? task_find_locked((int)a) : task_current();
    if (task)
        sched_set_affinity(task, cpus);
    spin_unlock_irq(&tasks_lock, irq);
    return task ? 0 : -ESRCH;
}

SYSCALL(getcpu)
{
    NONE;
    uint32_t cpu = arch_cpu_id(), node = 0;
    if (a && arch_copy_to_user(uaddr(a), &cpu, sizeof(cpu)))
        return -EFAULT;
    return b && arch_copy_to_user(uaddr(b), &node, sizeof(node)) ? -EFAULT : 0;
}

#define PR_SET_NAME 15
#define PR_GET_NAME 16

SYSCALL(prctl)
{
    NONE;
    struct task *task = task_current();
    char name[TASK_NAME_BYTES] = { 0 };
    if (a == PR_GET_NAME)
        return arch_copy_to_user(uaddr(b), task->name, sizeof(task->name)) ? -EFAULT : 0;
    if (a != PR_SET_NAME)
        return -EINVAL;
    long len = arch_strncpy_from_user(name, uaddr(b), sizeof(name));
    if (len == -EFAULT)
        return len;
    name[sizeof(name) - 1] = 0;
    memcpy(task->name, name, sizeof(name));
    return 0;
}

/* ---- Time --------------------------------------------------------------- */

static uint64_t booted_at_ns; /* [I] */

/* The RTC is read once: it is slow, and one reader at a time. */
void time_init(void) { booted_at_ns = arch_wall_clock_s() * NS_PER_S - arch_clock_ns(); }

uint64_t wall_clock_ns(void) { return booted_at_ns + arch_clock_ns(); }

int time_in(uint64_t from, uint64_t *ns)
{
    struct linux_timespec time;
    if (arch_copy_from_user(&time, uaddr(from), sizeof(time)))
        return -EFAULT;
    if (time.seconds < 0 || time.nanoseconds < 0 || (uint64_t)time.nanoseconds >= NS_PER_S)
        return -EINVAL;
    *ns = (uint64_t)time.nanoseconds + min_u64((uint64_t)time.seconds, 10000000000) * NS_PER_S;
    return 0;
}

/* CLOCK_REALTIME(_COARSE) */
static bool clock_is_wall(uint64_t clock) { return clock == 0 || clock == 5; }

static long time_out(uint64_t ns, uint64_t to)
{
    struct linux_timespec time = { (int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S) };
    return arch_copy_to_user(uaddr(to), &time, sizeof(time)) ? -EFAULT : 0;
}

SYSCALL(clock_gettime)
{
    NONE;
    if (a > 7)
        return -EINVAL;
    return time_out(clock_is_wall(a) ? wall_clock_ns() : arch_clock_ns(), b);
}

SYSCALL(gettimeofday)
{
    NONE;
    uint64_t ns = wall_clock_ns(), time[2] = { ns / NS_PER_S, ns % NS_PER_S / 1000 };
    return a && arch_copy_to_user(uaddr(a), time, sizeof(time)) ? -EFAULT : 0;
}

SYSCALL(time)
{
    NONE;
    uint64_t seconds = wall_clock_ns() / NS_PER_S;
    return a && arch_copy_to_user(uaddr(a), &seconds, sizeof(seconds)) ? -EFAULT : (long)seconds;
}

SYSCALL(times)
{
    NONE;
    uint64_t ticks[4] = { process_current()->ticks, 0, 0, 0 };
    if (a && arch_copy_to_user(uaddr(a), ticks, sizeof(ticks)))
        return -EFAULT;
    return (long)(arch_clock_ns() / (NS_PER_S / 100));
}

SYSCALL(getrusage)
{
    NONE;
    uint64_t us = process_current()->ticks * (1000000 / ARCH_TICK_HZ),
             time[2] = { us / 1000000, us % 1000000 };
    if (arch_clear_user(uaddr(b), 144) || arch_copy_to_user(uaddr(b), time, sizeof(time)))
        return -EFAULT;
    return 0;
}

/* Sleep until a time of arch_clock_ns(); what is left goes to remainder when a signal ends it
 * early. */
static long sleep_until(uint64_t deadline, uint64_t remainder)
{
    struct wait_queue queue;
    wait_queue_init(&queue);
    while (arch_clock_ns() < deadline) {
        wait_begin(&queue);
        int err = wait_sleep(deadline);
        wait_end(&queue);
        if (err == -EINTR) {
            uint64_t now = arch_clock_ns();
            if (remainder && time_out(deadline > now ? deadline - now : 0, remainder))
                return -EFAULT;
            return -EINTR;
        }
    }
    return 0;
}

static long sleep_for(uint64_t from, uint64_t remainder, bool absolute, bool wall)
{
    uint64_t ns;
    int err = time_in(from, &ns);
    if (err)
        return err;
    uint64_t now = wall ? wall_clock_ns() : arch_clock_ns();
    if (absolute)
        ns = ns > now ? ns - now : 0;
    return ns ? sleep_until(arch_clock_ns() + ns, absolute ? 0 : remainder) : 0;
}

SYSCALL(nanosleep)
{
    NONE;
    return sleep_for(a, b, false, false);
}
SYSCALL(clock_nanosleep)
{
    NONE;
    return a > 7 ? -EINVAL : sleep_for(c, d, b & 1, clock_is_wall(a));
}

/* ---- The system --------------------------------------------------------- */

SYSCALL(uname)
{
    NONE;
    /* The release is the Linux whose interface this is: C libraries refuse to start on an older
     * one. */
    static const struct {
        char text[6][65];
    } names = { {
        "Penumbra",
        "penumbra",
        "6.12.0-penumbra",
        "#1",
        "x86_64",
        "(none)",
    } };
    return arch_copy_to_user(uaddr(a), &names, sizeof(names)) ? -EFAULT : 0;
}

SYSCALL(getrandom)
{
    NONE;
    for (uint64_t done = 0; done < b;) {
        uint8_t bytes[64];
        size_t part = min_u64(sizeof(bytes), b - done);
        arch_random(bytes, part);
        if (arch_copy_to_user(uaddr(a + done), bytes, part))
            return -EFAULT;
        done += part;
    }
    return (long)b;
}

#define RLIMIT_STACK  3
#define RLIMIT_NOFILE 7
#define RLIMIT_COUNT  16

static long limit_get(uint64_t resource, uint64_t to)
{
    uint64_t limit = resource == RLIMIT_STACK    ? task_current()->mm->stack_limit
                     : resource == RLIMIT_NOFILE ? 256
                                                 : ~0ull;
    uint64_t pair[2] = { limit, limit };
    if (resource >= RLIMIT_COUNT)
        return -EINVAL;
    return arch_copy_to_user(uaddr(to), pair, sizeof(pair)) ? -EFAULT : 0;
}

SYSCALL(getrlimit)
{
    NONE;
    return limit_get(a, b);
}

SYSCALL(prlimit64)
{
    NONE;
    if (a && (int)a != process_current()->pid)
        return -ESRCH;
    if (c)
        return -EPERM; /* limits are fixed */
    return d ? limit_get(b, d) : 0;
}

SYSCALL(sysinfo)
{
    NONE;
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
    return arch_copy_to_user(uaddr(a), &info, sizeof(info)) ? -EFAULT : 0;
}

#define REBOOT_MAGIC1    0xfee1dead
#define REBOOT_RESTART   0x01234567
#define REBOOT_HALT      0xcdef0123
#define REBOOT_POWER_OFF 0x4321fedc

SYSCALL(reboot)
{
    NONE;
    if ((uint32_t)a != REBOOT_MAGIC1)
        return -EINVAL;
    switch ((uint32_t)c) {
    case REBOOT_RESTART: arch_reboot();
    case REBOOT_HALT:
    case REBOOT_POWER_OFF: arch_power_off();
    case 0: /* what ^C on a PC's keyboard does: nothing to configure */ return 0;
    default: return -EINVAL;
    }
}
