/* SPDX-License-Identifier: MIT */
/*
 * Time. The TSC counts; what it counts per second is measured against the first clock that answers
 * plausibly: the ACPI PM timer, PIT channel 2, and last CPUID 15H, which is wrong on some
 * emulators. Every wait is bounded.
 */
#include "arch/x86/pc/timer.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/idt.h"
#include "arch/x86/pc/acpi.h"
#include "arch/x86/pc/apic.h"
#include "arch/x86/pc/pci.h"
#include "base/log.h"

#define PM_TIMER_HZ      3579545u
#define PIT_HZ           1193182u
#define PIT_COMMAND      0x43
#define PIT_CHANNEL2     0x42
#define PIT_GATE         0x61
#define MEASURE_PART     100u      /* of a second: 10 ms */
#define WAIT_LIMIT       50000000u /* polls, far beyond 10 ms */
#define PLAUSIBLE_HZ_MIN 1000000ull
#define PLAUSIBLE_HZ_MAX 100000000000ull
#define DEFAULT_HZ       1000000000ull
#define PIIX4_PM_ID      0x71138086u

static uint64_t tsc_hz, tsc_start;
static uint64_t ns_per_tick_32; /* nanoseconds a tick, times 2^32 */

/* The PM timer's port: the FADT's, else that of a PIIX4, found by its PCI id; 0 when there is
 * none. */
static uint16_t pm_timer_port(bool *wide)
{
    uint16_t port = acpi_pm_timer_port(wide);
    for (unsigned device = 0; !port && device < 32; device++) {
        if (pci_read(0, device, 3, 0) == PIIX4_PM_ID) {
            uint32_t base = pci_read(0, device, 3, 0x40) & 0xffc0;
            *wide = false;
            port = base ? (uint16_t)(base + 8) : 0;
        }
    }
    return port;
}

/* TSC ticks a second by the PM timer, 0 when it does not move. */
static uint64_t measure_pm_timer(void)
{
    bool wide = false;
    uint16_t port = pm_timer_port(&wide);
    if (!port)
        return 0;
    uint32_t mask = wide ? 0xffffffffu : 0xffffffu, want = PM_TIMER_HZ / MEASURE_PART;
    uint32_t first = arch_inl(port) & mask, passed = 0;
    uint64_t start = rdtsc();
    for (uint32_t polls = 0; passed < want && polls < WAIT_LIMIT; polls++) {
        passed = ((arch_inl(port) & mask) - first) & mask;
        if (polls == 100000 && passed == 0)
            return 0;
    }
    return passed < want ? 0 : (rdtsc() - start) * PM_TIMER_HZ / passed;
}

/* The same by PIT channel 2 in one-shot mode; its output shows in bit 5 of port 61h. */
static uint64_t measure_pit(void)
{
    uint16_t count = PIT_HZ / MEASURE_PART;
    arch_outb(PIT_GATE, (arch_inb(PIT_GATE) & 0xfc) | 1);
    arch_outb(PIT_COMMAND, 0xb0);
    arch_outb(PIT_CHANNEL2, (uint8_t)count);
    arch_outb(PIT_CHANNEL2, (uint8_t)(count >> 8));
    uint64_t start = rdtsc();
    uint32_t polls = 0;
    while (!(arch_inb(PIT_GATE) & 0x20)) {
        if (++polls == WAIT_LIMIT)
            return 0;
    }
    return polls < 10 ? 0 : (rdtsc() - start) * PIT_HZ / count;
}

/* Intel SDM vol. 2, "CPUID", leaf 15H: crystal frequency and ratio. */
static uint64_t measure_cpuid(void)
{
    struct cpuid r = cpuid(0x15, 0);
    return r.eax && r.ebx && r.ecx ? (uint64_t)r.ecx * r.ebx / r.eax : 0;
}

static bool plausible(uint64_t hz) { return hz >= PLAUSIBLE_HZ_MIN && hz <= PLAUSIBLE_HZ_MAX; }

void timer_init(void)
{
    static const struct {
        const char *name;
        uint64_t (*measure)(void);
    } clocks[] = {
        { "ACPI PM timer", measure_pm_timer },
        { "PIT", measure_pit },
        { "CPUID 15H", measure_cpuid },
    };
    const char *name = "nothing that answers; 1 GHz assumed";
    tsc_hz = DEFAULT_HZ;
    for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
        uint64_t hz = clocks[i].measure();
        if (plausible(hz)) {
            tsc_hz = hz;
            name = clocks[i].name;
            break;
        }
    }
    ns_per_tick_32 = (uint64_t)(((unsigned __int128)1000000000 << 32) / tsc_hz);
    tsc_start = rdtsc();
    log_line("time: TSC at %lu kHz by the %s", (tsc_hz / 1000), name);
}

uint64_t timer_tsc_hz(void) { return tsc_hz; }

uint64_t arch_clock_ns(void)
{
    return (uint64_t)((unsigned __int128)(rdtsc() - tsc_start) * ns_per_tick_32 >> 32);
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
    for (unsigned tries = 0; rtc_read(0x0a) & 0x80; tries++) {
        if (tries == 100000)
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
