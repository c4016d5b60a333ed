/* SPDX-License-Identifier: MIT */
/* Page tables, many addresses at a time: visiting, counting and removing the leaves of a range.
 * mm.lock is held for writing throughout. */
#include "mm/table/check.h"
#include "mm/table/share.h"
#include "mm/table/span.h"

/* ---- Visiting ----------------------------------------------------------- */

/* own: the way to this table is. If not, other address spaces may work in it at the same time. */
static void table_visit(struct frame *table, int level, bool own, uint64_t start, uint64_t end,
                        leaf_visitor visit, void *context)
{
    struct span span;
    span_begin(&span, table, level, own, start, end);
    pte_t pte;
    while (span_next(&span, &pte)) {
        if (pte_is_table(pte, level)) {
            table_visit(entry_table(pte), level - 1, own && pte_hw_write(pte), span_from(&span),
                        span_to(&span), visit, context);
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
    table_visit(mm->root, ROOT_LEVEL, true, start, end, visit, context);
}

static uint64_t table_count(struct frame *table, int level, uint64_t enough, bool shared)
{
    if (level == 1)
        return table->count;
    struct span span;
    span_whole(&span, table, level);
    uint64_t count = 0;
    pte_t pte;
    while (count < enough && span_next(&span, &pte)) {
        if (!pte_is_table(pte, level))
            count += level_frames(level);
        else if (shared || pte_hw_write(pte))
            count += table_count(entry_table(pte), level - 1, enough - count, shared);
    }
    return count;
}

uint64_t tables_count(struct mm *mm, uint64_t enough, bool shared)
{
    ASSERT(write_is_held(&mm->lock));
    return table_count(mm->root, ROOT_LEVEL, enough, shared);
}

/* ---- Removing ----------------------------------------------------------- */

/* Empty one slot and hand its frames to flush. Only the CPU itself can change the entry
 * meanwhile. */
static void leaf_zap(const struct vma *vma, const struct slot *slot, struct flush *flush)
{
    pte_t pte;
    do {
        pte = slot_read(slot);
    } while (!entry_set(slot, vma, pte, (pte_t){ 0 }, TRACE_UNMAP, flush));
    if (!pte_check(pte, vma_is_shstk(vma)))
        check_report(slot, vma_is_shstk(vma), pte); /* the last look at it */
    leaf_t leaf = { pte, slot->level };
    if (planted_drop(true))
        flush_put(flush, leaf_first(leaf), leaf_frames(leaf));
}

static void table_zap(const struct vma *vma, struct frame *table, int level, bool own,
                      uint64_t start, uint64_t end, struct flush *flush);

/* Others share the table: they keep it, empty or not, and lose the same leaves. */
static void shared_zap(const struct vma *vma, struct frame *table, int level, uint64_t start,
                       uint64_t end, struct flush *flush)
{
    ASSERT(flush->everywhere);
    spin_lock_second(&table->table.lock);
    table_zap(vma, table, level, false, start, end, flush);
    spin_unlock(&table->table.lock);
}

static void table_zap(const struct vma *vma, struct frame *table, int level, bool own,
                      uint64_t start, uint64_t end, struct flush *flush)
{
    struct span span;
    span_begin(&span, table, level, own, start, end);
    pte_t pte;
    while (span_next(&span, &pte)) {
        if (!pte_is_table(pte, level)) {
            leaf_zap(vma, &span.at, flush);
            continue;
        }
        struct frame *below = entry_table(pte);
        if (!own || !pte_hw_write(pte)) {
            shared_zap(vma, below, level - 1, span_from(&span), span_to(&span), flush);
            continue;
        }
        table_zap(vma, below, level - 1, own, span_from(&span), span_to(&span), flush);
        if (below->count == 0) {
            entry_clear(&span.at, flush);
            flush_put_table(flush, below, level - 1);
        }
    }
}

void tables_zap(struct mm *mm, const struct vma *vma, uint64_t start, uint64_t end,
                struct flush *flush)
{
    ASSERT(write_is_held(&mm->lock));
    table_zap(vma, mm->root, ROOT_LEVEL, true, start, end, flush);
}
