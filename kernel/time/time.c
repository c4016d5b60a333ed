/* SPDX-License-Identifier: MIT */
/* The clocks and sleeping. */
#include "kernel/time/time.h"

#include "kernel/sched/wait.h"
#include "kernel/signal/restart.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/usage.h"
#include "uapi/errno.h"

#define NS_PER_S 1000000000ull

struct linux_timespec {
    int64_t seconds, nanoseconds;
};

static uint64_t booted_at_ns; /* [I] */

/* The RTC is read once: it is slow, and one reader at a time. */
void time_init(void) { booted_at_ns = arch_wall_clock_s() * NS_PER_S - arch_clock_ns(); }

uint64_t wall_clock_ns(void) { return booted_at_ns + arch_clock_ns(); }

int time_in(uaddr_t from, uint64_t *ns)
{
    struct linux_timespec time;
    if (arch_copy_from_user(&time, from, sizeof(time)))
        return -EFAULT;
    if (time.seconds < 0 || time.nanoseconds < 0 || (uint64_t)time.nanoseconds >= NS_PER_S)
        return -EINVAL;
    *ns = (uint64_t)time.nanoseconds + min_u64((uint64_t)time.seconds, 10000000000) * NS_PER_S;
    return 0;
}

static uint64_t cpu_ns(int who)
{
    struct usage use = usage_of(process_current(), who);
    return arch_cycles_ns(use.user + use.system);
}

static int clock_read(int clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: *ns = wall_clock_ns(); return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME: *ns = arch_clock_ns(); return 0;
    case CLOCK_PROCESS_CPUTIME_ID: *ns = cpu_ns(RUSAGE_SELF); return 0;
    case CLOCK_THREAD_CPUTIME_ID: *ns = cpu_ns(RUSAGE_THREAD); return 0;
    default: return -EINVAL;
    }
}

long time_out(uint64_t ns, uaddr_t to)
{
    struct linux_timespec time = { (int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S) };
    return arch_copy_to_user(to, &time, sizeof(time)) ? -EFAULT : 0;
}

long sys_clock_gettime(int clock, uaddr_t to)
{
    uint64_t ns;
    int err = clock_read(clock, &ns);
    return err ? err : time_out(ns, to);
}

/* There is one time zone, UTC. */
long sys_gettimeofday(uaddr_t to, uaddr_t zone)
{
    uint64_t ns = wall_clock_ns(), time[2] = { ns / NS_PER_S, ns % NS_PER_S / 1000 };
    if (to.v && arch_copy_to_user(to, time, sizeof(time)))
        return -EFAULT;
    return zone.v && arch_clear_user(zone, 2 * sizeof(int)) ? -EFAULT : 0;
}

long sys_time(uaddr_t to)
{
    uint64_t seconds = wall_clock_ns() / NS_PER_S;
    return to.v && arch_copy_to_user(to, &seconds, sizeof(seconds)) ? -EFAULT : (long)seconds;
}

/* Sleep until deadline_ns of arch_clock_ns(). When a signal ends the sleep early, the time left
 * goes to the address a, unless that is 0, and the sleep may go on. */
static long sleep_until(const struct restart *sleep)
{
    struct wait_queue queue;
    uint64_t deadline = sleep->deadline_ns;
    wait_queue_init(&queue);
    if (wait_until(&queue, arch_clock_ns() >= deadline, deadline) != -ERESTARTSYS)
        return 0;
    uint64_t now = arch_clock_ns();
    if (sleep->a && time_out(deadline > now ? deadline - now : 0, uaddr(sleep->a)))
        return -EFAULT;
    task_current()->signals.restart = *sleep;
    return -ERESTART_RESTARTBLOCK;
}

int clock_offset(int clock, int64_t *ns)
{
    uint64_t now;
    *ns = clock == CLOCK_REALTIME ? (int64_t)booted_at_ns : 0;
    if (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME)
        return 0;
    return clock == CLOCK_THREAD_CPUTIME_ID || clock_read(clock, &now) ? -EINVAL : -EOPNOTSUPP;
}

/* How long from now on a sleep of ns, or until ns, lasts by this clock. */
static int sleep_length(int clock, bool absolute, uint64_t *ns)
{
    int64_t offset;
    int err = clock_offset(clock, &offset);
    uint64_t now = arch_clock_ns() + (uint64_t)offset;
    if (absolute)
        *ns = *ns > now ? *ns - now : 0;
    return err;
}

/* As Linux, which does not look at the other flags. */
long sys_clock_nanosleep(int clock, int flags, uaddr_t time, uaddr_t remainder)
{
    bool absolute = flags & TIMER_ABSTIME;
    uint64_t ns;
    int err = time_in(time, &ns);
    if (!err)
        err = sleep_length(clock, absolute, &ns);
    if (err || !ns)
        return err;
    struct restart sleep = {
        .again = sleep_until,
        .deadline_ns = arch_clock_ns() + ns,
        .a = absolute ? 0 : remainder.v,
    };
    long result = sleep_until(&sleep);
    return absolute && result == -ERESTART_RESTARTBLOCK ? -ERESTARTNOHAND : result;
}

long sys_nanosleep(uaddr_t time, uaddr_t remainder)
{
    return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, time, remainder);
}
