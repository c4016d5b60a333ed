/* SPDX-License-Identifier: MIT */
/*
 * The part of arch.h that is one or two instructions and stands on every hot path. Only arch.h
 * includes it; tests on the build machine bring their own.
 */
#ifndef ARCH_X86_INLINE_H
#define ARCH_X86_INLINE_H

#include "base/types.h"

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
