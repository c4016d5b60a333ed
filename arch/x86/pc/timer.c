/* SPDX-License-Identifier: MIT */
/* Time: the TSC, once it is known how fast it counts, and the RTC for the date. */
#include "arch/x86/pc/timer.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/idt.h"
#include "arch/x86/pc/apic.h"
#include "arch/x86/pc/clocks.h"
#include "arch/x86/pc/tsc.h"
#include "base/log.h"

#define ASSUMED_HZ  2000000000ull
#define RTC_WAIT_NS 10000000u /* an update takes 2 ms */

/* [I] but for timer_init(). Until then, and where no clock answers, the TSC is taken to run at
 * ASSUMED_HZ: good enough to bound a wait. */
static uint64_t tsc_hz = ASSUMED_HZ, tsc_start;
static uint64_t ns_per_tick_32 = (1000000000ull << 32) / ASSUMED_HZ; /* times 2^32 */
static uint64_t clock_last; /* [A] the latest that arch_clock_ns() has told */

void timer_init(void)
{
    const char *clock;
    uint64_t hz = clocks_measure_tsc(&clock);
    if (hz) {
        tsc_hz = hz;
        ns_per_tick_32 = (1000000000ull << 32) / hz;
        log_line("time: TSC at %lu kHz by the %s", hz / 1000, clock);
    } else {
        log_line("time: no clock answers; the TSC is taken to run at %lu MHz", tsc_hz / 1000000);
    }
    if (!tsc_is_invariant() && !arch_on_emulator())
        log_line("time: this CPU does not promise that its TSC keeps its speed");
    tsc_start = rdtsc();
    clock_last = 0;
}

uint64_t timer_tsc_hz(void) { return tsc_hz; }

uint64_t arch_cycles_ns(uint64_t cycles)
{
    return (uint64_t)((unsigned __int128)cycles * ns_per_tick_32 >> 32);
}

/* What has been told stays true: whatever their TSCs do, no CPU tells an earlier time. */
uint64_t arch_clock_ns(void)
{
    uint64_t now = arch_cycles_ns(tsc_now() - tsc_start);
    uint64_t last = __atomic_load_n(&clock_last, __ATOMIC_RELAXED);
    while (now > last) {
        if (__atomic_compare_exchange_n(&clock_last, &last, now, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return now;
    }
    return last;
}

void arch_delay_us(uint64_t us)
{
    uint64_t end = rdtsc() + tsc_hz / 1000000 * us;
    while ((int64_t)(rdtsc() - end) < 0)
        arch_pause();
}

void arch_timer_start(void) { apic_timer_start(ARCH_TICK_HZ, VECTOR_TIMER); }

/* ---- The RTC ------------------------------------------------------------ */

static uint8_t rtc_read(uint8_t reg)
{
    arch_outb(0x70, reg);
    return arch_inb(0x71);
}

static unsigned from_bcd(unsigned v, bool bcd) { return bcd ? (v >> 4) * 10 + (v & 15) : v; }

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
    unsigned y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
    return 365ull * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

uint64_t arch_wall_clock_s(void)
{
    uint64_t end = arch_clock_ns() + RTC_WAIT_NS;
    while (rtc_read(0x0a) & 0x80) {
        if (arch_clock_ns() > end)
            return 0;
    }
    bool bcd = !(rtc_read(0x0b) & 4);
    unsigned year = from_bcd(rtc_read(9), bcd), month = from_bcd(rtc_read(8), bcd),
             day = from_bcd(rtc_read(7), bcd);
    unsigned hour = from_bcd(rtc_read(4) & 0x7f, bcd), minute = from_bcd(rtc_read(2), bcd),
             second = from_bcd(rtc_read(0), bcd);
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23)
        return 0;
    return ((days_since_1970(2000 + year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
}
