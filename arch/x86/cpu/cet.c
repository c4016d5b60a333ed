/* SPDX-License-Identifier: MIT */
/*
 * Control-flow enforcement: detection, and the user shadow stack's MSRs. Whether it is on is one
 * flag here; nothing is derived from XSAVES. The MSRs belong to the task that runs and are switched
 * one by one (docs/platform.md says why not XSAVES).
 */
#include "arch/x86/cpu/cet.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/planted.h"
#include "arch/x86/cpu/registers.h"
#include "base/log.h"

#define U_CET_TRACKER (3ull << 10) /* SUPPRESS and TRACKER of the indirect-branch tracker */

static bool shstk_on;

bool arch_has_shstk(void) { return shstk_on; }

/* CR4.CET can be set only while CR0.WP is, and control.c has set that. */
void cet_init_this(void)
{
    if (!shstk_on)
        return;
    write_cr4(read_cr4() | CR4_CET);
    wrmsr(MSR_IA32_S_CET, 0);
    wrmsr(MSR_IA32_U_CET, 0);
    wrmsr(MSR_IA32_PL3_SSP, 0);
    for (uint32_t level = 0; level < 3; level++)
        wrmsr(MSR_IA32_PL0_SSP + level, 0);
    wrmsr(MSR_IA32_INTERRUPT_SSP_TABLE, 0);
}

/* Why there are no shadow stacks. A hypervisor (CPUID.1:ECX[31]) may hide a feature that the CPU
 * has. */
static const char *absence(bool present)
{
    if (present)
        return "switched off by shstk=off";
    if (cpuid(1, 0).ecx & 1u << 31)
        return "the hypervisor or emulator shows a CPU without them (CPUID.7.0:ECX[7] = 0)";
    return "this CPU has none (CPUID.7.0:ECX[7] = 0)";
}

void cet_init(bool wanted)
{
    bool present = cpuid(7, 0).ecx & 1u << 7, ibt = cpuid(7, 0).edx & 1u << 20;
    if (!present || !wanted) {
        log_line("cet: no shadow stacks: %s", absence(present));
        return;
    }
    shstk_on = true;
    cet_init_this();
    log_line("cet: CR4.CET on, user shadow stacks available%s", ibt ? ", CPU has IBT" : "");
}

void arch_shstk_read(uint64_t *u_cet, uint64_t *ssp)
{
    *u_cet = shstk_on ? rdmsr(MSR_IA32_U_CET) : 0;
    *ssp = shstk_on ? rdmsr(MSR_IA32_PL3_SSP) : 0;
}

void arch_shstk_write(uint64_t u_cet, uint64_t ssp)
{
    if (!shstk_on)
        return;
    wrmsr(MSR_IA32_U_CET, u_cet);
    wrmsr(MSR_IA32_PL3_SSP, ssp);
}

void cet_switch(struct arch_task *prev, struct arch_task *next)
{
    if (!shstk_on)
        return;
    arch_shstk_read(&prev->u_cet, &prev->user_ssp);
    if (next->u_cet != prev->u_cet)
        wrmsr(MSR_IA32_U_CET, next->u_cet);
    wrmsr(MSR_IA32_PL3_SSP, planted_ssp(next->pid, next->user_ssp));
}

/* A missing ENDBRANCH leaves the tracker waiting for one: the task's next instruction would fault
 * again. */
void cet_after_control_protection(const struct trap_frame *frame)
{
    if ((frame->error & CP_ERROR_MASK) == CP_ENDBRANCH)
        wrmsr(MSR_IA32_U_CET, rdmsr(MSR_IA32_U_CET) & ~U_CET_TRACKER);
}
