/* SPDX-License-Identifier: MIT */
/*
 * x87, SSE and AVX state of tasks. The kernel itself uses none of these registers, so they hold the
 * state of the task that ran last. It is saved with standard-format XSAVE for x87|SSE|AVX, or with
 * FXSAVE where there is no XSAVE. XSAVES is not reliable everywhere (docs/platform.md), and nothing
 * here needs it.
 */
#include "arch/x86/cpu/fpu.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/registers.h"
#include "base/string.h"

#define XCR0_WANTED   7u /* x87 | SSE | AVX */
#define FXSAVE_BYTES  512
#define FCW_DEFAULT   0x37f
#define MXCSR_DEFAULT 0x1f80

static uint32_t xsave_mask; /* 0: FXSAVE */
static uint32_t area_bytes = FXSAVE_BYTES;

void fpu_init_this(void)
{
    uint64_t cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT;
    write_cr4(xsave_mask ? cr4 | CR4_OSXSAVE : cr4);
    if (xsave_mask)
        __asm__ volatile("xsetbv" : : "c"(0), "a"(xsave_mask), "d"(0));
}

void fpu_init(void)
{
    if (cpuid(1, 0).ecx & 1u << 26)
        xsave_mask = cpuid(0xd, 0).eax & XCR0_WANTED;
    fpu_init_this();
    if (xsave_mask)
        area_bytes = cpuid(0xd, 0).ebx; /* for the components that XCR0 holds now */
}

size_t arch_fpu_bytes(void) { return area_bytes; }

void fpu_save(void *area)
{
    if (xsave_mask)
        __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(xsave_mask), "d"(0) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

void fpu_restore(const void *area)
{
    if (xsave_mask)
        __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(xsave_mask), "d"(0) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/* An area with XSTATE_BV = 0 loads every component's initial state; FCW and MXCSR are in the
 * legacy part. */
void arch_fpu_reset(struct arch_task *task)
{
    memset(task->fpu, 0, area_bytes);
    *(uint16_t *)task->fpu = FCW_DEFAULT;
    *(uint32_t *)((char *)task->fpu + 24) = MXCSR_DEFAULT;
    if (task->pid == arch_current_pid())
        fpu_restore(task->fpu);
}

void arch_fpu_fork(struct arch_task *child)
{
    /* XSAVE's header */
    memset((char *)child->fpu + FXSAVE_BYTES, 0, min_u64(64, area_bytes - FXSAVE_BYTES));
    fpu_save(child->fpu);
}
