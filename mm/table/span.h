/* SPDX-License-Identifier: MIT */
/* The part of a range that one table covers, for mm/table/range.c and mm/table/share.c. */
#ifndef MM_SPAN_H
#define MM_SPAN_H

#include "mm/table/entry.h"

/*
 * Entry by entry. Empty entries are passed over, and a sparse table is left early: once as many
 * entries were met as are in use.
 */
struct span {
    struct slot at; /* the current entry; at first the one before the first */
    pte_t *last;
    unsigned in_use;     /* entries ahead that are not empty, at most */
    uint64_t start, end; /* the range */
};

/* own: the table is this address space's alone. The kernel's half of a root is in no range, and its
 * count leaves it out. */
static inline void span_begin(struct span *span, struct frame *table, int level, bool own,
                              uint64_t start, uint64_t end)
{
    ASSERT(start < end);
    pte_t *entries = table_entries(table);
    unsigned first = level_index(start, level), low = 2u * table->low;
    uint64_t before = align_down(start, level_bytes(level)) - level_bytes(level);
    if (first < low) {
        before += (low - first) * level_bytes(level);
        first = low;
    }
    span->last = entries + level_index(end - 1, level);
    span->at = (struct slot){ before, entries + first - 1, table, level, own ? 0 : ROOT_LEVEL, 0 };
    span->in_use = entries + first <= span->last ? table->count : 0;
    span->start = start;
    span->end = end;
}

/* All that a table translates for programs. Of a table below a root, the addresses count from 0. */
static inline void span_whole(struct span *span, struct frame *table, int level)
{
    span_begin(span, table, level, true, 0,
               level == ROOT_LEVEL ? USER_END : level_bytes(level + 1));
}

/* Pass over empty entries behind entry, eight at a time, but not to last. */
static inline pte_t *entries_skip(pte_t *entry, const pte_t *last)
{
    while (last - entry > 8
           && !(entry[1].raw | entry[2].raw | entry[3].raw | entry[4].raw | entry[5].raw
                | entry[6].raw | entry[7].raw | entry[8].raw))
        entry += 8;
    return entry;
}

/* Step to the next entry that is not empty, and read it; false when there is none. */
static inline bool span_next(struct span *span, pte_t *pte)
{
    if (!span->in_use)
        return false;
    pte_t *entry = span->at.entry;
    for (;;) {
        if (entry == span->last)
            return false;
        *pte = entry_read(++entry);
        if (!pte_none(*pte))
            break;
        entry = entries_skip(entry, span->last);
    }
    span->at.va += (uint64_t)(entry - span->at.entry) * level_bytes(span->at.level);
    span->at.entry = entry;
    span->in_use--;
    return true;
}

/* The part of the range that the current entry translates. */
static inline uint64_t span_from(const struct span *span)
{
    return max_u64(span->start, span->at.va);
}
static inline uint64_t span_to(const struct span *span)
{
    return min_u64(span->end, span->at.va + level_bytes(span->at.level));
}
/* Does the range contain all that the current entry translates for programs? */
static inline bool span_covers(const struct span *span)
{
    return planted_covers(span->start <= span->at.va
                          && min_u64(span->at.va + level_bytes(span->at.level), USER_END)
                                 <= span->end);
}

#endif
