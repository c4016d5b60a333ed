/* SPDX-License-Identifier: MIT */
/* Finding room in an address space. Private to mm/. mm.lock held for writing. */
#ifndef MM_PLACE_H
#define MM_PLACE_H

#include "mm/mm.h"

/* Is [start, end) free, with gap bytes around it and the gaps its neighbours ask for? */
bool place_is_free(struct mm *mm, uint64_t start, uint64_t end, uint64_t gap);
/* The highest such range of len bytes below the stack's area; its start, or 0 when there is
 * none. */
uint64_t place_find(struct mm *mm, uint64_t len, uint64_t align, uint64_t gap);

#endif
