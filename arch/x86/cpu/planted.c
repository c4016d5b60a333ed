/* SPDX-License-Identifier: MIT */
/* The mistakes that planted.h can make in the test build, each with what comes of it. Empty
 * elsewhere. */
#include "arch/x86/cpu/planted.h"

#ifdef CONFIG_TEST
#include "arch/x86/cpu/registers.h"
#include "base/defect.h"

/* fpu_not_switched: a task finds another one's vector registers. Process 1 is spared, as by every
 * defect. */
bool planted_fpu(int pid, bool restore)
{
    return restore && (pid == 1 || !defect_on(DEFECT_FPU_NOT_SWITCHED));
}

/* ssp_not_switched: a task goes on with another one's SSP, and its next RET fails. */
uint64_t planted_ssp(int pid, uint64_t ssp)
{
    return pid != 1 && defect_on(DEFECT_SSP_NOT_SWITCHED) ? rdmsr(MSR_IA32_PL3_SSP) : ssp;
}

/* no_shootdown: other CPUs go on using translations that the tables no longer allow. */
uint64_t planted_shootdown(uint64_t cpus) { return defect_on(DEFECT_NO_SHOOTDOWN) ? 0 : cpus; }

/* cpu_silent: a CPU that ACPI names never comes. */
bool planted_startup(bool send) { return send && !defect_on(DEFECT_CPU_SILENT); }
#endif
