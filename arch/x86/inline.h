/* SPDX-License-Identifier: MIT */
/*
 * What base/ may ask of the machine, and what is one or two instructions on a hot path. arch.h
 * includes it. Tests on the build machine bring their own.
 */
#ifndef ARCH_X86_INLINE_H
#define ARCH_X86_INLINE_H

#include "base/types.h"

#define CPUS_MAX 64 /* a set of CPUs is one 64-bit word */

#if __STDC_HOSTED__
unsigned arch_cpu_id(void);           /* 0, 1, ... in order of arrival */
struct task *arch_current_task(void); /* NULL until the first arch_switch() */
#else
/* Where struct percpu has them, see arch/x86/entry/offsets.c. */
static inline unsigned arch_cpu_id(void)
{
    unsigned id;
    __asm__ volatile("movl %%gs:28, %0" : "=r"(id));
    return id;
}
/* No function sees the answer change: it is the caller. */
static inline struct task *arch_current_task(void)
{
    struct task *task;
    __asm__("movq %%gs:32, %0" : "=r"(task));
    return task;
}
#endif
int arch_current_pid(void); /* of the running task; 0 until the first arch_switch() */
/* inside a spin loop: also serves what other CPUs ask of this one meanwhile */
void arch_pause(void);
uint64_t arch_cycles(void);    /* TSC; on Bochs one tick is one executed instruction */
NORETURN void arch_halt(void); /* for good */
/*
 * Stop all other CPUs for good, wherever they are. If another CPU stops us first, this call does
 * not return. Interrupts stay off, and only the log may be used afterwards: a stopped CPU may hold
 * any lock.
 */
void arch_cpus_stop(void);
/* For panic(), other CPUs stopped: log registers and backtrace of the innermost exception taken in
 * the kernel on this CPU, or else the backtrace from here. */
void arch_panic_report(void);

static inline void arch_irq_enable(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void arch_irq_disable(void) { __asm__ volatile("cli" : : : "memory"); }

/* Interrupts off; returns the state before, which is RFLAGS.IF. */
static inline uint64_t arch_irq_save(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    return flags & 1u << 9;
}

static inline void arch_irq_restore(uint64_t state)
{
    if (state)
        arch_irq_enable();
}

/* Set *entry to new if it still is old (LOCK CMPXCHG); false, with nothing changed, when it is
 * not. */
MUST_CHECK static inline bool arch_entry_cmpxchg(uint64_t *entry, uint64_t old, uint64_t new)
{
    return __atomic_compare_exchange_n(entry, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

#endif
