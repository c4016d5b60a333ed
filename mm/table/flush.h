/* SPDX-License-Identifier: MIT */
/*
 * What is due once entries have changed: the TLB flush, and the references that must outlive it. A
 * frame (or a table) goes back only after the flush that covers it. Lives on the stack of the
 * function that makes the changes. Private to mm/.
 */
#ifndef MM_FLUSH_H
#define MM_FLUSH_H

#include "mm/mm.h"

#define FLUSH_FRAMES 32

struct flush {
    struct mm *mm;
    uint64_t start, end; /* addresses whose translation changed; start >= end: none */
    bool tables;         /* tables are among what is due */
    bool everywhere;     /* entries of shared tables changed: every CPU must flush */
    unsigned count;
    struct {
        struct frame *first;
        uint64_t count; /* of frames; 0: a table */
        int level;      /* of the table */
    } due[FLUSH_FRAMES];
};

static inline void flush_begin(struct flush *flush, struct mm *mm)
{
    flush->mm = mm;
    flush->start = ~0ull;
    flush->end = 0;
    flush->tables = false;
    flush->everywhere = false;
    flush->count = 0;
}

/* The translation of an entry of this level at va has changed. */
static inline void flush_note(struct flush *flush, uint64_t va, int level)
{
    flush->start = min_u64(flush->start, va);
    flush->end = max_u64(flush->end, va + level_bytes(level));
}

/* Flush, then drop what is due. The struct can be used again. No table lock is needed. */
void flush_now(struct flush *flush);
static inline void flush_end(struct flush *flush)
{
    if (flush->count || flush->start < flush->end)
        flush_now(flush);
}
/* Drop one reference on each of count frames at flush_end(), or earlier, after a flush, when the
 * list is full. */
static inline void flush_put(struct flush *flush, struct frame *first, uint64_t count)
{
    if (flush->count == FLUSH_FRAMES)
        flush_now(flush);
    flush->due[flush->count].first = first;
    flush->due[flush->count].count = count;
    flush->count++;
}
/* The same for the reference of an entry of level + 1 on a table of this level. */
static inline void flush_put_table(struct flush *flush, struct frame *table, int level)
{
    flush_put(flush, table, 0);
    flush->due[flush->count - 1].level = level;
    flush->tables = true;
}

#endif
