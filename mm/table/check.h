/* SPDX-License-Identifier: MIT */
/* Reporting broken page-table invariants. Private to mm/; the walker itself is mm_check() in
 * mm/mm.h. */
#ifndef MM_CHECK_H
#define MM_CHECK_H

#include "mm/table/table.h"

/* Count a leaf that pte_check() refuses. Nothing is logged. */
void check_count(void);
/* Log and count it. The slot's table is locked. */
void check_report(const struct slot *slot, const struct vma *vma, pte_t pte);

#endif
