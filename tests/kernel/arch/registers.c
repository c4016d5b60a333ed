/* SPDX-License-Identifier: MIT */
/* What this CPU's registers really hold. */
#include "arch/x86/arch.h"

#include "arch/x86/cpu/registers.h"

#define TSS_IO_MAP 102 /* Intel SDM vol. 3, "64-Bit TSS Format" */

static uint64_t xcr0_read(void)
{
    uint32_t low, high;
    if (!(read_cr4() & CR4_OSXSAVE))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static uint64_t ldtr_read(void)
{
    uint16_t selector;
    __asm__ volatile("sldt %0" : "=r"(selector));
    return selector;
}

/* The TSS that TR leads to. */
static const char *tss_find(uint64_t *limit)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdt;
    uint16_t tr;
    __asm__ volatile("sgdt %0" : "=m"(gdt));
    __asm__ volatile("str %0" : "=r"(tr));
    const uint64_t *descriptor = (const uint64_t *)(gdt.base + tr);
    *limit = (descriptor[0] & 0xffff) | (descriptor[0] >> 32 & 0xf0000);
    return (const char *)((descriptor[0] >> 16 & 0xffffff) | (descriptor[0] >> 32 & 0xff000000)
                          | descriptor[1] << 32);
}

static const struct {
    const char *name;
    uint32_t msr;
    bool cet; /* exists only where the CPU has shadow stacks */
} msrs[] = {
    { "efer", MSR_EFER, false },
    { "star", MSR_STAR, false },
    { "cstar", MSR_CSTAR, false },
    { "fmask", MSR_FMASK, false },
    { "pat", MSR_IA32_PAT, false },
    { "sysenter_cs", MSR_IA32_SYSENTER_CS, false },
    { "sysenter_esp", MSR_IA32_SYSENTER_ESP, false },
    { "sysenter_eip", MSR_IA32_SYSENTER_EIP, false },
    { "s_cet", MSR_IA32_S_CET, true },
    { "pl0_ssp", MSR_IA32_PL0_SSP, true },
    { "pl1_ssp", MSR_IA32_PL0_SSP + 1, true },
    { "pl2_ssp", MSR_IA32_PL0_SSP + 2, true },
    { "interrupt_ssp_table", MSR_IA32_INTERRUPT_SSP_TABLE, true },
};

size_t arch_registers_read(struct arch_register list[ARCH_REGISTERS_MAX])
{
    uint64_t tss_limit;
    const char *tss = tss_find(&tss_limit);
    const struct arch_register fixed[] = {
        { "cr0", read_cr0() },
        { "cr4", read_cr4() },
        { "cr8", read_cr8() },
        { "flags", flags_read() },
        { "dr7", read_dr7() },
        { "xcr0", xcr0_read() },
        { "ldtr", ldtr_read() },
        { "tss_limit", tss_limit },
        { "io_map", *(const uint16_t *)(tss + TSS_IO_MAP) },
    };
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        list[count++] = fixed[i];
    for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
        if (!msrs[i].cet || arch_has_shstk())
            list[count++] = (struct arch_register){ msrs[i].name, rdmsr(msrs[i].msr) };
    }
    return count;
}
