/* SPDX-License-Identifier: MIT */
/*
 * Page tables: finding, changing, removing and pairing entries.
 *
 * Every table page is a frame of kind FRAME_TABLE; its count is the number of entries that are not
 * empty, its lock guards them. Tables come into being under mm.lock held for reading (by faults),
 * and go only while it is held for writing, so a walk that holds mm.lock may read the entries above
 * its slot without their locks.
 */
#include "mm/table.h"

#include "base/panic.h"
#include "mm/check.h"
#include "mm/planted.h"
#include "uapi/errno.h"

#define ROOT_LEVEL 4

static pte_t *table_entries(const struct frame *table) { return frame_va(table); }

static pte_t entry_read(const pte_t *entry)
{
    return (pte_t){ __atomic_load_n(&entry->raw, __ATOMIC_ACQUIRE) };
}

/* The table an entry points to. */
static inline struct frame *entry_table(pte_t entry)
{
    struct frame *table = pfn_to_frame(pte_pfn(entry));
    ASSERT(table->kind == FRAME_TABLE);
    return table;
}

/* ---- Flush and put ------------------------------------------------------ */

void flush_now(struct flush *flush)
{
    /* at its end no CPU has it any more: mm_put() */
    bool in_use = __atomic_load_n(&flush->mm->users, __ATOMIC_RELAXED);
    if (planted_flush(flush->start < flush->end && in_use))
        arch_tlb_flush(&flush->mm->arch, flush->start, flush->end - flush->start, flush->tables);
    for (unsigned i = 0; i < flush->count; i++) {
        if (flush->due[i].count == 1)
            frame_put(flush->due[i].first);
        else
            frame_put_many(flush->due[i].first, flush->due[i].count);
    }
    flush_begin(flush, flush->mm);
}

void flush_put(struct flush *flush, struct frame *first, uint64_t count)
{
    if (flush->count == FLUSH_FRAMES)
        flush_end(flush);
    flush->due[flush->count].first = first;
    flush->due[flush->count].count = count;
    flush->count++;
}

static void flush_note(struct flush *flush, uint64_t va, int level)
{
    flush->start = min_u64(flush->start, va);
    flush->end = max_u64(flush->end, va + level_bytes(level));
}

/* ---- The setter --------------------------------------------------------- */

/* Store new over old, atomically against the CPU's own setting of A and D where the entry is
 * present. */
static bool entry_replace(pte_t *entry, pte_t old, pte_t new)
{
    if (planted_atomic(pte_present(old)))
        return arch_entry_cmpxchg(&entry->raw, old.raw, new.raw);
    __atomic_store_n(&entry->raw, new.raw, __ATOMIC_RELEASE);
    return true;
}

static void value_check(const struct slot *slot, const struct vma *vma, pte_t new)
{
    if (!planted_check(pte_check(new, vma_is_shstk(vma))))
        panic("page-table entry %#lx for %#lx in a VMA with flags %#x", new.raw, slot->va,
              vma->flags);
    if (slot->level > 1 && !vma_holds_leaf(vma, slot->va, slot->level))
        panic("the leaf %#lx for %#lx reaches out of the VMA [%#lx, %#lx)", new.raw, slot->va,
              vma->start, vma->end);
}

bool slot_set(const struct slot *slot, const struct vma *vma, pte_t old, pte_t new,
              enum trace_why why, struct flush *flush)
{
    value_check(slot, vma, new);
    if (!entry_replace(slot->entry, old, new))
        return false;
    slot->table->count += (uint16_t)(!pte_none(new) - !pte_none(old));
    if (pte_needs_flush(old, new))
        flush_note(flush, slot->va, slot->level);
    trace_entry(why, slot->level, slot->va, old.raw, new.raw);
    return true;
}

bool slot_move(const struct slot *slot, const struct vma *vma, pte_t old, pte_t new,
               enum trace_why why, struct flush *flush)
{
    struct mm *mm = flush->mm;
    if (__atomic_load_n(&mm->users, __ATOMIC_RELAXED) == 1)
        return slot_set(slot, vma, old, new, why, flush);
    value_check(slot, vma, new);
    if (!entry_replace(slot->entry, old, (pte_t){ 0 }))
        return false;
    if (planted_flush(true))
        arch_tlb_flush(&mm->arch, slot->va, level_bytes(slot->level), false);
    (void)entry_replace(slot->entry, (pte_t){ 0 }, new);
    trace_entry(why, slot->level, slot->va, old.raw, new.raw);
    return true;
}

/* Point an empty entry of table at a new, zeroed table; NULL when memory is out. The table's
 * lock is held. */
