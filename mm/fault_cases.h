/* SPDX-License-Identifier: MIT */
/* What get-user-pages shares with the page-fault handler. Private to mm/. */
#ifndef MM_FAULT_CASES_H
#define MM_FAULT_CASES_H

#include "mm/fault.h"
#include "mm/table.h"

/*
 * What somebody wants of a page. OWN asks for a page that no other entry shares: a store to
 * ordinary memory, any shadow-stack access, or a debugger's write to a read-only page; the VMA says
 * which of them it is.
 */
enum access { ACCESS_READ, ACCESS_OWN };

/* Does the leaf give this access already? Its table is locked. */
bool leaf_allows(const struct vma *vma, leaf_t leaf, enum access access);

/*
 * Bring the page at va to a state that allows access, once; or say why that cannot be. The VMA
 * contains va and allows the access. mm.lock is held for reading, before and after; no table is
 * locked on return. FAULT_OK_SPLIT and FAULT_OK_SPURIOUS ask to look again.
 */
MUST_CHECK enum fault_outcome fault_resolve(struct mm *mm, const struct vma *vma, uint64_t va,
                                            enum access access);

#endif
