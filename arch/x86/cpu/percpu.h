/* SPDX-License-Identifier: MIT */
/* What each CPU has for itself, reached through GS. Private to arch/x86/. */
#ifndef ARCH_X86_PERCPU_H
#define ARCH_X86_PERCPU_H

#include "arch/x86/arch.h"

/*
 * frame.inc mirrors the first fields.
 *
 *   [C] used by this CPU only; interrupts are off where an interrupt handler uses the field too
 *   [A] atomic: other CPUs use it as well
 *   [I] fixed once the CPU runs
 */
struct percpu {
    struct percpu *self;   /* [I] */
    uint64_t kernel_stack; /* [C] top of the running task's */
    uint64_t user_rsp;     /* [C] scratch of the SYSCALL entry */
    uint32_t user_work;    /* [A] entry_user_return() is asked for */
    uint32_t cpu_id;       /* [I] */
    struct task *task;     /* [C] */
    struct mm *mm;         /* [C] what the running task runs, NULL while idle */
    /* [C] the address space in CR3; NULL: the kernel's own table. An idle CPU keeps its last one */
    struct arch_mm *loaded;
    uint64_t generation;                  /* [C] of loaded, as far as this CPU's TLB has followed */
    uint64_t flush_from;                  /* [A] the CPUs whose flush requests wait for this one */
    int pid;                              /* [C] */
    uint32_t apic_id;                     /* [I] */
    int64_t tsc_offset;                   /* [I] tsc_now() adds it to this CPU's TSC */
    uint64_t ipis_sent;                   /* [C] */
    uint64_t faults;                      /* [C] page faults resolved */
    const struct trap_frame *fault_frame; /* [C] innermost exception taken in the kernel */
    /* [A] its answer to arch_cpus_report() */
    struct cpu_report {
        uint64_t rip, rbp;
        int pid;
        uint32_t ready;
    } report;
};
enum { REPORT_NONE, REPORT_WANTED, REPORT_READY };

struct percpu *percpu_of(unsigned cpu);

static inline struct percpu *percpu(void)
{
    struct percpu *cpu;
    __asm__("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

#endif
