/* SPDX-License-Identifier: MIT */
/* ISA interrupt lines: through the I/O APIC where one answers, else through the two 8259s. */
#include "arch/x86/pc/irq.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/idt.h"
#include "arch/x86/pc/apic.h"
#include "mm/phys/kmap.h"

#define IOAPIC_PA         0xfec00000ull
#define IOAPIC_VERSION    1
#define IOAPIC_ENTRY(pin) (0x10 + 2 * (pin))
#define IOAPIC_MASKED     (1u << 16)
#define PIC1              0x20
#define PIC2              0xa0
#define ISA_LINES         16

static volatile uint32_t *ioapic; /* NULL: the 8259s */
static void (*handlers[ISA_LINES])(void);

static uint32_t ioapic_read(unsigned reg)
{
    ioapic[0] = reg;
    return ioapic[4];
}

static void ioapic_write(unsigned reg, uint32_t value)
{
    ioapic[0] = reg;
    ioapic[4] = value;
}

/* Move the 8259s' vectors out of the exceptions' way, and mask all their lines. */
static void pic_init(void)
{
    arch_outb(PIC1, 0x11);
    arch_outb(PIC2, 0x11);
    arch_outb(PIC1 + 1, VECTOR_ISA_BASE);
    arch_outb(PIC2 + 1, VECTOR_ISA_BASE + 8);
    arch_outb(PIC1 + 1, 4);
    arch_outb(PIC2 + 1, 2);
    arch_outb(PIC1 + 1, 1);
    arch_outb(PIC2 + 1, 1);
    arch_outb(PIC1 + 1, 0xff);
    arch_outb(PIC2 + 1, 0xff);
}

void irq_init(void)
{
    pic_init();
    ioapic = kmap_device(paddr(IOAPIC_PA), PAGE_SIZE, KMAP_UNCACHED);
    if (!ioapic)
        return;
    uint32_t version = ioapic_read(IOAPIC_VERSION);
    unsigned pins = (version >> 16 & 0xff) + 1;
    if (version == 0 || version == 0xffffffffu || pins < ISA_LINES) {
        ioapic = NULL;
        return;
    }
    for (unsigned pin = 0; pin < pins; pin++)
        ioapic_write(IOAPIC_ENTRY(pin), IOAPIC_MASKED);
}

void arch_irq_register(unsigned isa_line, void (*handler)(void))
{
    if (isa_line >= ISA_LINES)
        return;
    handlers[isa_line] = handler;
    if (ioapic) {
        ioapic_write(IOAPIC_ENTRY(isa_line) + 1, apic_id() << 24);
        ioapic_write(IOAPIC_ENTRY(isa_line), VECTOR_ISA_BASE + isa_line);
    } else {
        uint16_t port = isa_line < 8 ? PIC1 + 1 : PIC2 + 1;
        arch_outb(port, arch_inb(port) & (uint8_t) ~(1u << (isa_line & 7)));
        if (isa_line >= 8)
            arch_outb(PIC1 + 1, arch_inb(PIC1 + 1) & (uint8_t) ~(1u << 2));
    }
}

void irq_dispatch(unsigned vector)
{
    unsigned line = vector - VECTOR_ISA_BASE;
    if (handlers[line])
        handlers[line]();
    if (ioapic) {
        apic_eoi();
    } else {
        if (line >= 8)
            arch_outb(PIC2, 0x20);
        arch_outb(PIC1, 0x20);
    }
}
