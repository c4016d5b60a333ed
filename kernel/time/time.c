/* SPDX-License-Identifier: MIT */
/* The clocks and sleeping. */
#include "kernel/time/time.h"

#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
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

/* CLOCK_REALTIME(_COARSE) */
static bool clock_is_wall(int clock) { return clock == 0 || clock == 5; }

static long time_out(uint64_t ns, uaddr_t to)
{
    struct linux_timespec time = { (int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S) };
    return arch_copy_to_user(to, &time, sizeof(time)) ? -EFAULT : 0;
}

long sys_clock_gettime(int clock, uaddr_t to)
{
    if (clock < 0 || clock > 7)
        return -EINVAL;
    return time_out(clock_is_wall(clock) ? wall_clock_ns() : arch_clock_ns(), to);
}

long sys_gettimeofday(uaddr_t to, uaddr_t zone)
{
    uint64_t ns = wall_clock_ns(), time[2] = { ns / NS_PER_S, ns % NS_PER_S / 1000 };
    return to.v && arch_copy_to_user(to, time, sizeof(time)) ? -EFAULT : 0;
}

long sys_time(uaddr_t to)
{
    uint64_t seconds = wall_clock_ns() / NS_PER_S;
    return to.v && arch_copy_to_user(to, &seconds, sizeof(seconds)) ? -EFAULT : (long)seconds;
}

long sys_times(uaddr_t to)
{
    uint64_t ticks[4] = { process_current()->used.user_ticks, 0, 0, 0 };
    if (to.v && arch_copy_to_user(to, ticks, sizeof(ticks)))
        return -EFAULT;
    return (long)(arch_clock_ns() / (NS_PER_S / 100));
}

long sys_getrusage(int who, uaddr_t to)
{
    uint64_t us = process_current()->used.user_ticks * (1000000 / ARCH_TICK_HZ),
             time[2] = { us / 1000000, us % 1000000 };
    if (arch_clear_user(to, 144) || arch_copy_to_user(to, time, sizeof(time)))
        return -EFAULT;
    return 0;
}

/* Sleep until a time of arch_clock_ns(); what is left goes to remainder when a signal ends it
 * early. */
static long sleep_until(uint64_t deadline, uaddr_t remainder)
{
    struct wait_queue queue;
    wait_queue_init(&queue);
    if (wait_until(&queue, arch_clock_ns() >= deadline, deadline) != -EINTR)
        return 0;
    uint64_t now = arch_clock_ns();
    if (remainder.v && time_out(deadline > now ? deadline - now : 0, remainder))
        return -EFAULT;
    return -EINTR;
}

static long sleep_for(uaddr_t from, uaddr_t remainder, bool absolute, bool wall)
{
    uint64_t ns;
    int err = time_in(from, &ns);
    if (err)
        return err;
    uint64_t now = wall ? wall_clock_ns() : arch_clock_ns();
    if (absolute)
        ns = ns > now ? ns - now : 0;
    return ns ? sleep_until(arch_clock_ns() + ns, absolute ? uaddr(0) : remainder) : 0;
}

long sys_nanosleep(uaddr_t time, uaddr_t remainder)
{
    return sleep_for(time, remainder, false, false);
}
long sys_clock_nanosleep(int clock, int flags, uaddr_t time, uaddr_t remainder)
{
    return clock < 0 || clock > 7 ? -EINVAL
                                  : sleep_for(time, remainder, flags & 1, clock_is_wall(clock));
}
