/* SPDX-License-Identifier: MIT */
/*
 * The TSC measured against the first clock that answers plausibly: ACPI PM timer, HPET, what CPUID
 * says, PIT channel 2. A machine may lack any of them, or have it dead. CPUID is wrong on some
 * emulators: where the PIT answers and CPUID is more than a tenth off, the PIT is right.
 *
 * Nothing tells the time yet, so waits are bounded by the TSC itself: long enough at 15 GHz, and
 * not too long at 1 GHz.
 */
#include "arch/x86/pc/clocks.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/pc/acpi.h"
#include "arch/x86/pc/pci.h"
#include "base/string.h"
#include "mm/phys/kmap.h"

#define MEASURE_PART     100u         /* of a second: 10 ms */
#define MEASURE_TICKS    150000000ull /* of the TSC: no clock takes longer for 10 ms */
#define MOVES_TICKS      20000000ull  /* by then one that counts has moved */
#define PM_TIMER_HZ      3579545u
#define PIIX4_PM_ID      0x71138086u
#define PIT_HZ           1193182u
#define PIT_COMMAND      0x43
#define PIT_CHANNEL2     0x42
#define PIT_GATE         0x61
#define PIT_OUTPUT       0x20
#define HPET_ADDRESS     44 /* byte offset in the ACPI table; 40: the kind of address */
#define HPET_BYTES       0x400
#define HPET_PERIOD      1  /* 32-bit registers: femtoseconds a tick, */
#define HPET_CONFIG      4  /* bit 0: count, */
#define HPET_COUNTER     60 /* the count's low half */
#define HPET_PERIOD_MIN  100000u
#define HPET_PERIOD_MAX  100000000u
#define PLAUSIBLE_HZ_MIN 1000000ull
#define PLAUSIBLE_HZ_MAX 20000000000ull

static bool plausible(uint64_t hz) { return hz >= PLAUSIBLE_HZ_MIN && hz <= PLAUSIBLE_HZ_MAX; }

/* ---- Clocks that count -------------------------------------------------- */

struct counter {
    uint32_t (*read)(void);
    uint32_t mask; /* the bits that count */
    uint64_t hz;   /* 0: there is none */
};

/* TSC ticks a second by a counter; 0 when it does not move, or too slowly. */
static uint64_t counter_measure(const struct counter *counter)
{
    if (!counter->hz)
        return 0;
    uint64_t start = rdtsc(), ticks = 0, passed = 0, want = counter->hz / MEASURE_PART;
    uint32_t last = counter->read();
    while (passed < want) {
        uint32_t now = counter->read();
        passed += (now - last) & counter->mask;
        last = now;
        ticks = rdtsc() - start;
        if (ticks > MEASURE_TICKS || (ticks > MOVES_TICKS && !passed))
            return 0;
    }
    return ticks * counter->hz / passed;
}

static uint16_t pm_timer_port;
static uint32_t pm_timer_read(void) { return arch_inl(pm_timer_port); }

/* Its port is the FADT's, else that of a PIIX4, found by its PCI id. */
static struct counter pm_timer(void)
{
    bool wide = false;
    pm_timer_port = acpi_pm_timer_port(&wide);
    for (unsigned device = 0; !pm_timer_port && device < 32; device++) {
        if (pci_read(0, device, 3, 0) != PIIX4_PM_ID)
            continue;
        uint32_t base = pci_read(0, device, 3, 0x40) & 0xffc0;
        pm_timer_port = base ? (uint16_t)(base + 8) : 0;
    }
    return (struct counter){ pm_timer_read, wide ? 0xffffffffu : 0xffffffu,
                             pm_timer_port ? PM_TIMER_HZ : 0 };
}

static volatile uint32_t *hpet_registers;
static uint32_t hpet_read(void) { return hpet_registers[HPET_COUNTER]; }

/* Intel, "IA-PC HPET Specification": where ACPI's table says, in memory. */
static struct counter hpet(void)
{
    const char *table = acpi_table("HPET");
    uint64_t pa;
    if (!table || table[HPET_ADDRESS - 4] != 0)
        return (struct counter){ 0 };
    memcpy(&pa, table + HPET_ADDRESS, sizeof(pa));
    hpet_registers = pa ? kmap_device(paddr(pa), HPET_BYTES, KMAP_UNCACHED) : NULL;
    uint32_t period = hpet_registers ? hpet_registers[HPET_PERIOD] : 0;
    if (period < HPET_PERIOD_MIN || period > HPET_PERIOD_MAX)
        return (struct counter){ 0 };
    hpet_registers[HPET_CONFIG] |= 1;
    return (struct counter){ hpet_read, 0xffffffffu, 1000000000000000ull / period };
}

/* ---- Others ------------------------------------------------------------- */

/* By PIT channel 2 in one-shot mode, whose output shows in port 61h. 0 when the output is high at
 * once, or never rises. */
static uint64_t pit_measure(void)
{
    uint16_t count = PIT_HZ / MEASURE_PART;
    arch_outb(PIT_GATE, (arch_inb(PIT_GATE) & 0xfc) | 1);
    arch_outb(PIT_COMMAND, 0xb0);
    arch_outb(PIT_CHANNEL2, (uint8_t)count);
    arch_outb(PIT_CHANNEL2, (uint8_t)(count >> 8));
    uint64_t start = rdtsc(), ticks = 0;
    if (arch_inb(PIT_GATE) & PIT_OUTPUT)
        return 0;
    while (!(arch_inb(PIT_GATE) & PIT_OUTPUT)) {
        if (rdtsc() - start > MEASURE_TICKS)
            return 0;
    }
    ticks = rdtsc() - start;
    return ticks * PIT_HZ / count;
}

/* Intel SDM vol. 2, "CPUID": leaf 15H crystal and ratio, leaf 16H the base frequency in MHz. */
static uint64_t cpuid_tsc_hz(void)
{
    struct cpuid ratio = cpuid(0x15, 0), base = cpuid(0x16, 0);
    if (ratio.eax && ratio.ebx && ratio.ecx)
        return (uint64_t)ratio.ecx * ratio.ebx / ratio.eax;
    return (base.eax & 0xffff) * 1000000ull;
}

static bool within_a_tenth(uint64_t a, uint64_t b) { return a - a / 10 <= b && b <= a + a / 10; }

uint64_t clocks_measure_tsc(const char **clock)
{
    struct counter counter = pm_timer();
    uint64_t hz = counter_measure(&counter);
    *clock = "ACPI PM timer";
    if (plausible(hz))
        return hz;
    counter = hpet();
    hz = counter_measure(&counter);
    *clock = "HPET";
    if (plausible(hz))
        return hz;
    uint64_t said = cpuid_tsc_hz();
    hz = pit_measure();
    *clock = "CPUID";
    if (plausible(said) && (!plausible(hz) || within_a_tenth(hz, said)))
        return said;
    *clock = "PIT";
    return plausible(hz) ? hz : 0;
}
