/* SPDX-License-Identifier: MIT */
/* The interrupt descriptor table: 256 interrupt gates, four of them on stacks of their own. */
#include "arch/x86/entry/idt.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/planted.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/entry.h"

/* Intel SDM vol. 3, "64-Bit Mode IDT". */
struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};

#define GATE_INTERRUPT      0x8e
#define GATE_INTERRUPT_USER 0xee /* ring 3 may execute INT 3, INT 4 and INT 80h */

static struct gate idt[256] __attribute__((aligned(64)));

static uint8_t vector_ist(unsigned vector)
{
    switch (vector) {
    case VECTOR_DF: return 1;  /* #DF: the stack may be the reason */
    case VECTOR_NMI: return 2; /* NMI and #MC: may strike before SYSCALL's entry has a stack */
    case VECTOR_MC: return 3;
    case VECTOR_DB:
        return 4; /* #DB: MOV SS delays it past a SYSCALL, to where RSP is still the user's */
    default: return 0;
    }
}

void idt_load(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint64_t)idt };
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void idt_init(void)
{
    for (unsigned v = 0; v < 256; v++) {
        uint64_t at = planted_entry(v, trap_vectors[v]);
        uint8_t type = v == 3 || v == 4 || v == VECTOR_INT80 ? GATE_INTERRUPT_USER : GATE_INTERRUPT;
        idt[v] = (struct gate){
            (uint16_t)at,         KERNEL_CS, vector_ist(v), type, (uint16_t)(at >> 16),
            (uint32_t)(at >> 32), 0
        };
    }
    idt_load();
}
