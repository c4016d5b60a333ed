/* SPDX-License-Identifier: MIT */
/*
 * Page tables, one address at a time: finding its entry, and the one function that changes it.
 *
 * Every table page is a frame of kind FRAME_TABLE; its count is the number of entries that are not
 * empty, its lock guards them. Tables come into being under mm.lock held for reading (by faults),
 * and go only while it is held for writing, so a walk that holds mm.lock may read the entries above
 * its slot without their locks.
 */
#include "mm/table/table.h"

#include "mm/table/check.h"
#include "mm/table/entry.h"
#include "uapi/errno.h"

struct frame *table_create(void)
{
    struct frame *table = frame_alloc_zeroed(FRAME_TABLE);
    if (table)
        table->table.lock = (struct spinlock)SPINLOCK_INIT(LOCK_TABLE);
    return table;
}

/* ---- The setter --------------------------------------------------------- */

bool slot_set(const struct slot *slot, const struct vma *vma, pte_t old, pte_t new,
              enum trace_why why, struct flush *flush)
{
    return entry_set(slot, vma, old, new, why, flush);
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
    watch_leaf(old, new, slot->level);
    trace_entry(why, slot->level, slot->va, old.raw, new.raw);
    return true;
}

/* ---- Slots -------------------------------------------------------------- */

/* Step down without a lock as far as tables exist, and lock the last one. The slot is va's entry in
 * that table. */
static inline struct slot slot_descend(struct mm *mm, uint64_t va)
{
    struct frame *table = mm->root;
    pte_t *entries = arch_phys_to_virt(mm->arch.root);
    for (int level = ROOT_LEVEL;; level--) {
        pte_t *entry = entries + level_index(va, level), pte = entry_read(entry);
        if (!pte_is_table(pte, level)) {
            spin_lock(&table->table.lock);
            return (struct slot){ align_down(va, level_bytes(level)), entry, table, level };
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
        struct slot at = slot_descend(mm, va);
        pte_t pte = slot_read(&at);
        if (pte_is_leaf(pte, at.level) || (pte_none(pte) && at.level <= level)) {
            *slot = at;
            return 0;
        }
        bool made = !pte_none(pte) || entry_make_table(at.table, at.entry);
        slot_release(&at); /* there is a table below now: step down again */
        if (!made)
            return -ENOMEM;
    }
}

bool slot_find(struct mm *mm, uint64_t va, struct slot *slot, uint64_t *next)
{
    for (;;) {
        *slot = slot_descend(mm, va);
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

/* Fill a table that no CPU can reach yet with the leaves that replace one leaf of the level
 * above. */
static void table_fill(struct frame *table, int level, const struct vma *vma, pte_t leaf)
{
    if (level == 1)
        leaf.raw &= ~PTE_PS;
    for (int i = 0; i < PT_ENTRIES; i++) {
        ASSERT(pte_check(leaf, vma_is_shstk(vma)));
        table_entries(table)[i] = leaf;
        leaf.raw += level_bytes(level);
    }
    table->count = PT_ENTRIES;
}

/* The allocator takes tables back with nothing in them. */
static void table_empty(struct frame *table)
{
    arch_page_zero(table_entries(table));
    table->count = 0;
}

int slot_split(const struct slot *slot, const struct vma *vma, pte_t old, struct flush *flush)
{
    ASSERT(slot->level > 1 && pte_is_leaf(old, slot->level));
    struct frame *below = table_create();
    if (!below)
        return -ENOMEM;
    table_fill(below, slot->level - 1, vma, old);
    pte_t new = pte_mktable(frame_pfn(below), true);
    if (entry_replace(slot->entry, old, new)) {
        trace_entry(TRACE_SPLIT, slot->level, slot->va, old.raw, new.raw);
        flush_note(flush, slot->va, slot->level);
    } else {
        table_empty(below);
        frame_put(below);
    }
    return 0;
}
