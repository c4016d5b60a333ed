/* SPDX-License-Identifier: MIT */
/* Copying, owning and dropping tables: share.h tells what for. */
#include "mm/table/share.h"

#include "base/log.h"
#include "mm/planted.h"
#include "mm/table/check.h"
#include "mm/table/span.h"
#include "uapi/errno.h"

/* ---- Copying ------------------------------------------------------------ */

/*
 * The value that a leaf has once two tables map its frames. Data loses W, a shadow stack its D, and
 * what D recorded moves to COW: states (a) and (d). Pages of shared mappings keep their rights;
 * only such a mapping makes a file's own frame writable.
 */
static inline pte_t leaf_shared(const struct frame *first, pte_t pte)
{
    if (planted_keeps(first->kind == FRAME_FILE))
        return pte;
    return planted_shared(first, pte, pte_wrprotect(pte));
}

/* A leaf that fork finds broken is reported; losing W and D mends it. */
static COLD void broken_report(struct frame *table, pte_t *entry, uint64_t va, int level, pte_t pte)
{
    struct slot slot = { va, entry, table, level, 0, 0 };
    check_report(&slot, leaf_first((leaf_t){ pte, level })->kind == FRAME_SHSTK, pte);
}

/* Give the old leaf its shared value, and return that value. The CPU may set A meanwhile, and until
 * fork's flush D as well. */
static inline __attribute__((always_inline)) pte_t leaf_restrict(struct frame *table, pte_t *entry,
                                                                 uint64_t va, int level)
{
    for (;;) {
        pte_t old = entry_read(entry);
        const struct frame *first = leaf_first((leaf_t){ old, level });
        pte_t new = leaf_shared(first, old);
        if (pte_same(old, new))
            return new;
        if (!pte_check(old, first->kind == FRAME_SHSTK))
            broken_report(table, entry, va, level, old);
        if (entry_replace(entry, old, new)) {
            trace_entry(TRACE_SHARE, level, va, old.raw, new.raw);
            return new;
        }
    }
}

/* twin, an entry of a table that no CPU can reach yet, gets the same frames. */
static inline __attribute__((always_inline)) void leaf_copy(struct frame *table, pte_t *entry,
                                                            pte_t *twin, uint64_t va, int level)
{
    leaf_t leaf = { leaf_restrict(table, entry, va, level), level };
    struct frame *first = leaf_first(leaf);
    leaf.pte = planted_child(first, leaf.pte);
    frame_get_many(first, planted_references(leaf_frames(leaf)));
    *twin = leaf.pte;
    watch_leaf((pte_t){ 0 }, leaf.pte, level);
    trace_entry(TRACE_SHARE, level, va, 0, leaf.pte.raw);
}

/* The copy of a table of leaves: the longest loop of fork, so it is kept short. */
static void leaves_copy(struct frame *table, struct frame *copy, uint64_t va)
{
    pte_t *from = table_entries(table), *to = table_entries(copy);
    unsigned left = table->count;
    for (unsigned i = 2u * table->low; left; i++) {
        if (pte_none(from[i]))
            continue;
        leaf_copy(table, from + i, to + i, va + i * PAGE_SIZE, 1);
        left--;
    }
}

/* Point the entry of slot to another table, or change the rights by which it does. */
static void table_entry_set(const struct slot *slot, pte_t old, pte_t new, enum trace_why why)
{
    while (!entry_replace(slot->entry, old, new))
        old = slot_read(slot);
    trace_entry(why, slot->level, slot->va, old.raw, new.raw);
}

static void table_copy_entry(const struct slot *slot, pte_t old, pte_t *twin)
{
    struct frame *below = entry_table(old);
    pte_t new = planted_table_shared(old, pte_table_share(old));
    spin_lock_second(&below->table.lock);
    below->table.sharers += planted_sharers(1);
    spin_unlock(&below->table.lock);
    if (!pte_same(old, new))
        table_entry_set(slot, old, new, TRACE_TABLE_SHARE);
    *twin = new;
}

/* The copy of a table of a higher level, of which only [start, end) is in use. */
static void entries_copy(struct frame *table, struct frame *copy, int level, uint64_t start,
                         uint64_t end)
{
    struct span span;
    span_begin(&span, table, level, true, start, end);
    pte_t pte;
    while (span_next(&span, &pte)) {
        pte_t *twin = table_entries(copy) + (span.at.entry - table_entries(table));
        if (pte_is_table(pte, level))
            table_copy_entry(&span.at, pte, twin);
        else
            leaf_copy(table, span.at.entry, twin, span.at.va, level);
    }
}

/* Fill copy, which is empty and which no CPU can reach yet, with what table, of this level,
 * translates in [start, end). Nothing else is in use in table, and no other CPU changes it. */
static void table_copy(struct frame *table, struct frame *copy, int level, uint64_t start,
                       uint64_t end)
{
    if (level == 1)
        leaves_copy(table, copy, start);
    else
        entries_copy(table, copy, level, start, end);
    copy->count = table->count;
    copy->low = table->low;
}

void tables_share(struct mm *parent, struct mm *child, struct flush *flush)
{
    ASSERT(write_is_held(&parent->lock) && child->root->count == 0);
    parent->shares = child->shares = true;
    table_copy(parent->root, child->root, ROOT_LEVEL, 0, USER_END);
    flush->start = 0;
    flush->end = USER_END;
}

/* ---- Owning ------------------------------------------------------------- */

