/* SPDX-License-Identifier: MIT */
/*
 * The architecture under mm/ on the build machine: physical memory is an arena, and one CPU with a
 * TLB walks the tables as the manual says (Intel SDM vol. 3, "4-Level Paging", "Shadow-Stack
 * Pages"). The Makefile includes this header before every file.
 */
#ifndef TESTS_HOST_FAKE_H
#define TESTS_HOST_FAKE_H

extern char *fake_memory;
#define DIRECT_MAP_BASE ((unsigned long)fake_memory)

#include "base/types.h"

#define ARCH_X86_INLINE_H /* these stand in for what it holds */
#define CPUS_MAX          64
unsigned arch_cpu_id(void);
int arch_current_pid(void);
void arch_pause(void);
uint64_t arch_irq_save(void);
void arch_irq_restore(uint64_t state);
MUST_CHECK bool arch_entry_cmpxchg(uint64_t *entry, uint64_t old, uint64_t new);

#include "mm/fault.h"
#include "mm/mm.h"

/* ---- KTAP --------------------------------------------------------------- */

extern bool quiet; /* diagnose() prints nothing */
void plan(unsigned tests);
void result(const char *name, bool passed);
int suite_status(void);                                   /* main()'s result */
bool diagnose(const char *format, ...) PRINTF_LIKE(1, 2); /* prints "# ..."; returns false */
/* Does function, in a process of its own, end in a panic that says words? */
bool panics_saying(const char *words, void (*function)(void));

/* A test that leaves no frame in use, and the defects on which it must fail. */
struct twin {
    const char *name;
    bool (*test)(void);
    const char *defects[8]; /* NULL after the last */
};
/* Run all, each in a process of its own, then each once more with each of its defects. The plan is
 * printed here; the result is main()'s. */
int run_twins(const struct twin *twins, unsigned count);

/* ---- The machine -------------------------------------------------------- */

/* Give the frame allocator `bytes` of RAM from physical 1 MiB on, and start mm/. Called once. */
void fake_start(uint64_t bytes);
/* A pseudo-random number below limit; the sequence depends on fake_seed alone. */
extern uint64_t fake_seed;
uint64_t fake_random(uint64_t limit);

/* Set while a test runs several threads, each one a CPU. While it is clear, waiting for a lock is a
 * deadlock. */
extern bool fake_threads;
extern _Thread_local unsigned fake_cpu;

enum cpu_access { CPU_LOAD, CPU_STORE, CPU_FETCH, CPU_SHSTK_LOAD, CPU_SHSTK_STORE };
/*
 * One access of 8 bytes at va by a program of mm, which reads into *value or writes *value. Faults
 * are resolved by mm_fault(), as the trap code does. Returns the outcome of the fault that ended
 * the access, or FAULT_OK_SPURIOUS when it succeeded.
 */
enum fault_outcome cpu_access(struct mm *mm, uint64_t va, enum cpu_access access, uint64_t *value);
/* What a load at va reads without a fault, by what the CPU has cached and by the tables. False: it
 * would fault. */
bool cpu_peek(struct mm *mm, uint64_t va, uint64_t *value);
/*
 * Unless NULL, what another CPU does in between. The address space at work is locked then, and
 * perhaps one of its tables.
 */
enum moment { ENTRY_REPLACED, FLUSH_AHEAD /* asked for, and not yet done */ };
extern void (*fake_interlude)(enum moment moment);
/* Does the TLB hold only translations of mm that its tables still allow? */
bool tlb_is_coherent(struct mm *mm);

#endif
