/* SPDX-License-Identifier: MIT */
/*
 * The CPUs' TSCs may stand at different values: after a reset that not all of them saw, or because
 * the firmware wrote to some. A CPU that starts asks the boot CPU a few times what its TSC says. An
 * answer that does not lie between the CPU's own readings before and after proves a difference, and
 * the quickest answer tells it best. CPUs that cannot be told apart are left as they are.
 */
#include "arch/x86/pc/tsc.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/planted.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/pc/timer.h"
#include "base/log.h"

#define ROUNDS    16u
#define WAIT_PART 10u /* of a second, for one answer */
#define INVARIANT (1u << 8)

static struct {
    uint32_t asked, answered; /* [A] the number of the last question, and answer, since boot */
    uint64_t tsc;             /* the boot CPU's, written before answered */
} talk;

bool tsc_is_invariant(void) { return cpuid(0x80000007u, 0).edx & INVARIANT; }

static uint64_t tsc_here(void) { return planted_tsc(rdtsc()); }

uint64_t tsc_now(void) { return tsc_here() + (uint64_t)percpu()->tsc_offset; }

void tsc_answer(void)
{
    uint32_t asked = __atomic_load_n(&talk.asked, __ATOMIC_ACQUIRE);
    if (asked == talk.answered)
        return;
    talk.tsc = tsc_here();
    __atomic_store_n(&talk.answered, asked, __ATOMIC_RELEASE);
}

/* One question; false when there is no answer. One CPU starts at a time, so nobody else asks. */
static bool ask(uint64_t *before, uint64_t *theirs, uint64_t *after)
{
    uint32_t number = talk.asked + 1;
    *before = tsc_here();
    __atomic_store_n(&talk.asked, number, __ATOMIC_RELEASE);
    do {
        *after = tsc_here();
        if (*after - *before > timer_tsc_hz() / WAIT_PART)
            return false;
    } while (__atomic_load_n(&talk.answered, __ATOMIC_ACQUIRE) != number);
    *theirs = talk.tsc;
    *after = tsc_here();
    return true;
}

void tsc_follow(void)
{
    uint64_t before, theirs, after, best = ~0ull;
    int64_t offset = 0;
    for (unsigned round = 0; round < ROUNDS && ask(&before, &theirs, &after); round++) {
        if (after - before >= best)
            continue;
        best = after - before;
        bool between = theirs - before <= after - before;
        offset = between ? 0 : (int64_t)(theirs - before - best / 2);
    }
    percpu()->tsc_offset = planted_tsc_offset(offset);
    if (offset)
        log_line("time: CPU %u's TSC is %ld ticks away from the first CPU's; the clock knows",
                 arch_cpu_id(), -offset);
}
