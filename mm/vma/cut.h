/* SPDX-License-Identifier: MIT */
/* Cutting VMAs at the ends of a range, and long ranges into steps. Private to mm/. mm.lock held for
 * writing. */
#ifndef MM_CUT_H
#define MM_CUT_H

#include "mm/mm.h"

/* VMAs set aside for splits, so that nothing fails once the work has begun. */
struct spare {
    struct vma *vma[2];
};

/* May VMAs be cut at start and end: nowhere inside a huge leaf? 0 or -EINVAL. */
MUST_CHECK int cut_allowed(struct mm *mm, uint64_t start, uint64_t end);
/* Set aside what range_cut() needs: 0, -EINVAL as above, or -ENOMEM. */
MUST_CHECK int spare_prepare(struct mm *mm, uint64_t start, uint64_t end, struct spare *spare);
/* Cut where spare_prepare() found it necessary. After that no VMA reaches over start or end. */
void range_cut(struct mm *mm, uint64_t start, uint64_t end, struct spare *spare);
/* Join VMAs that have become alike, from the one below start to the one above end. */
void range_merge(struct mm *mm, uint64_t start, uint64_t end);

/*
 * How far the work on [at, end) may go before other tasks get their turn. The result lies above at,
 * and not inside a leaf. At most a few thousand leaves lie below it.
 */
uint64_t step_end(struct mm *mm, uint64_t at, uint64_t end);
/* Let other tasks use mm, and the CPU, between two steps. mm.lock is dropped and taken again. */
void step_pause(struct mm *mm, mm_breathe breathe);

#endif
