/* SPDX-License-Identifier: MIT */
/* Every CPU's tick watches the next CPU. A CPU that no longer ticks is reported, together with what
 * all other CPUs are doing. */
#include "kernel/sched/watchdog.h"

#include "arch/x86/arch.h"
#include "base/log.h"

#define SILENCE_SECONDS 10
#define SILENCE_TICKS   (SILENCE_SECONDS * ARCH_TICK_HZ)

/* [A] atomic  [C] its own CPU only, interrupts off */
static struct watch {
    uint64_t beats;        /* [A] ticks so far */
    uint64_t seen;         /* [C] beats of the CPU that this one watches ... */
    unsigned silent_ticks; /* [C] ... and for how long they have not changed */
} watches[CPUS_MAX];
static unsigned stuck_count; /* [A] */

unsigned watchdog_stuck_count(void) { return __atomic_load_n(&stuck_count, __ATOMIC_RELAXED); }

/* The next online CPU, in a ring; this CPU itself when there is no other. */
static unsigned neighbour(unsigned cpu)
{
    uint64_t online = arch_cpus_online();
    uint64_t above = online & (~0ull << cpu << 1);
    return (unsigned)__builtin_ctzll(above ? above : online);
}

void watchdog_begin(void) { __atomic_store_n(&watches[arch_cpu_id()].beats, 1, __ATOMIC_RELAXED); }

void watchdog_tick(void)
{
    unsigned cpu = arch_cpu_id(), other = neighbour(cpu);
    struct watch *watch = &watches[cpu];
    __atomic_store_n(&watch->beats, watch->beats + 1, __ATOMIC_RELAXED);
    uint64_t beats = __atomic_load_n(&watches[other].beats, __ATOMIC_RELAXED);
    if (beats != watch->seen || beats == 0) { /* 0: the other CPU has not begun to tick */
        watch->seen = beats;
        watch->silent_ticks = 0;
    } else if (++watch->silent_ticks == SILENCE_TICKS) {
        __atomic_add_fetch(&stuck_count, 1, __ATOMIC_RELAXED);
        log_line("watchdog: CPU %u has taken no tick for %u s", other, SILENCE_SECONDS);
        arch_cpus_report();
    }
}
