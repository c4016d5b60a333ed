/* SPDX-License-Identifier: MIT */
/* Finding room in an address space. Private to mm/. mm.lock held for writing, but where
 * something else is said. */
#ifndef MM_PLACE_H
#define MM_PLACE_H

#include "mm/mm.h"

/* Where top-down placement begins: Linux leaves at least 128 MiB for the first stack above. */
#define PLACE_TOP (USER_END - (128ull << 20))

/*
 * Mappings of at least this size are placed below PLACE_TOP_LARGE, in tables of leaves of their
 * own: so the tables above stacks and small mappings stay small, and cost little when fork's
 * sharing ends (mm/table/share.h). Smaller ones lie side by side, as on Linux.
 */
#define PLACE_LARGE_BYTES (8 * level_bytes(2))
#define PLACE_TOP_LARGE   align_down(PLACE_TOP, level_bytes(4))

static inline bool range_is_user(uint64_t start, uint64_t len)
{
    return len != 0 && len <= USER_END && start <= USER_END - len;
}

/* Is [start, end) free, with gap bytes around it and the gaps its neighbours ask for? */
bool place_is_free(struct mm *mm, uint64_t start, uint64_t end, uint64_t gap);

struct place {
    uint64_t len, align, gap;
    uint64_t low, high; /* not below, not above; 0: no limit but the usual ones */
};
/* The highest such range; its start, or 0 when there is none. */
uint64_t place_find(struct mm *mm, const struct place *wanted);

/*
 * Decide where a mapping of len bytes goes, at a multiple of align. 0 with the address in *start
 * and, in *replace, whether something must be unmapped there first; or as mm_map().
 */
MUST_CHECK int place_decide(struct mm *mm, const struct map_request *request, uint64_t len,
                            uint64_t align, uint64_t *start, bool *replace);

/*
 * Let the growing VMA above va grow down to it: within the stack's limit, no nearer to the VMA
 * below than the gap, and never to where a null pointer leads. Takes mm.lock for writing and drops
 * it; true when va is mapped now.
 */
COLD bool vma_grow(struct mm *mm, uint64_t va);

#endif
