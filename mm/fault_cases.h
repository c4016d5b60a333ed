/* SPDX-License-Identifier: MIT */
/* What get-user-pages shares with the page-fault handler. Private to mm/. */
#ifndef MM_FAULT_CASES_H
#define MM_FAULT_CASES_H

#include "mm/fault.h"
#include "mm/table/table.h"

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

/*
 * Put frame, whose reference goes to the entry, at va in vma, which wants small leaves of its kind;
 * or, for NULL, the zero page. 0, -EEXIST (there is a page already), -ENOMEM. mm.lock held for
 * reading.
 */
MUST_CHECK int fault_fill(struct mm *mm, const struct vma *vma, uint64_t va, struct frame *frame);

#endif
