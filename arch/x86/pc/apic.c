/* SPDX-License-Identifier: MIT */
/*
 * The local APIC: end of interrupt, the periodic timer, interrupts to other CPUs. It is reached
 * through memory, or through MSRs where the firmware, or "x2apic" on the command line, has switched
 * x2APIC mode on. All CPUs use the same mode.
 */
#include "arch/x86/pc/apic.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/idt.h"
#include "base/log.h"
#include "base/panic.h"
#include "mm/phys/kmap.h"

/* Intel SDM vol. 3, "Local APIC Register Address Map". */
#define APIC_ID          0x020
#define APIC_EOI         0x0b0
#define APIC_SPURIOUS    0x0f0
#define APIC_ICR_LOW     0x300
#define APIC_ICR_HIGH    0x310
#define APIC_LVT_TIMER   0x320
#define APIC_LVT_LINT0   0x350
#define APIC_LVT_ERROR   0x370
#define APIC_TIMER_INIT  0x380
#define APIC_TIMER_NOW   0x390
#define APIC_TIMER_DIV   0x3e0
#define LVT_MASKED       (1u << 16)
#define LVT_PERIODIC     (1u << 17)
#define SPURIOUS_ENABLE  (1u << 8)
#define APIC_DIVIDE_16   3
#define APIC_BASE_X2     (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define X2APIC_MSR       0x800
#define ICR_SEND_PENDING (1u << 12)
#define ICR_WAIT_NS      10000000u
#define CPUID_X2APIC     (1u << 21) /* leaf 1, ECX */

static volatile uint32_t *registers; /* NULL: x2APIC */
static bool x2apic;
/* counts between two ticks; measured once, for the timers of all CPUs run alike */
static uint32_t timer_initial;

static uint32_t apic_read(unsigned reg)
{
    return x2apic ? (uint32_t)rdmsr(X2APIC_MSR + (reg >> 4)) : registers[reg / 4];
}

static void apic_write(unsigned reg, uint32_t value)
{
    if (x2apic)
        wrmsr(X2APIC_MSR + (reg >> 4), value);
    else
        registers[reg / 4] = value;
}

bool apic_is_x2(void) { return x2apic; }
uint32_t apic_id(void) { return x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24; }
void apic_eoi(void) { apic_write(APIC_EOI, 0); }

void apic_init_this(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_ENABLE;
    wrmsr(MSR_IA32_APIC_BASE, base);
    if (x2apic) /* can be entered only from the enabled state: Intel SDM vol. 3, "x2APIC State
                   Transitions" */
        wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_X2);
    apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_LVT_LINT0, LVT_MASKED); /* the firmware leaves the 8259 connected here */
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    apic_write(APIC_LVT_TIMER, LVT_MASKED);
    percpu()->apic_id = apic_id();
}

void apic_init(bool want_x2)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
    bool can_x2 = cpuid(1, 0).ecx & CPUID_X2APIC;
    if (want_x2 && can_x2) {
        wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_ENABLE);
        wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2);
    }
    /* an emulator without that mode ignores the write */
    x2apic = rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_X2;
    if (want_x2 && !x2apic)
        log_line("apic: this CPU has no x2APIC mode");
    if (!x2apic) {
        registers = kmap_device(paddr(base & 0x000ffffffffff000ull), PAGE_SIZE, KMAP_UNCACHED);
        if (!registers)
            panic("no memory to map the local APIC");
    }
    apic_init_this();
}

/* ---- To other CPUs ------------------------------------------------------ */

/* The last command has not left yet: wait until it has, but not for ever. */
static void icr_wait(void)
{
    uint64_t end = arch_clock_ns() + ICR_WAIT_NS;
    while (apic_read(APIC_ICR_LOW) & ICR_SEND_PENDING && arch_clock_ns() < end)
        __asm__ volatile("pause");
}

/* Write the interrupt command register; command is its low half. Interrupts off. */
void apic_command(uint32_t to, uint32_t command)
{
    if (x2apic) {
        /* unlike a store to the register in memory, WRMSR does not wait for earlier stores */
        __asm__ volatile("mfence; lfence" : : : "memory");
        wrmsr(X2APIC_MSR + (APIC_ICR_LOW >> 4), (uint64_t)to << 32 | command);
        return;
    }
    if (apic_read(APIC_ICR_LOW) & ICR_SEND_PENDING)
        icr_wait();
    apic_write(APIC_ICR_HIGH, to << 24);
    apic_write(APIC_ICR_LOW, command);
}

void apic_send(uint64_t cpus, uint32_t command)
{
    uint64_t irq = arch_irq_save();
    unsigned cpu;
    for_each_cpu (cpu, cpus) {
        apic_command(percpu_of(cpu)->apic_id, command);
        percpu()->ipis_sent++;
    }
    arch_irq_restore(irq);
}

/* ---- The timer ---------------------------------------------------------- */

/* Ticks the timer counts in ten milliseconds, measured against the calibrated TSC. */
static uint32_t timer_ticks_10ms(void)
{
    apic_write(APIC_TIMER_DIV, APIC_DIVIDE_16);
    apic_write(APIC_LVT_TIMER, LVT_MASKED);
    apic_write(APIC_TIMER_INIT, 0xffffffffu);
    arch_delay_us(10000);
    return 0xffffffffu - apic_read(APIC_TIMER_NOW);
}

void apic_timer_start(unsigned hz, unsigned vector)
{
    if (!timer_initial)
        timer_initial = max_u32((uint32_t)((uint64_t)timer_ticks_10ms() * 100 / hz), 1);
    apic_write(APIC_TIMER_DIV, APIC_DIVIDE_16);
    apic_write(APIC_LVT_TIMER, LVT_PERIODIC | vector);
    apic_write(APIC_TIMER_INIT, timer_initial);
}