/* A copy of below, which is locked and which others share, takes its place in slot. */
static int table_replace(struct mm *mm, const struct slot *slot, pte_t old, struct frame *below)
{
    struct frame *copy = table_create();
    if (!copy)
        return -ENOMEM;
    uint64_t bytes = level_bytes(slot->level);
    table_copy(below, copy, slot->level - 1, slot->va, slot->va + bytes);
    table_entry_set(slot, planted_present(slot, old), pte_mktable(frame_pfn(copy), true),
                    TRACE_TABLE_COPY);
    if (planted_flush(true))
        arch_tlb_flush(&mm->arch, slot->va, bytes, true);
    below->table.sharers--;
    return 0;
}

/* Nobody shares the table below slot any more. Rights grow: no flush is due. */
static void table_take(const struct slot *slot, pte_t old)
{
    table_entry_set(slot, old, pte_table_own(old), TRACE_TABLE_OWN);
}

int table_own(struct mm *mm, const struct slot *slot)
{
    pte_t old = slot_read(slot);
    struct frame *below = entry_table(old);
    int err = 0;
    ASSERT(slot_is_own(slot) && !pte_hw_write(old));
    spin_lock_second(&below->table.lock);
    if (planted_alone(below, below->table.sharers == 1))
        table_take(slot, old);
    else
        err = planted_owned(below, table_replace(mm, slot, old, below));
    spin_unlock(&below->table.lock);
    return err;
}

static int paths_own(struct mm *mm, struct frame *table, int level, uint64_t start, uint64_t end,
                     bool ends_only)
{
    struct span span;
    span_begin(&span, table, level, true, start, end);
    pte_t pte;
    int err = 0;
    while (!err && span_next(&span, &pte)) {
        if (!pte_is_table(pte, level) || (level == 2 && ends_only && span_covers(&span)))
            continue;
        if (!pte_is_own_table(pte, level))
            err = table_own(mm, &span.at);
        if (!err && level > 2)
            err = paths_own(mm, entry_table(slot_read(&span.at)), level - 1, span_from(&span),
                            span_to(&span), ends_only);
    }
    return err;
}

int tables_own(struct mm *mm, uint64_t start, uint64_t end)
{
    return planted_shares(mm->shares) ? paths_own(mm, mm->root, ROOT_LEVEL, start, end, false) : 0;
}

int tables_own_ends(struct mm *mm, uint64_t start, uint64_t end)
{
    return mm->shares ? paths_own(mm, mm->root, ROOT_LEVEL, start, end, true) : 0;
}

int tables_own_all(struct mm *mm)
{
    int err = tables_own(mm, 0, USER_END);
    mm->shares &= err != 0;
    return err;
}

/* ---- Dropping ----------------------------------------------------------- */

/* The table below slot, which has W=0, is this address space's again if nobody else has it. */
static bool table_take_if_alone(const struct slot *slot, struct frame *below)
{
    spin_lock_second(&below->table.lock);
    bool alone = below->table.sharers == 1;
    if (alone)
        table_take(slot, slot_read(slot));
    spin_unlock(&below->table.lock);
    return alone;
}

static void table_drop(struct frame *table, int level, uint64_t start, uint64_t end,
                       struct flush *flush)
{
    struct span span;
    span_begin(&span, table, level, true, start, end);
    pte_t pte;
    while (span_next(&span, &pte)) {
        if (!pte_is_table(pte, level))
            continue;
        struct frame *below = entry_table(pte);
        if (pte_is_own_table(pte, level) || table_take_if_alone(&span.at, below)) {
            if (level > 2)
                table_drop(below, level - 1, span_from(&span), span_to(&span), flush);
        } else if (span_covers(&span)) {
            entry_clear(&span.at, flush);
            trace_entry(TRACE_TABLE_DROP, level, span.at.va, pte.raw, 0);
            flush_put_table(flush, below, level - 1);
        }
    }
}

void tables_drop(struct mm *mm, uint64_t start, uint64_t end, struct flush *flush)
{
    ASSERT(write_is_held(&mm->lock));
    if (mm->shares)
        table_drop(mm->root, ROOT_LEVEL, start, end, flush);
}

/* Give back all that a table leads to, and the table. No entry points to it any more. */
static void table_free(struct frame *table, int level)
{
    struct span span;
    span_whole(&span, table, level);
    pte_t pte;
    while (span_next(&span, &pte)) {
        leaf_t leaf = { pte, level };
        span.at.entry->raw = 0;
        if (pte_is_table(pte, level)) {
            table_put(entry_table(pte), level - 1);
        } else {
            watch_leaf(pte, (pte_t){ 0 }, level);
            frame_put_many(leaf_first(leaf), leaf_frames(leaf));
        }
    }
    table->count = 0;
    frame_put(table);
}

void table_put(struct frame *table, int level)
{
    spin_lock_second(&table->table.lock);
    uint32_t sharers = table->table.sharers;
    table->table.sharers -= planted_gone(1);
    spin_unlock(&table->table.lock);
    ASSERT(sharers != 0);
    if (planted_last(sharers == 1))
        table_free(table, level);
}

/* ---- Checking ----------------------------------------------------------- */

static unsigned table_check(struct frame *table, int level)
{
    struct span span;
    span_whole(&span, table, level);
    unsigned found = 0;
    pte_t pte;
    while (span_next(&span, &pte)) {
        if (!pte_is_own_table(pte, level))
            continue;
        struct frame *below = entry_table(pte);
        uint32_t sharers = __atomic_load_n(&below->table.sharers, __ATOMIC_RELAXED);
        if (sharers != 1) {
            log_line("check: entry %#lx of level %d has W=1, and %u entries point to its table",
                     pte.raw, level, sharers);
            check_count();
            found++;
        } else if (level > 2) {
            found += table_check(below, level - 1);
        }
    }
    return found;
}

unsigned tables_check(struct mm *mm) { return table_check(mm->root, ROOT_LEVEL); }
