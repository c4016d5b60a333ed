/* SPDX-License-Identifier: MIT */
/* Page tables, many addresses at a time: visiting, removing and pairing the leaves of a range.
 * mm.lock is held for writing throughout. */
#include "mm/table/check.h"
#include "mm/table/entry.h"
#include "uapi/errno.h"

/* ---- One table ---------------------------------------------------------- */

/*
 * The part of a range that one table covers, entry by entry. Empty entries are passed over, and a
 * sparse table is left early: once as many entries were met as are in use.
 */
struct span {
    struct slot at; /* the current entry; at first the one before the first */
    pte_t *last;
    unsigned in_use;     /* entries ahead that are not empty, at most */
    uint64_t start, end; /* the range */
};

/* The kernel's half of a root is in no range, and its count leaves it out. */
static inline void span_begin(struct span *span, struct frame *table, int level, uint64_t start,
                              uint64_t end)
{
    ASSERT(start < end);
    pte_t *entries = table_entries(table);
    span->at.va = align_down(start, level_bytes(level)) - level_bytes(level);
    span->at.entry = entries + level_index(start, level) - 1;
    span->at.table = table;
    span->at.level = level;
    span->last = entries + level_index(end - 1, level);
    span->in_use = table->count;
    span->start = start;
    span->end = end;
}

/* Step to the next entry that is not empty, and read it; false when there is none. */
static inline bool span_next(struct span *span, pte_t *pte)
{
    if (!span->in_use)
        return false;
    pte_t *entry = span->at.entry;
    do {
        if (entry == span->last)
            return false;
        *pte = entry_read(++entry);
    } while (pte_none(*pte));
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

/* ---- One address space -------------------------------------------------- */

static void table_visit(struct frame *table, int level, uint64_t start, uint64_t end,
                        leaf_visitor visit, void *context)
{
    struct span span;
    span_begin(&span, table, level, start, end);
    pte_t pte;
    while (span_next(&span, &pte)) {
        if (pte_is_table(pte, level)) {
            table_visit(entry_table(pte), level - 1, span_from(&span), span_to(&span), visit,
                        context);
            continue;
        }
        spin_lock(&table->table.lock);
        visit(&span.at, slot_read(&span.at), context);
        spin_unlock(&table->table.lock);
    }
}

void tables_visit(struct mm *mm, uint64_t start, uint64_t end, leaf_visitor visit, void *context)
{
    ASSERT(write_is_held(&mm->lock));
    table_visit(mm->root, ROOT_LEVEL, start, end, visit, context);
}

/* Empty one slot and hand its frames to flush. Because mm.lock is held for writing, only the CPU
 * itself can change the entry meanwhile. */
static void leaf_zap(struct mm *mm, const struct vma *vma, const struct slot *slot,
                     struct flush *flush)
{
    pte_t pte;
    do {
        pte = slot_read(slot);
    } while (!entry_set(slot, vma, pte, (pte_t){ 0 }, TRACE_UNMAP, flush));
    if (!pte_check(pte, vma_is_shstk(vma)))
        check_report(slot, vma, pte); /* the last look at it */
    leaf_t leaf = { pte, slot->level };
    __atomic_sub_fetch(&mm->resident, leaf_frames(leaf), __ATOMIC_RELAXED);
    if (planted_drop(true))
        flush_put(flush, leaf_first(leaf), leaf_frames(leaf));
}

static void table_zap(struct mm *mm, const struct vma *vma, struct frame *table, int level,
                      uint64_t start, uint64_t end, struct flush *flush)
{
    struct span span;
    span_begin(&span, table, level, start, end);
    pte_t pte;
    while (span_next(&span, &pte)) {
        if (!pte_is_table(pte, level)) {
            leaf_zap(mm, vma, &span.at, flush);
            continue;
        }
        struct frame *below = entry_table(pte);
        table_zap(mm, vma, below, level - 1, span_from(&span), span_to(&span), flush);
        if (below->count == 0) {
            while (!entry_replace(span.at.entry, slot_read(&span.at), (pte_t){ 0 })) {}
            table->count--;
            flush_note(flush, span.at.va, level);
            flush->tables = true;
            flush_put(flush, below, 1);
        }
    }
}

void tables_zap(struct mm *mm, const struct vma *vma, uint64_t start, uint64_t end,
                struct flush *flush)
{
    ASSERT(write_is_held(&mm->lock));
    table_zap(mm, vma, mm->root, ROOT_LEVEL, start, end, flush);
}

/* ---- Two address spaces ------------------------------------------------- */

/* The entry of another table of the same level for the same addresses. */
static pte_t *slot_twin(const struct slot *slot, struct frame *table)
{
    return table_entries(table) + level_index(slot->va, slot->level);
}

static int table_reserve(struct frame *child, struct frame *parent, int level, uint64_t start,
                         uint64_t end)
{
    struct span span;
    span_begin(&span, parent, level, start, end);
    pte_t theirs;
    while (span_next(&span, &theirs)) {
        if (!pte_is_table(theirs, level))
            continue;
        pte_t *entry = slot_twin(&span.at, child);
        struct frame *below = pte_none(*entry) ? entry_make_table(child, entry)
                                               : entry_table(*entry);
        if (!below)
            return -ENOMEM;
        int err = level > 2 ? table_reserve(below, entry_table(theirs), level - 1, span_from(&span),
                                            span_to(&span))
                            : 0;
        if (err)
            return err;
    }
    return 0;
}

int tables_reserve(struct mm *child, struct mm *parent, uint64_t start, uint64_t end)
{
    ASSERT(write_is_held(&parent->lock));
    return table_reserve(child->root, parent->root, ROOT_LEVEL, start, end);
}

static void pair_visit(struct frame *parent, struct frame *child, int level, uint64_t start,
                       uint64_t end, pair_visitor visit, void *context)
{
    spin_lock_second(&parent->table.lock);
    struct span span;
    span_begin(&span, parent, level, start, end);
    pte_t pte;
    while (span_next(&span, &pte)) {
        pte_t *twin = slot_twin(&span.at, child);
        if (pte_is_table(pte, level)) {
            pair_visit(entry_table(pte), entry_table(*twin), level - 1, span_from(&span),
                       span_to(&span), visit, context);
            continue;
        }
        struct slot ours = { span.at.va, twin, child, level };
        visit(&span.at, &ours, context);
    }
    spin_unlock(&parent->table.lock);
}

void tables_visit_pair(struct mm *parent, struct mm *child, uint64_t start, uint64_t end,
                       pair_visitor visit, void *context)
{
    ASSERT(write_is_held(&parent->lock));
    pair_visit(parent->root, child->root, ROOT_LEVEL, start, end, visit, context);
}
