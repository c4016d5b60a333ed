/* SPDX-License-Identifier: MIT */
/* Unmapping, for those that put something else in its place. Private to mm/. mm.lock held for
 * writing. */
#ifndef MM_MMAP_H
#define MM_MMAP_H

#include "mm/mm.h"

/*
 * Make sure that [start, end) can be unmapped up to *stop: 0, -EINVAL (it begins or ends inside a
 * huge leaf), or -ENOMEM. The paths at both ends become own. Only a VMA that reaches over both
 * start and *stop must be cut in two, at *stop; every other VMA gets shorter or goes. If there is
 * no memory for a cut that is not at end, *stop moves up to where no cut is needed.
 */
MUST_CHECK int hole_prepare(struct mm *mm, uint64_t start, uint64_t end, uint64_t *stop);
/* Unmap [start, end), after hole_prepare(). */
void range_unmap(struct mm *mm, uint64_t start, uint64_t end);
/* Both, in steps. The lock is dropped between two steps. */
MUST_CHECK int unmap_locked(struct mm *mm, uint64_t start, uint64_t end, mm_breathe breathe);

#endif
