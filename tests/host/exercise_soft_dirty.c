/* SPDX-License-Identifier: MIT */
/*
 * An exercise of docs/book/02-paging.md: use one of the free software bits.
 *
 * PTE_SOFT_DIRTY means "modified since somebody last asked". pte_mkdirty() sets the bit beside what
 * it sets now, pte_soft_dirty() reads it, and pte_clear_soft_dirty() clears it; pte_mkclean() and
 * pte_modify() leave it alone. The comment block and the assertions on the bit layout in pgtable.h
 * must stay true, and so must pgtable_test.c, which writes the promises down a second time.
 */
#include "arch/x86/pgtable.h"
#include "fake.h"

#ifdef PTE_SOFT_DIRTY
static bool soft_dirty_works(void)
{
    static const uint64_t flags[] = { PTE_P, PTE_W, PTE_A, PTE_D, PTE_COW, PTE_NX };
    if (__builtin_popcountll(PTE_SOFT_DIRTY) != 1 || PTE_SOFT_DIRTY & PTE_SOFT_FREE)
        return diagnose("expect PTE_SOFT_DIRTY to be one bit, no longer among PTE_SOFT_FREE");
    if (PTE_SOFT_DIRTY & (PTE_PFN_MASK | PTE_PKEY_MASK | PTE_NX | PTE_COW | 0x1ffull))
        return diagnose("expect PTE_SOFT_DIRTY to be none of the bits with a meaning");
    for (unsigned i = 0; i < 1u << ARRAY_SIZE(flags); i++) {
        pte_t pte = { 0x12345000 };
        for (size_t bit = 0; bit < ARRAY_SIZE(flags); bit++)
            pte.raw |= i >> bit & 1 ? flags[bit] : 0;
        pte_t dirty = pte_mkdirty(pte), clean = pte_clear_soft_dirty(dirty);
        if (pte_soft_dirty(pte) || !pte_soft_dirty(dirty) || pte_soft_dirty(clean))
            return diagnose("expect mkdirty to set and clear_soft_dirty to clear it in %#lx",
                            (unsigned long)pte.raw);
        if (pte_dirty(clean) != pte_dirty(dirty) || pte_shstk(clean) != pte_shstk(pte))
            return diagnose("expect clear_soft_dirty to change nothing else in %#lx",
                            (unsigned long)pte.raw);
        if (!pte_soft_dirty(pte_mkclean(dirty)) || !pte_soft_dirty(pte_modify(dirty, PGPROT_USER_R))
            || !pte_soft_dirty(pte_wrprotect(dirty)))
            return diagnose("expect mkclean, modify and wrprotect to keep it in %#lx",
                            (unsigned long)dirty.raw);
    }
    return true;
}
#else
static bool soft_dirty_works(void)
{
    return diagnose(
        "expect pgtable.h to define PTE_SOFT_DIRTY, pte_soft_dirty() and pte_clear_soft_dirty()");
}
#endif

int main(void)
{
    plan(1);
    result("exercise_soft_dirty", soft_dirty_works());
    return suite_status();
}
