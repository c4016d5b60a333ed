/* SPDX-License-Identifier: MIT */
/*
 * Page tables: finding, changing, removing and pairing entries.
 *
 * Every table page is a frame of kind FRAME_TABLE; its count is the number of entries that are not empty, its lock
 * guards them. Tables come into being under mm.lock held for reading (by faults), and go only while it is held
 * for writing, so a walk that holds mm.lock may read the entries above its slot without their locks.
 */
#include "mm/table.h"

#include "base/defect.h"
#include "base/panic.h"
#include "mm/check.h"
#include "uapi/errno.h"

#define ROOT_LEVEL 4

static pte_t *table_entries(const struct frame *table) { return frame_va(table); }

static pte_t entry_read(const pte_t *entry)
{
    return (pte_t){ __atomic_load_n(&entry->raw, __ATOMIC_ACQUIRE) };
}

/* The table an entry points to. */
static struct frame *entry_table(pte_t entry)
{
    struct frame *table = pfn_to_frame(pte_pfn(entry));
    ASSERT(table->kind == FRAME_TABLE);
    return table;
}

/* ---- Flush and put ------------------------------------------------------------------------------------ */

void flush_end(struct flush *flush)
{
    if (flush->start < flush->end && !defect_on(DEFECT_NO_FLUSH))
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

/*
 * May a TLB hold something of old that is wrong under new? An entry with P=0 is never cached. Rights that only grow need
 * no flush: the CPU that faults on the old ones drops them (Intel SDM vol. 3, "Operations that Invalidate TLBs and
 * Paging-Structure Caches"), and the fault handler finds nothing left to do.
 */
static bool change_needs_flush(pte_t old, pte_t new)
{
    if (!pte_present(old))
        return false;
    return !pte_present(new) || pte_pfn(old) != pte_pfn(new) || (pte_write(old) && !pte_write(new)) ||
           (pte_hw_write(old) != pte_hw_write(new) && pte_shstk(old)) || (pte_exec(old) && !pte_exec(new)) ||
           (pte_young(old) && !pte_young(new)) || (pte_hw_dirty(old) && !pte_hw_dirty(new));
}

/* ---- The setter --------------------------------------------------------------------------------------- */

/* Store new over old, atomically against the CPU's own setting of A and D where the entry is present. */
static bool entry_replace(pte_t *entry, pte_t old, pte_t new)
{
    if (pte_present(old) && !defect_on(DEFECT_PLAIN_STORE))
        return arch_entry_cmpxchg(&entry->raw, old.raw, new.raw);
    __atomic_store_n(&entry->raw, new.raw, __ATOMIC_RELEASE);
    return true;
}

static void value_check(const struct slot *slot, const struct vma *vma, pte_t new)
{
    if (!pte_check(new, vma_is_shstk(vma)) && !defect_on(DEFECT_REFUSALS_OFF))
        panic("page-table entry %#lx for %#lx in a VMA with flags %#x", (unsigned long)new.raw,
              (unsigned long)slot->va, vma->flags);
}

bool slot_set(const struct slot *slot, const struct vma *vma, pte_t old, pte_t new, enum trace_why why,
              struct flush *flush)
{
    value_check(slot, vma, new);
    if (!entry_replace(slot->entry, old, new))
        return false;
    slot->table->count += (uint16_t)(!pte_none(new) - !pte_none(old));
    trace_entry(why, slot->level, slot->va, old.raw, new.raw);
    if (change_needs_flush(old, new))
        flush_note(flush, slot->va, slot->level);
    return true;
}

bool slot_move(const struct slot *slot, const struct vma *vma, pte_t old, pte_t new, enum trace_why why,
               struct flush *flush)
{
    struct mm *mm = flush->mm;
    if (__atomic_load_n(&mm->users, __ATOMIC_RELAXED) == 1)
        return slot_set(slot, vma, old, new, why, flush);
    value_check(slot, vma, new);
    if (!entry_replace(slot->entry, old, (pte_t){ 0 }))
        return false;
    if (!defect_on(DEFECT_NO_FLUSH))
        arch_tlb_flush(&mm->arch, slot->va, level_bytes(slot->level), false);
    (void)entry_replace(slot->entry, (pte_t){ 0 }, new);
    trace_entry(why, slot->level, slot->va, old.raw, new.raw);
    return true;
}

/* Point an empty entry of table at a new, zeroed table; NULL when memory is out. The table's lock is held. */
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

/* ---- Slots -------------------------------------------------------------------------------------------- */

static void slot_fill(struct slot *slot, struct frame *table, uint64_t va, int level)
{
    slot->va = align_down(va, level_bytes(level));
    slot->entry = table_entries(table) + level_index(va, level);
    slot->table = table;
    slot->level = level;
}

int slot_own(struct mm *mm, uint64_t va, int level, struct slot *slot)
{
    struct frame *table = mm->root;
    int at = ROOT_LEVEL;
    for (;;) {
        pte_t *entry = table_entries(table) + level_index(va, at);
        pte_t pte = entry_read(entry);
        if (pte_is_table(pte, at)) {            /* the usual step down needs no lock */
            table = entry_table(pte);
            at--;
            continue;
        }
        spin_lock(&table->table.lock);
        pte = entry_read(entry);
        if (!pte_is_table(pte, at)) {
            if (!pte_none(pte) || at <= level) {
                slot_fill(slot, table, va, at);
                return 0;
            }
            if (!entry_make_table(table, entry)) {
                spin_unlock(&table->table.lock);
                return -ENOMEM;
            }
        }
        spin_unlock(&table->table.lock);        /* there is a table below now: read it again */
    }
}

bool slot_find(struct mm *mm, uint64_t va, struct slot *slot, uint64_t *next)
{
    struct frame *table = mm->root;
    for (int at = ROOT_LEVEL;; at--) {
        pte_t *entry = table_entries(table) + level_index(va, at);
        pte_t pte = entry_read(entry);
        if (!pte_is_table(pte, at)) {
            spin_lock(&table->table.lock);
            pte = entry_read(entry);
            if (pte_is_leaf(pte, at)) {
                slot_fill(slot, table, va, at);
                return true;
            }
            spin_unlock(&table->table.lock);
            if (pte_none(pte)) {
                *next = align_down(va, level_bytes(at)) + level_bytes(at);
                return false;
            }
        }
        table = entry_table(pte);
    }
}

void slot_release(struct slot *slot)
{
    spin_unlock(&slot->table->table.lock);
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
        table_entries(below)[i] = leaf;         /* nobody can reach this table yet */
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

/* ---- Ranges ------------------------------------------------------------------------------------------- */

/*
 * The part of a range that one table covers: call it for each entry from first to last, which translate from va on.
 * Sparse tables are left early: no more than count entries can be in use.
 */
struct span {
    unsigned first, last;           /* entry indices, last included */
    unsigned in_use;                /* entries that are not empty, at most */
};

static struct span span_of(const struct frame *table, uint64_t start, uint64_t end, int level)
{
    unsigned in_use = level == ROOT_LEVEL ? PT_ENTRIES : table->count;
    return (struct span){ level_index(start, level), level_index(end - 1, level), in_use };
}

/* The bounds of what entry index of the table that holds start covers, cut to [start, end). */
static void entry_bounds(uint64_t start, uint64_t end, int level, unsigned index, uint64_t *from, uint64_t *to)
{
    uint64_t table_bytes = level_bytes(level + 1);
    uint64_t base = align_down(start, table_bytes) + index * level_bytes(level);
    *from = max_u64(start, base);
    *to = min_u64(end, base + level_bytes(level));
}

static void table_visit(struct frame *table, int level, uint64_t start, uint64_t end, leaf_visitor visit, void *context)
{
    struct span span = span_of(table, start, end, level);
    for (unsigned i = span.first; i <= span.last && span.in_use; i++) {
        pte_t pte = entry_read(table_entries(table) + i);
        if (pte_none(pte))
            continue;
        span.in_use--;
        uint64_t from, to;
        entry_bounds(start, end, level, i, &from, &to);
        if (pte_is_table(pte, level)) {
            table_visit(entry_table(pte), level - 1, from, to, visit, context);
            continue;
        }
        struct slot slot;
        slot_fill(&slot, table, from, level);
        spin_lock(&table->table.lock);
        visit(&slot, slot_read(&slot), context);
        spin_unlock(&table->table.lock);
    }
}

void tables_visit(struct mm *mm, uint64_t start, uint64_t end, leaf_visitor visit, void *context)
{
    table_visit(mm->root, ROOT_LEVEL, start, end, visit, context);
}

/* Empty one slot and hand its frames to flush. mm.lock, held for writing, keeps everyone but the CPU away. */
static void leaf_zap(struct mm *mm, const struct vma *vma, const struct slot *slot, struct flush *flush)
{
    pte_t pte;
    do {
        pte = slot_read(slot);
    } while (!slot_set(slot, vma, pte, (pte_t){ 0 }, TRACE_UNMAP, flush));
    if (!pte_check(pte, vma_is_shstk(vma)))
        check_report(slot, vma, pte);           /* the last look at it */
    uint64_t frames = level_frames(slot->level);
    __atomic_sub_fetch(&mm->resident, frames, __ATOMIC_RELAXED);
    if (!defect_on(DEFECT_REF_LEAK))
        flush_put(flush, pfn_to_frame(pte_pfn(pte)), frames);
}

static void table_zap(struct mm *mm, const struct vma *vma, struct frame *table, int level, uint64_t start, uint64_t end,
                      struct flush *flush)
{
    struct span span = span_of(table, start, end, level);
    for (unsigned i = span.first; i <= span.last && span.in_use; i++) {
        pte_t *entry = table_entries(table) + i;
        pte_t pte = entry_read(entry);
        if (pte_none(pte))
            continue;
        span.in_use--;
        uint64_t from, to;
        entry_bounds(start, end, level, i, &from, &to);
        if (!pte_is_table(pte, level)) {
            struct slot slot;
            slot_fill(&slot, table, from, level);
            leaf_zap(mm, vma, &slot, flush);
            continue;
        }
        struct frame *below = entry_table(pte);
        table_zap(mm, vma, below, level - 1, from, to, flush);
        if (below->count == 0) {
            while (!entry_replace(entry, entry_read(entry), (pte_t){ 0 })) {
            }
            table->count--;
            flush_note(flush, align_down(from, level_bytes(level)), level);
            flush->tables = true;
            flush_put(flush, below, 1);
        }
    }
}

void tables_zap(struct mm *mm, const struct vma *vma, uint64_t start, uint64_t end, struct flush *flush)
{
    table_zap(mm, vma, mm->root, ROOT_LEVEL, start, end, flush);
}

/* ---- Two address spaces ------------------------------------------------------------------------------- */

static int table_reserve(struct frame *child, const struct frame *parent, int level, uint64_t start, uint64_t end)
{
    struct span span = span_of(parent, start, end, level);
    for (unsigned i = span.first; i <= span.last && span.in_use; i++) {
        pte_t theirs = entry_read(table_entries(parent) + i);
        if (pte_none(theirs))
            continue;
        span.in_use--;
        if (!pte_is_table(theirs, level))
            continue;
        pte_t *entry = table_entries(child) + i;
        struct frame *below = pte_none(*entry) ? entry_make_table(child, entry) : entry_table(*entry);
        if (!below)
            return -ENOMEM;
        uint64_t from, to;
        entry_bounds(start, end, level, i, &from, &to);
        int err = level > 2 ? table_reserve(below, entry_table(theirs), level - 1, from, to) : 0;
        if (err)
            return err;
    }
    return 0;
}

int tables_reserve(struct mm *child, struct mm *parent, uint64_t start, uint64_t end)
{
    return table_reserve(child->root, parent->root, ROOT_LEVEL, start, end);
}

static void pair_visit(struct frame *parent, struct frame *child, int level, uint64_t start, uint64_t end,
                       pair_visitor visit, void *context)
{
    struct span span = span_of(parent, start, end, level);
    spin_lock_second(&parent->table.lock);
    for (unsigned i = span.first; i <= span.last && span.in_use; i++) {
        pte_t pte = entry_read(table_entries(parent) + i);
        if (pte_none(pte))
            continue;
        span.in_use--;
        uint64_t from, to;
        entry_bounds(start, end, level, i, &from, &to);
        if (pte_is_table(pte, level)) {
            pair_visit(entry_table(pte), entry_table(table_entries(child)[i]), level - 1, from, to, visit, context);
            continue;
        }
        struct slot theirs, ours;
        slot_fill(&theirs, parent, from, level);
        slot_fill(&ours, child, from, level);
        visit(&theirs, &ours, context);
    }
    spin_unlock(&parent->table.lock);
}

void tables_visit_pair(struct mm *parent, struct mm *child, uint64_t start, uint64_t end, pair_visitor visit, void *context)
{
    pair_visit(parent->root, child->root, ROOT_LEVEL, start, end, visit, context);
}
