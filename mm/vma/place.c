/* SPDX-License-Identifier: MIT */
/* Finding room in an address space, from the top down. */
#include "mm/vma/place.h"

#include "mm/vma/vma.h"

bool place_is_free(struct mm *mm, uint64_t start, uint64_t end, uint64_t gap)
{
    struct vma *above = vma_find(mm, start);
    struct vma *below = above                   ? vma_prev(mm, above)
                        : list_empty(&mm->vmas) ? NULL
                                                : vma_of_link(mm->vmas.prev);
    if (above && above->start < end + max_u64(gap, vma_gap_below(above)))
        return false;
    return !below || below->end + max_u64(gap, vma_gap_above(below)) <= start;
}

/* Highest aligned start such that [start, start + len) fits with gap on both sides into [low,
 * high); 0: none. */
static uint64_t fit(uint64_t low, uint64_t high, uint64_t len, uint64_t align)
{
    if (high < low || high - low < len)
        return 0;
    uint64_t start = align_down(high - len, align);
    return start >= low ? start : 0;
}

uint64_t place_find(struct mm *mm, const struct place *wanted)
{
    uint64_t len = wanted->len, align = wanted->align, gap = wanted->gap;
    uint64_t low = max_u64(wanted->low, USER_START);
    uint64_t high = (wanted->high ? min_u64(wanted->high, PLACE_TOP) : PLACE_TOP) - gap;
    for (struct list *link = mm->vmas.prev; link != &mm->vmas; link = link->prev) {
        struct vma *vma = vma_of_link(link);
        uint64_t start = fit(max_u64(vma->end + max_u64(gap, vma_gap_above(vma)), USER_START), high,
                             len, align);
        if (start)
            return start;
        uint64_t above_gap = max_u64(gap, vma_gap_below(vma));
        high = min_u64(high, vma->start > above_gap ? vma->start - above_gap : 0);
    }
    return fit(low + gap, high, len, align);
}
