/* SPDX-License-Identifier: MIT */
/* The resources used. */
#include "kernel/task/usage.h"

#include "kernel/sched/sched.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "uapi/errno.h"

void usage_add(struct usage *sum, const struct usage *more)
{
    used_add(&sum->user, __atomic_load_n(&more->user, __ATOMIC_RELAXED));
    used_add(&sum->system, __atomic_load_n(&more->system, __ATOMIC_RELAXED));
    used_add(&sum->faults, __atomic_load_n(&more->faults, __ATOMIC_RELAXED));
    used_add(&sum->waits, __atomic_load_n(&more->waits, __ATOMIC_RELAXED));
    used_add(&sum->preemptions, __atomic_load_n(&more->preemptions, __ATOMIC_RELAXED));
    sum->peak_frames = max_u64(sum->peak_frames, more->peak_frames);
}

void usage_hand_over(struct task *task)
{
    sched_charge();
    usage_add(&task->process->ended_used, &task->used);
    task->used = (struct usage){ 0 };
}

struct usage usage_locked(const struct process *process)
{
    struct usage usage = process->ended_used;
    list_for_each (link, &process->threads)
        usage_add(&usage, &list_entry(link, struct task, thread_link)->used);
    return usage;
}

struct usage usage_of(struct process *process, int who)
{
    sched_charge();
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct usage usage = who == RUSAGE_CHILDREN ? process->children_used
                         : who == RUSAGE_THREAD ? task_current()->used
                                                : usage_locked(process);
    if (who == RUSAGE_THREAD)
        usage.peak_frames = process->ended_used.peak_frames;
    spin_unlock_irq(&tasks_lock, irq);
    return usage;
}

void usage_note_peak(struct mm *mm, bool shared)
{
    struct process *process = process_current();
    uint64_t frames = mm_resident(mm, shared), irq = spin_lock_irq(&tasks_lock);
    process->ended_used.peak_frames = max_u64(process->ended_used.peak_frames, frames);
    spin_unlock_irq(&tasks_lock, irq);
}

/* No fault waits for a disk here: all are minor ones. */
int usage_out(const struct usage *use, uaddr_t to)
{
    uint64_t user_us = arch_cycles_ns(use->user) / 1000;
    uint64_t system_us = arch_cycles_ns(use->system) / 1000;
    struct {
        uint64_t user[2], system[2], peak_kib, unknown[3], minor_faults, others[7], waits,
            preemptions;
    } usage = {
        .user = { user_us / 1000000, user_us % 1000000 },
        .system = { system_us / 1000000, system_us % 1000000 },
        .peak_kib = use->peak_frames * (PAGE_SIZE / 1024),
        .minor_faults = use->faults,
        .waits = use->waits,
        .preemptions = use->preemptions,
    };
    return arch_copy_to_user(to, &usage, sizeof(usage)) ? -EFAULT : 0;
}

long sys_getrusage(int who, uaddr_t to)
{
    if (who < RUSAGE_CHILDREN || who > RUSAGE_THREAD)
        return -EINVAL;
    usage_note_peak(task_current()->mm, true);
    struct usage use = usage_of(process_current(), who);
    return usage_out(&use, to);
}

uint64_t usage_ticks(uint64_t cycles)
{
    return arch_cycles_ns(cycles) / (1000000000 / ARCH_TICK_HZ);
}

long sys_times(uaddr_t to)
{
    struct process *process = process_current();
    struct usage own = usage_of(process, RUSAGE_SELF);
    struct usage theirs = usage_of(process, RUSAGE_CHILDREN);
    uint64_t ticks[4] = { usage_ticks(own.user), usage_ticks(own.system), usage_ticks(theirs.user),
                          usage_ticks(theirs.system) };
    if (to.v && arch_copy_to_user(to, ticks, sizeof(ticks)))
        return -EFAULT;
    return (long)(arch_clock_ns() / (1000000000 / ARCH_TICK_HZ));
}
