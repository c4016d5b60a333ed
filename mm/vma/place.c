/* SPDX-License-Identifier: MIT */
/* Finding room in an address space, from the top down. */
#include "mm/vma/place.h"

#include "base/panic.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

bool place_is_free(struct mm *mm, uint64_t start, uint64_t end, uint64_t gap)
{
    struct vma *above = vma_find(mm, start), *below = vma_prev(mm, above);
    if (above && above->start < end + max_u64(gap, vma_gap_below(above)))
        return false;
    return !below || below->end + max_u64(gap, vma_gap_above(below)) <= start;
}

/* The highest aligned start such that [start, start + len) fits into [low, high); 0: none. */
static uint64_t fit(uint64_t low, uint64_t high, uint64_t len, uint64_t align)
{
    if (high < low || high - low < len)
        return 0;
    uint64_t start = align_down(high - len, align);
    return start >= low ? start : 0;
}

/* The same in [low, high) between above (NULL: the end) and the VMA before it. */
static uint64_t fit_below(struct mm *mm, const struct vma *above, const struct place *wanted,
                          uint64_t low, uint64_t high)
{
    const struct vma *below = vma_prev(mm, above);
    uint64_t gap = wanted->gap;
    if (above) {
        uint64_t free = max_u64(gap, vma_gap_below(above));
        high = min_u64(high, above->start - min_u64(above->start, free));
    }
    if (below)
        low = max_u64(low, below->end + max_u64(gap, vma_gap_above(below)));
    return fit(low, high, wanted->len, wanted->align);
}

/*
 * The tree leads from one room of len bytes to the next lower one. Such a room may still be of no
 * use, as what is to be placed may ask for alignment, or for gaps that the VMAs around it do not.
 */
uint64_t place_find(struct mm *mm, const struct place *wanted)
{
    uint64_t low = max_u64(wanted->low, USER_START) + wanted->gap;
    uint64_t high = (wanted->high ? min_u64(wanted->high, PLACE_TOP) : PLACE_TOP) - wanted->gap;
    struct vma *above = vma_find(mm, high);
    for (;;) {
        uint64_t start = fit_below(mm, above, wanted, low, high);
        if (start || (above && above->start <= low))
            return start;
        struct tree_node *node = tree_find_before(&mm->vma_tree, above ? &above->node : NULL,
                                                  wanted->len);
        if (!node)
            return 0;
        above = vma_of_node(node);
    }
}

/* The highest place for len bytes; 0: none. Large mappings keep out of the tables of small ones. */
static uint64_t place_any(struct mm *mm, const struct map_request *request, uint64_t len,
                          uint64_t align)
{
    uint64_t gap = request->flags & VM_SHADOW_STACK ? PAGE_SIZE : 0, start = 0;
    struct place place = { len, align, gap, request->low, request->high };
    struct place large = { len, max_u64(align, level_bytes(2)), gap, request->low,
                           PLACE_TOP_LARGE };
    if (len >= PLACE_LARGE_BYTES && !request->high)
        start = place_find(mm, &large);
    return start ? start : place_find(mm, &place);
}

/* Can what is wanted exactly there lie there? */
static int place_exactly(struct mm *mm, const struct map_request *request, uint64_t len,
                         uint64_t align, bool *replace)
{
    if (!is_aligned(request->start, align))
        return -EINVAL;
    if (!range_is_user(request->start, len))
        return -ENOMEM;
    if (request->start < USER_START)
        return -EPERM;
    struct vma *vma = vma_find(mm, request->start);
    *replace = vma && vma->start < request->start + len;
    return *replace && request->no_replace ? -EEXIST : 0;
}

int place_decide(struct mm *mm, const struct map_request *request, uint64_t len, uint64_t align,
                 uint64_t *start, bool *replace)
{
    *replace = false;
    *start = request->start;
    if (request->fixed)
        return place_exactly(mm, request, len, align, replace);
    uint64_t hint = align_up(max_u64(request->start, USER_START), align);
    uint64_t high = request->high ? request->high : USER_END;
    bool good = request->start && range_is_user(hint, len) && hint + len <= high
                && place_is_free(mm, hint, hint + len, 0);
    *start = good ? hint : place_any(mm, request, len, align);
    return *start ? 0 : -ENOMEM;
}

bool vma_grow(struct mm *mm, uint64_t va)
{
    uint64_t page = align_down(va, PAGE_SIZE);
    write_lock(&mm->lock);
    struct vma *vma = vma_find(mm, va);
    bool grown = vma && vma_contains(vma, va);
    if (vma && !grown && vma->flags & VM_GROWSDOWN && vma->end - page <= mm_limits().stack
        && page >= USER_START) {
        ASSERT(!vma->source && vma_leaf_level(vma) == 1); /* else more would have to move */
        struct vma *below = vma_prev(mm, vma);
        grown = (!below || below->end + max_u64(vma_gap_below(vma), vma_gap_above(below)) <= page)
                && vma_room(mm, vma->flags, page, vma->start);
        if (grown)
            vma_set_start(mm, vma, page);
    }
    write_unlock(&mm->lock);
    return grown;
}
