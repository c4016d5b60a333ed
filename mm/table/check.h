/* SPDX-License-Identifier: MIT */
/* Reporting broken page-table invariants. Private to mm/; the walker itself is mm_check() in
 * mm/mm.h. */
#ifndef MM_CHECK_H
#define MM_CHECK_H

#include "mm/table/table.h"

/* Count a leaf that pte_check() refuses. Nothing is logged. */
void check_count(void);
/* Log and count it: a page of a shadow stack, or of data. The slot's table is locked. */
void check_report(const struct slot *slot, bool shstk, pte_t pte);

#endif
