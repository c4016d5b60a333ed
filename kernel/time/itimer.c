/* SPDX-License-Identifier: MIT */
/* setitimer() and alarm(): each process has one timer of each kind. */
#include "kernel/sched/sched.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "uapi/errno.h"

#define NS_PER_S 1000000000ull

void timers_init(struct process *process)
{
    static const int signals[TIMER_KINDS] = { SIGALRM, SIGVTALRM, SIGPROF };
    list_init(&process->timers);
    for (enum timer_kind kind = 0; kind < TIMER_KINDS; kind++) {
        struct timer *timer = &process->itimers[kind];
        *timer = (struct timer){ .process = process, .kind = kind, .signal = signals[kind] };
        list_init(&timer->armed_link);
    }
}

static struct setting itimer_change(int kind, const struct setting *new)
{
    sched_charge();
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct setting old = setting_change(&process_current()->itimers[kind], new, false);
    spin_unlock_irq(&tasks_lock, irq);
    return old;
}

static long itimer_out(const struct setting *setting, uaddr_t to)
{
    uint64_t value_us = setting->value_ns / 1000, interval_us = setting->interval_ns / 1000;
    if (setting->value_ns && !value_us)
        value_us = 1;
    uint64_t times[4] = { interval_us / 1000000, interval_us % 1000000, value_us / 1000000,
                          value_us % 1000000 };
    return to.v && arch_copy_to_user(to, times, sizeof(times)) ? -EFAULT : 0;
}

long sys_getitimer(int kind, uaddr_t to)
{
    if (kind < 0 || kind >= TIMER_KINDS)
        return -EINVAL;
    struct setting setting = itimer_change(kind, NULL);
    return to.v ? itimer_out(&setting, to) : -EFAULT;
}

/* No new setting stops the timer, as on Linux. */
long sys_setitimer(int kind, uaddr_t from, uaddr_t to)
{
    int64_t times[4] = { 0 };
    struct setting new;
    if (from.v && arch_copy_from_user(times, from, sizeof(times)))
        return -EFAULT;
    if (kind < 0 || kind >= TIMER_KINDS || times[0] < 0 || times[2] < 0
        || (uint64_t)times[1] >= 1000000 || (uint64_t)times[3] >= 1000000)
        return -EINVAL;
    new.value_ns = min_u64((uint64_t)times[2], NS_MAX / NS_PER_S) * NS_PER_S
                   + (uint64_t)times[3] * 1000;
    new.interval_ns = min_u64((uint64_t)times[0], NS_MAX / NS_PER_S) * NS_PER_S
                      + (uint64_t)times[1] * 1000;
    struct setting old = itimer_change(kind, &new);
    return itimer_out(&old, to);
}

/* Rounded, but never to 0 while it runs. */
long sys_alarm(unsigned seconds)
{
    struct setting new = { seconds * NS_PER_S, 0 }, old = itimer_change(TIMER_REAL, &new);
    uint64_t left = (old.value_ns + NS_PER_S / 2) / NS_PER_S;
    return left ? (long)left : old.value_ns != 0;
}

void timers_end(struct process *process)
{
    const struct setting none = { 0, 0 };
    timers_exec(process);
    for (int kind = 0; kind < TIMER_KINDS; kind++) {
        if (process->itimers[kind].armed)
            (void)itimer_change(kind, &none);
    }
}
