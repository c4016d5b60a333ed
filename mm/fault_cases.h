/* SPDX-License-Identifier: MIT */
/* What get-user-pages and pagers share with the page-fault handler. Private to mm/. */
#ifndef MM_FAULT_CASES_H
#define MM_FAULT_CASES_H

#include "mm/fault.h"
#include "mm/table/table.h"
#include "mm/vma/vma.h"

/*
 * The kind of access to a page. OWN asks for a page that no other entry shares: for a store to
 * ordinary memory, any shadow-stack access, or a debugger's write to a read-only page. The VMA says
 * which of the three it is.
 */
enum access { ACCESS_READ, ACCESS_OWN };

/* Does the leaf give this access already? Its table is locked. */
bool leaf_allows(const struct vma *vma, leaf_t leaf, enum access access);

/*
 * Try once to bring the page at va to a state that allows access; or say why that is impossible.
 * The VMA contains va and allows the access. mm.lock is held for reading, before and after; no
 * table is locked on return. FAULT_OK_SPLIT, FAULT_OK_OWN and FAULT_OK_SPURIOUS ask to look again.
 */
MUST_CHECK enum fault_outcome fault_resolve(struct mm *mm, const struct vma *vma, uint64_t va,
                                            enum access access);

/* The entry of a page that is clean, or that others may hold as well. */
static inline pte_t leaf_clean(const struct vma *vma, uint64_t pfn, int level)
{
    return pte_mkyoung(mk_leaf(pfn, vma_prot(vma), level));
}

/*
 * The entry of a page that only this mapping holds, and that has been modified or is about to be:
 * (b) where only a debugger may write, else (c) for a shadow stack and (w) for data.
 */
static inline pte_t leaf_owned(const struct vma *vma, uint64_t pfn, int level)
{
    pte_t pte = leaf_clean(vma, pfn, level);
    if (!(vma->flags & VM_WRITE))
        return pte_mkcow(pte);
    return vma_is_shstk(vma) ? pte_mkwrite_shstk(pte) : pte_mkdirty(pte_mkwrite(pte));
}

#endif
