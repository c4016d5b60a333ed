/* SPDX-License-Identifier: MIT */
/*
 * The trace ring: the last TRACE_EVENTS page-table changes and refusals, read from /proc/trace.
 * Lock-free: a writer claims a slot with one atomic add; a reader that finds a slot rewritten under
 * it skips it.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "base/types.h"

#define TRACE_EVENTS 4096

enum trace_why {
    TRACE_DEMAND_ZERO,
    TRACE_FILE_PAGE,
    TRACE_FILL, /* a page that a pager provides */
    TRACE_COW_COPY,
    TRACE_COW_REUSE,
    TRACE_SHSTK_COPY,
    TRACE_SHSTK_REUSE,
    TRACE_SHARE, /* a leaf that two tables have from now on: in the old table, then in the new */
    TRACE_PROTECT,
    TRACE_UNMAP,
    TRACE_MOVE, /* mremap: out of the old entry, then into the new */
    TRACE_SPLIT,
    TRACE_REPAIR,
    TRACE_PROBE,
    /* entries that point to tables */
    TRACE_TABLE_SHARE, /* W goes: two address spaces share the table */
    TRACE_TABLE_OWN,   /* W comes back: nobody else has the table any more */
    TRACE_TABLE_COPY,  /* a copy of the table takes its place */
    TRACE_TABLE_DROP,  /* the table goes, and others may keep it */
    TRACE_REFUSAL,     /* old = RIP, new = error code | si_code << 32 | signal << 48 */
    TRACE_WHY_COUNT
};

struct trace_event {
    uint64_t time; /* TSC */
    uint32_t cpu;
    int32_t pid;
    uint64_t va;
    uint64_t old;   /* raw entry before */
    uint64_t new;   /* raw entry after */
    uint32_t why;   /* enum trace_why */
    uint32_t level; /* of the entry: 1 to 4 */
};

/* Page-table changes are recorded only while this is set (write 1 or 0 to /proc/trace); refusals
 * always are. */
extern bool trace_enabled;

void trace_record(enum trace_why why, int level, uint64_t va, uint64_t old, uint64_t new);

static inline void trace_entry(enum trace_why why, int level, uint64_t va, uint64_t old,
                               uint64_t new)
{
    if (__builtin_expect(trace_enabled, 0))
        trace_record(why, level, va, old, new);
}

const char *trace_why_name(enum trace_why why);

/* Copy event number *next, or the oldest one still there, to event; false when there is none.
 * Advances *next. */
MUST_CHECK bool trace_read(uint64_t *next, struct trace_event *event);

/* How many events have been recorded since boot. */
uint64_t trace_total(void);

#endif
