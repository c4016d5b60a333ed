/* SPDX-License-Identifier: MIT */
/* VMAs as a sorted array that is searched from one end to the other. */
#include "ranges.h"

#include <string.h>

struct range ranges[RANGES_MAX];
unsigned count;

uint64_t keeps_below(const struct range *range)
{
    return range->flags & VM_SHADOW_STACK ? PAGE_SIZE : range->flags & VM_GROWSDOWN ? 1 << 20 : 0;
}

uint64_t keeps_above(const struct range *range)
{
    return range->flags & VM_SHADOW_STACK ? PAGE_SIZE : 0;
}

void ranges_insert(unsigned at, struct range range)
{
    memmove(ranges + at + 1, ranges + at, (count - at) * sizeof(range));
    ranges[at] = range;
    count++;
}

void ranges_remove(unsigned at)
{
    count--;
    memmove(ranges + at, ranges + at + 1, (count - at) * sizeof(ranges[0]));
}

unsigned ranges_find(uint64_t va)
{
    unsigned at = 0;
    while (at < count && ranges[at].end <= va)
        at++;
    return at;
}

bool ranges_continue(const struct range *a, const struct range *b)
{
    return a->end == b->start && a->flags == b->flags && !(a->flags & VM_SHADOW_STACK)
           && a->file == b->file
           && (!a->file || a->page + (a->end - a->start) / PAGE_SIZE == b->page);
}

void ranges_block(uint64_t gap, bool blocked[PAGES])
{
    memset(blocked, 0, PAGES);
    for (unsigned at = 0; at < count; at++) {
        uint64_t low = ranges[at].start - max_u64(gap, keeps_below(ranges + at)),
                 high = ranges[at].end + max_u64(gap, keeps_above(ranges + at));
        low = max_u64(low, at ? ranges[at - 1].end : BASE);
        high = min_u64(high, at + 1 < count ? ranges[at + 1].start : TOP);
        for (uint64_t va = low; va < high; va += PAGE_SIZE)
            blocked[(va - BASE) / PAGE_SIZE] = true;
    }
}

uint64_t ranges_place(const struct place *wanted)
{
    bool blocked[PAGES];
    ranges_block(wanted->gap, blocked);
    uint64_t last = wanted->high - wanted->gap - wanted->len;
    for (uint64_t start = last; start >= wanted->low + wanted->gap; start -= PAGE_SIZE) {
        uint64_t free = 0;
        while (free < wanted->len && !blocked[(start + free - BASE) / PAGE_SIZE])
            free += PAGE_SIZE;
        if (free == wanted->len && is_aligned(start, wanted->align))
            return start;
    }
    return 0;
}
