/* SPDX-License-Identifier: MIT */
/* Segments and the task-state segment. The selectors are those Linux programs see: user CS 0x33,
 * SS 0x2b; 0x23 is 32-bit code. */
#include "arch/x86/cpu/gdt.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/planted.h"
#include "arch/x86/cpu/registers.h"

#define IST_STACK_BYTES 8192

/* Intel SDM vol. 3, "64-Bit TSS Format". */
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;
} __attribute__((packed));

struct descriptor_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static uint64_t gdts[CPUS_MAX][9] __attribute__((aligned(64)));
static struct tss tsses[CPUS_MAX] __attribute__((aligned(64)));
static struct percpu percpus[CPUS_MAX];
static uint8_t boot_ist_stacks[IST_COUNT][IST_STACK_BYTES] __attribute__((aligned(16)));

#define SEGMENT_KERNEL_CODE 0x00af9b000000ffffull
#define SEGMENT_KERNEL_DATA 0x00cf93000000ffffull
#define SEGMENT_USER_CODE32 0x00cffb000000ffffull
#define SEGMENT_USER_DATA   0x00cff3000000ffffull
#define SEGMENT_USER_CODE   0x00affb000000ffffull
#define TSS_AVAILABLE       0x89ull

struct percpu *percpu_of(unsigned cpu) { return &percpus[cpu]; }

static void gdt_fill(uint64_t *gdt, const struct tss *tss)
{
    uint64_t base = (uint64_t)tss, limit = sizeof(*tss) - 1;
    gdt[KERNEL_CS / 8] = SEGMENT_KERNEL_CODE;
    gdt[KERNEL_DS / 8] = SEGMENT_KERNEL_DATA;
    gdt[USER_CS32 / 8] = SEGMENT_USER_CODE32;
    gdt[USER_DS / 8] = SEGMENT_USER_DATA;
    gdt[USER_CS / 8] = SEGMENT_USER_CODE;
    gdt[TSS_SELECTOR / 8] = limit | (base & 0xffffff) << 16 | TSS_AVAILABLE << 40
                            | (base >> 24 & 0xff) << 56;
    gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
}

static void lldt(uint16_t selector) { __asm__ volatile("lldt %0" : : "r"(selector)); }

static void gdt_load(const uint64_t *gdt)
{
    struct descriptor_pointer pointer = { sizeof(gdts[0]) - 1, (uint64_t)gdt };
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "mov %2, %%ss\n\tmov %3, %%ds\n\tmov %3, %%es\n\t"
                     "mov %3, %%fs\n\tmov %3, %%gs\n\t"
                     "ltr %w4"
                     :
                     : "m"(pointer), "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(0), "r"(TSS_SELECTOR)
                     : "rax", "memory");
}

void gdt_prepare(unsigned cpu, const uint64_t ist_tops[IST_COUNT])
{
    for (int i = 0; i < IST_COUNT; i++)
        tsses[cpu].ist[i] = ist_tops[i];
}

void gdt_init(unsigned cpu)
{
    struct tss *tss = &tsses[cpu];
    for (int i = 0; i < IST_COUNT && cpu == 0; i++)
        tss->ist[i] = (uint64_t)boot_ist_stacks[i] + IST_STACK_BYTES;
    tss->io_map = sizeof(*tss);
    gdt_fill(gdts[cpu], tss);
    gdt_load(gdts[cpu]);
    if (planted_set(true))
        lldt(0); /* no LDT: after a reset it is all of the first 64 KiB */
    percpus[cpu].self = &percpus[cpu];
    percpus[cpu].cpu_id = cpu;
    wrmsr(MSR_GS_BASE, (uint64_t)&percpus[cpu]);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
}

void gdt_set_kernel_stack(uint64_t top)
{
    percpu()->kernel_stack = top;
    tsses[percpu()->cpu_id].rsp[0] = top;
}