static struct frame *entry_make_table(struct frame *table, pte_t *entry)
{
    struct frame *below = frame_alloc_zeroed(FRAME_TABLE);
    if (!below)
        return NULL;
    below->count = 0;
    below->table.lock = (struct spinlock)SPINLOCK_INIT(LOCK_TABLE);
    (void)entry_replace(entry, (pte_t){ 0 }, pte_mktable(frame_pfn(below), true));
    table->count++;
    return below;
}

/* ---- Slots -------------------------------------------------------------- */

/* Step down without a lock, as far as there are tables, and lock the last one: *slot is va's
 * entry in it. */
static inline void slot_descend(struct mm *mm, uint64_t va, struct slot *slot)
{
    struct frame *table = mm->root;
    pte_t *entries = table_entries(table);
    for (int level = ROOT_LEVEL;; level--) {
        pte_t *entry = entries + level_index(va, level), pte = entry_read(entry);
        if (!pte_is_table(pte, level)) {
            *slot = (struct slot){ align_down(va, level_bytes(level)), entry, table, level };
            spin_lock(&table->table.lock);
            return;
        }
        table = entry_table(pte);
        entries = table_entries(table);
    }
}

int slot_own(struct mm *mm, const struct vma *vma, uint64_t va, struct slot *slot)
{
    int level = vma_leaf_level(vma);
    while (level > 1 && !vma_holds_leaf(vma, va, level))
        level--;
    for (;;) {
        slot_descend(mm, va, slot);
        pte_t pte = slot_read(slot);
        if (pte_is_leaf(pte, slot->level) || (pte_none(pte) && slot->level <= level))
            return 0;
        bool made = !pte_none(pte) || entry_make_table(slot->table, slot->entry);
        slot_release(slot); /* there is a table below now: step down again */
        if (!made)
            return -ENOMEM;
    }
}

bool slot_find(struct mm *mm, uint64_t va, struct slot *slot, uint64_t *next)
{
    for (;;) {
        slot_descend(mm, va, slot);
        pte_t pte = slot_read(slot);
        if (pte_is_leaf(pte, slot->level))
            return true;
        slot_release(slot);
        if (pte_none(pte)) {
            *next = slot->va + level_bytes(slot->level);
            return false;
        }
    }
}

int slot_split(struct slot *slot, const struct vma *vma, pte_t old, struct flush *flush)
{
    ASSERT(slot->level > 1);
    struct frame *below = frame_alloc_zeroed(FRAME_TABLE);
    if (!below) {
        slot_release(slot);
        return -ENOMEM;
    }
    below->table.lock = (struct spinlock)SPINLOCK_INIT(LOCK_TABLE);
    below->count = PT_ENTRIES;
    int level = slot->level - 1;
    pte_t leaf = old;
    if (level == 1)
        leaf.raw &= ~PTE_PS;
    for (int i = 0; i < PT_ENTRIES; i++) {
        ASSERT(pte_check(leaf, vma_is_shstk(vma)));
        table_entries(below)[i] = leaf; /* nobody can reach this table yet */
        leaf.raw += level_bytes(level);
    }
    pte_t new = pte_mktable(frame_pfn(below), true);
    if (entry_replace(slot->entry, old, new)) {
        trace_entry(TRACE_SPLIT, slot->level, slot->va, old.raw, new.raw);
        flush_note(flush, slot->va, slot->level);
    } else {
        arch_page_zero(table_entries(below));
        below->count = 0;
        frame_put(below);
    }
    slot_release(slot);
    return 0;
}

/* ---- Ranges ------------------------------------------------------------- */

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
static void span_begin(struct span *span, struct frame *table, int level, uint64_t start,
                       uint64_t end)
{
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
    table_visit(mm->root, ROOT_LEVEL, start, end, visit, context);
}

/* Empty one slot and hand its frames to flush. mm.lock, held for writing, keeps everyone but the
 * CPU away. */
static void leaf_zap(struct mm *mm, const struct vma *vma, const struct slot *slot,
                     struct flush *flush)
{
    pte_t pte;
    do {
        pte = slot_read(slot);
    } while (!slot_set(slot, vma, pte, (pte_t){ 0 }, TRACE_UNMAP, flush));
    if (!pte_check(pte, vma_is_shstk(vma)))
        check_report(slot, vma, pte); /* the last look at it */
    uint64_t frames = level_frames(slot->level);
    __atomic_sub_fetch(&mm->resident, frames, __ATOMIC_RELAXED);
    if (planted_drop(true))
        flush_put(flush, pfn_to_frame(pte_pfn(pte)), frames);
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
    pair_visit(parent->root, child->root, ROOT_LEVEL, start, end, visit, context);
}
