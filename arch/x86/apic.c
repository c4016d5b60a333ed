/* SPDX-License-Identifier: MIT */
/* The local APIC: end of interrupt and the periodic timer, through memory or, where it is on already, x2APIC MSRs. */
#include "arch/x86/cpu.h"
#include "arch/x86/x86.h"
#include "base/log.h"
#include "base/panic.h"
#include "mm/kmap.h"

/* Intel SDM vol. 3, "Local APIC Register Address Map". */
#define APIC_ID          0x020
#define APIC_EOI         0x0b0
#define APIC_SPURIOUS    0x0f0
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

static volatile uint32_t *registers;    /* NULL: x2APIC */
static bool x2apic;

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

void apic_init(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
    if (!(base & APIC_BASE_ENABLE))
        wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_ENABLE);
    x2apic = base & APIC_BASE_X2;
    if (!x2apic) {
        registers = kmap_device(paddr(base & 0x000ffffffffff000ull), PAGE_SIZE, KMAP_UNCACHED);
        if (!registers)
            panic("no memory to map the local APIC");
    }
    apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);     /* the firmware leaves the 8259 connected here */
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

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
    uint32_t ticks = timer_ticks_10ms();
    uint32_t initial = (uint32_t)((uint64_t)ticks * 100 / hz);
    apic_write(APIC_LVT_TIMER, LVT_PERIODIC | vector);
    apic_write(APIC_TIMER_INIT, initial ? initial : 1);
}
