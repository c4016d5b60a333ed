/* SPDX-License-Identifier: MIT */
/* Single instructions and registers, by their names in the manual. Private to arch/x86/. */
#ifndef ARCH_X86_REGISTERS_H
#define ARCH_X86_REGISTERS_H

#include "base/types.h"

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_PG (1ull << 31)

#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)
#define CR4_CET        (1ull << 23)

#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)

#define MSR_IA32_APIC_BASE           0x1b
#define MSR_IA32_SYSENTER_CS         0x174
#define MSR_IA32_SYSENTER_ESP        0x175
#define MSR_IA32_SYSENTER_EIP        0x176
#define MSR_IA32_DEBUGCTL            0x1d9
#define MSR_IA32_PAT                 0x277
#define MSR_IA32_U_CET               0x6a0
#define MSR_IA32_S_CET               0x6a2
#define MSR_IA32_PL3_SSP             0x6a7
#define MSR_IA32_PL0_SSP             0x6a4
#define MSR_IA32_INTERRUPT_SSP_TABLE 0x6a8
#define MSR_IA32_XSS                 0xda0
#define MSR_EFER                     0xc0000080
#define MSR_STAR                     0xc0000081
#define MSR_LSTAR                    0xc0000082
#define MSR_CSTAR                    0xc0000083
#define MSR_FMASK                    0xc0000084
#define MSR_FS_BASE                  0xc0000100
#define MSR_GS_BASE                  0xc0000101
#define MSR_KERNEL_GS_BASE           0xc0000102
#define MSR_TSC_AUX                  0xc0000103

/* Intel SDM vol. 3, "Debug Registers": the bits that are always 1 */
#define DR6_NONE 0xffff0ff0ull
#define DR7_NONE 0x400ull

#define RFLAGS_TF   (1ull << 8)
#define RFLAGS_IF   (1ull << 9)
#define RFLAGS_DF   (1ull << 10)
#define RFLAGS_NT   (1ull << 14)
#define RFLAGS_RF   (1ull << 16)
#define RFLAGS_AC   (1ull << 18)
#define RFLAGS_IOPL (3ull << 12)

/* What a program may change of RFLAGS: AC OF DF TF SF ZF AF PF CF RF. */
#define RFLAGS_OF_PROGRAM 0x50dd5ull

/* The general registers and RIP: what trap frames, signal frames and tracers call by one name. */
#define EACH_GENERAL_REGISTER(copy)                                                         \
    copy(r8) copy(r9) copy(r10) copy(r11) copy(r12) copy(r13) copy(r14) copy(r15) copy(rdi) \
        copy(rsi) copy(rbp) copy(rbx) copy(rdx) copy(rax) copy(rcx) copy(rsp) copy(rip)

#define KERNEL_CS    0x10
#define KERNEL_DS    0x18
#define USER_CS32    0x23
#define USER_DS      0x2b
#define USER_CS      0x33
#define TSS_SELECTOR 0x38

/* clang-format off */
#define CPU_REGISTER(name) \
    static inline uint64_t read_##name(void) \
    { uint64_t v; __asm__ volatile("mov %%" #name ", %0" : "=r"(v)); return v; } \
    static inline void write_##name(uint64_t v) \
    { __asm__ volatile("mov %0, %%" #name : : "r"(v) : "memory"); }
/* clang-format on */
CPU_REGISTER(cr0)
CPU_REGISTER(cr3)
CPU_REGISTER(cr4)
CPU_REGISTER(cr8)
CPU_REGISTER(dr6)
CPU_REGISTER(dr7)

static inline uint16_t read_ds(void)
{
    uint16_t v;
    __asm__ volatile("mov %%ds, %0" : "=r"(v));
    return v;
}
static inline uint16_t read_es(void)
{
    uint16_t v;
    __asm__ volatile("mov %%es, %0" : "=r"(v));
    return v;
}
/* Selectors that a program may load; others are #GP. */
static inline void write_ds(uint16_t v) { __asm__ volatile("mov %0, %%ds" : : "r"(v)); }
static inline void write_es(uint16_t v) { __asm__ volatile("mov %0, %%es" : : "r"(v)); }

static inline uint64_t read_cr2(void)
{
    uint64_t v;
    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

/* The same for a register that some CPUs lack, without a CPUID bit for it: if the register does not
 * exist, nothing is written. */
static inline void wrmsr_if_there(uint32_t msr, uint64_t value)
{
    __asm__ volatile("1: wrmsr\n"
                     "2:\n\t"
                     ".pushsection __ex_table, \"a\"\n\t"
                     ".quad 1b, 2b\n\t"
                     ".popsection"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t flags_read(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    return flags;
}
static inline void flags_write(uint64_t flags)
{
    __asm__ volatile("pushq %0; popfq" : : "r"(flags | 2) : "memory", "cc");
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

/* All zero for a leaf the CPU does not have. */
static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r, max;
    __asm__ volatile("cpuid"
                     : "=a"(max.eax), "=b"(max.ebx), "=c"(max.ecx), "=d"(max.edx)
                     : "a"(leaf & 0x80000000u), "c"(0));
    if (leaf > max.eax)
        return (struct cpuid){ 0, 0, 0, 0 };
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline void invlpg(uint64_t va) { __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory"); }
static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

#endif
