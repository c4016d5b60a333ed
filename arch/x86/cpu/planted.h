/* SPDX-License-Identifier: MIT */
/* The seam for planted defects in arch/x86/, as mm/planted.h is for mm/: each hook hands its
 * argument back; only the test build's planted.c does otherwise. */
#ifndef ARCH_X86_CPU_PLANTED_H
#define ARCH_X86_CPU_PLANTED_H

#include "base/types.h"

#ifdef CONFIG_TEST
/* task switch to the task pid: is the FPU's state to be restored; the SSP to restore */
bool planted_fpu(int pid, bool restore);
uint64_t planted_ssp(int pid, uint64_t ssp);
/* the CPUs that are told of a flush */
uint64_t planted_shootdown(uint64_t cpus);
/* is the CPU sent its start-up interrupt */
bool planted_startup(bool send);
/* the entry of an exception or interrupt */
uint64_t planted_entry(unsigned vector, uint64_t entry);
/* the CPUs that an NMI is sent to */
uint64_t planted_nmi(uint64_t cpus);
/* what RDTSC says on this CPU; the difference found between this TSC and the first CPU's */
uint64_t planted_tsc(uint64_t tsc);
int64_t planted_tsc_offset(int64_t offset);
/* gdt, control: is a register set whose reset value is not the kernel's */
bool planted_set(bool set);
/* signal frame: the flags that it may change */
uint64_t planted_flags(uint64_t settable);
#else
static inline bool planted_fpu(int pid, bool restore) { return restore; }
static inline uint64_t planted_ssp(int pid, uint64_t ssp) { return ssp; }
static inline uint64_t planted_shootdown(uint64_t cpus) { return cpus; }
static inline bool planted_startup(bool send) { return send; }
static inline uint64_t planted_entry(unsigned vector, uint64_t entry) { return entry; }
static inline uint64_t planted_nmi(uint64_t cpus) { return cpus; }
static inline uint64_t planted_tsc(uint64_t tsc) { return tsc; }
static inline int64_t planted_tsc_offset(int64_t offset) { return offset; }
static inline bool planted_set(bool set) { return set; }
static inline uint64_t planted_flags(uint64_t settable) { return settable; }
#endif

#endif
