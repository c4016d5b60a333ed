/* SPDX-License-Identifier: MIT */
/* The mistakes that planted.h can make, each with its consequence. */
#include "arch/x86/cpu/planted.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/entry.h"
#include "arch/x86/entry/idt.h"
#include "base/defect.h"

/* fpu_not_switched: a task finds another task's vector registers. Process 1 is spared, as by every
 * defect. */
bool planted_fpu(int pid, bool restore)
{
    return restore && (pid == 1 || !defect_on(DEFECT_FPU_NOT_SWITCHED));
}

/* ssp_not_switched: a task goes on with another task's SSP, and its next RET fails. */
uint64_t planted_ssp(int pid, uint64_t ssp)
{
    return pid != 1 && defect_on(DEFECT_SSP_NOT_SWITCHED) ? rdmsr(MSR_IA32_PL3_SSP) : ssp;
}

/* no_shootdown: other CPUs keep using translations that the tables no longer allow. */
uint64_t planted_shootdown(uint64_t cpus) { return defect_on(DEFECT_NO_SHOOTDOWN) ? 0 : cpus; }

/* cpu_silent: a CPU that ACPI names never starts. */
bool planted_startup(bool send) { return send && !defect_on(DEFECT_CPU_SILENT); }

/* ist_by_cs, nmi_does_work, return_not_mended: planted_entry.asm names their consequences. */
uint64_t planted_entry(unsigned vector, uint64_t entry)
{
    return vector == VECTOR_NMI  ? (uint64_t)planted_nmi_entry
           : vector == VECTOR_GP ? (uint64_t)planted_gp_entry
                                 : entry;
}

/* nmi_does_work: there is work whenever an NMI strikes. */
uint64_t planted_nmi(uint64_t cpus)
{
    unsigned cpu;
    for_each_cpu (cpu, defect_on(DEFECT_NMI_DOES_WORK) ? cpus : 0)
        __atomic_store_n(&percpu_of(cpu)->user_work, 1, __ATOMIC_SEQ_CST);
    return cpus;
}

/* reset_values: only CPUs that start later than the command line is read. This runs before the CPU
 * knows itself. */
bool planted_set(bool set) { return set && defect_current != DEFECT_RESET_VALUES; }

/* tsc_apart, tsc_trusted: CPUs whose TSCs differ, as if they had been switched on at different
 * times. With tsc_trusted the clock jumps from CPU to CPU. */
uint64_t planted_tsc(uint64_t tsc)
{
    bool apart = defect_current == DEFECT_TSC_APART || defect_current == DEFECT_TSC_TRUSTED;
    return apart && arch_cpu_id() != 0 ? tsc + (1ull << 40) : tsc;
}

int64_t planted_tsc_offset(int64_t offset)
{
    return defect_current == DEFECT_TSC_TRUSTED ? 0 : offset;
}

/* sigreturn_keeps_flags: a signal frame gives its program the right to use ports. */
uint64_t planted_flags(uint64_t settable)
{
    return settable | (defect_on(DEFECT_SIGRETURN_KEEPS_FLAGS) ? RFLAGS_IOPL : 0);
}
