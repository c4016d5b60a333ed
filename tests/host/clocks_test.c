/* SPDX-License-Identifier: MIT */
/* Proves: the TSC's frequency is found with any of the PC's clocks absent or dead, CPUID's figure
 * is not believed where it is more than a tenth off, and all of it takes less than a second. */
#include <stdio.h>
#include <string.h>

#define ARCH_X86_REGISTERS_H /* these stand in for what it holds */
struct cpuid {
    unsigned eax, ebx, ecx, edx;
};
static unsigned long rdtsc(void);
static struct cpuid cpuid(unsigned leaf, unsigned subleaf);

#include "../../arch/x86/pc/clocks.c"

#define PM_PORT      0x608
#define PORT_NS      1000 /* how long a port access takes, */
#define READ_NS      30   /* and another instruction */
#define HPET_HZ      25000000ull
#define FIRST_NS     123456789ull
#define SECOND       1000000000ull
#define NO_CLOCK     "none"
#define CLOCK_COUNTS 3 /* ABSENT, DEAD and GOOD */

/* ---- A machine ---------------------------------------------------------- */

enum state { ABSENT, DEAD, GOOD };
static struct {
    enum state pm, hpet, pit;
    bool fadt;          /* the PM timer is in the FADT, not that of a PIIX4 */
    uint64_t tsc_hz;    /* the true frequency */
    uint64_t cpuid_hz;  /* what CPUID says; 0: nothing */
    bool cpuid_has_15h; /* CPUID says so in leaf 15H, not 16H */
} machine;
static uint64_t now; /* ns */
static uint64_t pit_started;
static uint32_t hpet_memory[HPET_BYTES / 4];
static uint8_t hpet_table[64];

static uint64_t ticks(uint64_t hz) { return (uint64_t)((unsigned __int128)now * hz / SECOND); }

static unsigned long rdtsc(void)
{
    now += READ_NS;
    if (machine.hpet == GOOD && hpet_memory[HPET_CONFIG] & 1)
        hpet_memory[HPET_COUNTER] = (uint32_t)ticks(HPET_HZ);
    return ticks(machine.tsc_hz);
}

static struct cpuid cpuid(unsigned leaf, unsigned subleaf)
{
    (void)subleaf;
    if (leaf == 0x15 && machine.cpuid_has_15h)
        return (struct cpuid){ 200, (unsigned)(machine.cpuid_hz / 120000), 24000000, 0 };
    if (leaf == 0x16 && !machine.cpuid_has_15h)
        return (struct cpuid){ (unsigned)(machine.cpuid_hz / 1000000), 0, 0, 0 };
    return (struct cpuid){ 0, 0, 0, 0 };
}

uint16_t acpi_pm_timer_port(bool *wide)
{
    *wide = false;
    return machine.pm != ABSENT && machine.fadt ? PM_PORT : 0;
}

const void *acpi_table(const char signature[4])
{
    uint64_t pa = 0xfed00000;
    memcpy(hpet_table + HPET_ADDRESS, &pa, sizeof(pa));
    return machine.hpet != ABSENT && memcmp(signature, "HPET", 4) == 0 ? hpet_table : NULL;
}

void *kmap_device(paddr_t pa, uint64_t bytes, enum kmap_cache cache)
{
    (void)pa, (void)bytes, (void)cache;
    memset(hpet_memory, 0, sizeof(hpet_memory));
    hpet_memory[HPET_PERIOD] = (uint32_t)(1000000000000000ull / HPET_HZ);
    return hpet_memory;
}

uint32_t pci_read(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
    now += 2 * PORT_NS;
    if (bus || device != 1 || function != 3 || machine.pm == ABSENT || machine.fadt)
        return 0xffffffffu;
    return offset == 0 ? PIIX4_PM_ID : PM_PORT - 8;
}

uint32_t arch_inl(uint16_t port)
{
    now += PORT_NS;
    return machine.pm == GOOD && port == PM_PORT ? (uint32_t)ticks(PM_TIMER_HZ) & 0xffffff : 0;
}

void arch_outb(uint16_t port, uint8_t value)
{
    now += PORT_NS;
    if (port == PIT_CHANNEL2)
        pit_started = now;
    (void)value;
}

uint8_t arch_inb(uint16_t port)
{
    now += PORT_NS;
    if (port != PIT_GATE || machine.pit == ABSENT)
        return 0xff;
    return machine.pit == GOOD && now - pit_started >= SECOND / MEASURE_PART ? PIT_OUTPUT : 0;
}

/* ---- Tests -------------------------------------------------------------- */

/* The clock by which this machine's TSC should be measured. */
static const char *expected(void)
{
    bool believable = machine.pit != GOOD || within_a_tenth(machine.tsc_hz, machine.cpuid_hz);
    return machine.pm == GOOD               ? "ACPI PM timer"
           : machine.hpet == GOOD           ? "HPET"
           : machine.cpuid_hz && believable ? "CPUID"
           : machine.pit == GOOD            ? "PIT"
                                            : NO_CLOCK;
}

static bool measures_right(void)
{
    const char *clock = NULL, *expect = expected();
    now = FIRST_NS;
    uint64_t hz = clocks_measure_tsc(&clock), took = now - FIRST_NS;
    clock = hz ? clock : NO_CLOCK;
    uint64_t truth = strcmp(expect, "CPUID") == 0 ? machine.cpuid_hz : machine.tsc_hz,
             off = hz > truth ? hz - truth : truth - hz;
    if (strcmp(clock, expect) != 0 || (hz && off > truth / 200) || took > SECOND)
        return diagnose("pm %d hpet %d pit %d, TSC at %lu, CPUID says %lu: expect %s, saw %s, %lu "
                        "Hz, after %lu ms",
                        machine.pm, machine.hpet, machine.pit, machine.tsc_hz, machine.cpuid_hz,
                        expect, clock, hz, took / 1000000);
    return true;
}

/* Try every machine with this TSC. CPUID states `percent` of the true frequency. */
static bool all_machines(uint64_t tsc_hz, unsigned percent)
{
    bool fine = true;
    for (unsigned i = 0; i < CLOCK_COUNTS * CLOCK_COUNTS * CLOCK_COUNTS * 4; i++) {
        machine.fadt = i & 1;
        machine.cpuid_has_15h = i & 2;
        machine.pm = i / 4 % CLOCK_COUNTS;
        machine.hpet = i / 4 / CLOCK_COUNTS % CLOCK_COUNTS;
        machine.pit = i / 4 / CLOCK_COUNTS / CLOCK_COUNTS;
        machine.tsc_hz = tsc_hz;
        machine.cpuid_hz = tsc_hz / 100 * percent;
        fine = measures_right() && fine;
    }
    return fine;
}

static bool all_speeds(unsigned percent)
{
    return all_machines(804000000, percent) && all_machines(2400000000, percent)
           && all_machines(6000000000, percent);
}

static bool clocks_are_found_in_order(void) { return all_speeds(100); }
static bool clocks_are_found_without_cpuid(void) { return all_speeds(0); }
static bool cpuid_a_little_off_is_believed(void) { return all_speeds(95); }
static bool cpuid_far_off_is_not_believed(void) { return all_speeds(80) && all_speeds(200); }

int main(void)
{
    plan(4);
    result("clocks_are_found_in_order", clocks_are_found_in_order());
    result("clocks_are_found_without_cpuid", clocks_are_found_without_cpuid());
    result("cpuid_a_little_off_is_believed", cpuid_a_little_off_is_believed());
    result("cpuid_far_off_is_not_believed", cpuid_far_off_is_not_believed());
    return suite_status();
}
