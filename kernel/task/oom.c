/* SPDX-License-Identifier: MIT */
/*
 * Out of memory: mm/ has said that a fault found no frame. The process that holds most is killed,
 * and the task that faulted waits for the memory that it leaves. Process 1 is never chosen: the
 * system ends with it.
 */
#include "arch/x86/upcalls.h"
#include "base/log.h"
#include "kernel/planted.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/wait.h"
#include "kernel/signal/restart.h"
#include "kernel/signal/signal.h"
#include "kernel/task/process.h"
#include "mm/phys/frame.h"
#include "uapi/errno.h"

#define FRAMES_ENOUGH 64            /* with more free frames, the fault failed for another reason */
#define PAUSE_NS      10000000ull   /* between two looks */
#define PATIENCE_NS   1000000000ull /* for one victim: it may wait for what the caller holds */

static uint64_t frames_free(void)
{
    struct frame_stats stats;
    frame_stats(&stats);
    return stats.free;
}

static uint64_t frames_of(struct process *process)
{
    struct mm *mm = process_mm(process);
    if (!mm)
        return 0;
    uint64_t frames = mm_resident(mm, true);
    mm_put(mm);
    return frames;
}

/* The process that holds most, with a reference; NULL when there is none but process 1. */
static struct process *victim_find(void)
{
    struct process *victim = NULL, *process;
    uint64_t most = 0;
    for (int pid = 2; (process = process_next(pid)) != NULL;) {
        pid = process->pid + 1;
        uint64_t frames = frames_of(process);
        if (frames <= most) {
            process_put(process);
            continue;
        }
        if (victim)
            process_put(victim);
        victim = process;
        most = frames;
    }
    return victim;
}

static void victim_kill(struct process *victim)
{
    if (__atomic_load_n(&victim->pending.set, __ATOMIC_RELAXED) & signal_bit(SIGKILL)
        || __atomic_load_n(&victim->exiting, __ATOMIC_RELAXED))
        return; /* another task chose a victim first */
    log_line("memory: none is left; pid %d, which holds %lu KiB, is killed for pid %d", victim->pid,
             frames_of(victim) << (PAGE_SHIFT - 10), process_current()->pid);
    process_signal(victim, SIGKILL);
}

/* Wait, for a while, until there is memory again. False: there is none, or the task is being
 * killed. */
static bool memory_wait(void)
{
    struct wait_queue nobody;
    uint64_t end = arch_clock_ns() + PATIENCE_NS;
    wait_queue_init(&nobody);
    while (frames_free() < FRAMES_ENOUGH) {
        if (wait_until(&nobody, false, arch_clock_ns() + PAUSE_NS) == -ERESTARTSYS)
            sched_yield(); /* a signal that does not kill stays pending meanwhile */
        if (arch_clock_ns() >= end || signal_fatal_due(task_current()))
            return false;
    }
    return true;
}

bool entry_out_of_memory(bool from_user)
{
    if (frames_free() >= FRAMES_ENOUGH)
        return false;
    struct process *victim = victim_find();
    if (!victim)
        return false;
    bool other = planted_other(victim != process_current());
    if (other)
        victim_kill(victim);
    process_put(victim);
    return other && (memory_wait() || (from_user && !signal_fatal_due(task_current())));
}
