/* SPDX-License-Identifier: MIT */
/*
 * Page tables, one address at a time: finding its entry, and the one function that changes it.
 *
 * Every table page is a frame of kind FRAME_TABLE; its count is the number of entries that are not
 * empty, its lock guards them. Own tables come into being under mm.lock held for reading (by
 * faults), and go only while it is held for writing, so a walk that holds mm.lock may read the
 * entries of own tables above its slot without their locks. mm/table/share.h says what is own, and
 * how to walk the rest.
 */
#include "mm/table/table.h"

#include "mm/table/check.h"
#include "mm/table/entry.h"
#include "mm/table/share.h"
#include "uapi/errno.h"

struct frame *table_create(void)
{
    struct frame *table = frame_alloc_zeroed(FRAME_TABLE);
    if (table) {
        table->table.lock = (struct spinlock)SPINLOCK_INIT(LOCK_TABLE);
        table->table.sharers = 1;
        table->low = 0xff;
    }
    return table;
}

/* Spare tables are chained by pfn; 0 ends the chain. */
int table_spare(struct mm *mm)
{
    struct frame *table = table_create();
    if (!table)
        return -ENOMEM;
    table->table.sharers = mm->spare ? (uint32_t)frame_pfn(mm->spare) : 0;
    mm->spare = table;
    return 0;
}

static struct frame *spare_take(struct mm *mm)
{
    struct frame *table = mm->spare;
    mm->spare = table->table.sharers ? pfn_to_frame(table->table.sharers) : NULL;
    table->table.sharers = 1;
    return table;
}

void tables_unspare(struct mm *mm)
{
    while (mm->spare)
        frame_put(spare_take(mm));
}

/* ---- The setter --------------------------------------------------------- */

bool slot_set(const struct slot *slot, const struct vma *vma, pte_t old, pte_t new,
              enum trace_why why, struct flush *flush)
{
    ASSERT(slot_is_own(slot));
    return entry_set(slot, vma, old, new, why, flush);
}

bool slot_move(const struct slot *slot, const struct vma *vma, pte_t old, pte_t new,
               enum trace_why why, struct flush *flush)
{
    struct mm *mm = flush->mm;
    if (__atomic_load_n(&mm->users, __ATOMIC_RELAXED) == 1)
        return slot_set(slot, vma, old, new, why, flush);
    ASSERT(slot_is_own(slot));
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

/* Step down without a lock as far as own tables exist, and lock the last one. The slot is va's
 * entry in that table: a leaf, empty, or a table that is shared or has just been made. */
static inline void slot_descend(struct mm *mm, uint64_t va, struct slot *slot)
{
    struct frame *table = mm->root;
    pte_t *entries = arch_phys_to_virt(mm->arch.root);
    for (int level = ROOT_LEVEL;; level--) {
        pte_t *entry = entries + level_index(va, level), pte = entry_read(entry);
        if (!pte_is_own_table(pte, level)) {
            spin_lock(&table->table.lock);
            *slot = (struct slot){ align_down(va, level_bytes(level)), entry, table, level, 0, 0 };
            return;
        }
        table = entry_table(pte);
        entries = table_entries(table);
    }
}

/* Make the table below the locked slot exist, and be own. 1 if it was shared, else 0, or
 * -ENOMEM. */
static int below_own(struct mm *mm, const struct slot *at, pte_t pte)
{
    if (pte_none(pte)) {
        struct frame *below = mm->spare ? spare_take(mm) : table_create();
        if (!below)
            return -ENOMEM;
        (void)entry_replace(at->entry, pte, pte_mktable(frame_pfn(below), true));
        entry_used(at->table, at->entry);
        return 0;
    }
    if (pte_is_own_table(pte, at->level))
        return 0; /* another CPU has just seen to it */
    int err = table_own(mm, at);
    return err ? err : 1;
}

static inline __attribute__((always_inline)) int leaf_own(struct mm *mm, uint64_t va, int level,
                                                          struct slot *slot)
{
    for (int shared = 0;;) {
        slot_descend(mm, va, slot);
        pte_t pte = slot_read(slot);
        if (pte_is_leaf(pte, slot->level) || (pte_none(pte) && slot->level <= level))
            return shared;
        int result = below_own(mm, slot, pte);
        slot_release(slot); /* step down again: there is an own table below now */
        if (result < 0)
            return result;
        shared |= result;
    }
}

int slot_own(struct mm *mm, const struct vma *vma, uint64_t va, struct slot *slot)
{
    int level = vma_leaf_level(vma);
    while (level > 1 && !vma_holds_leaf(vma, va, level))
        level--;
    return leaf_own(mm, va, level, slot);
}

int slot_own_level(struct mm *mm, uint64_t va, int level, struct slot *slot)
{
    return leaf_own(mm, va, level, slot);
}

/* Step down to va's entry in the table below, and lock that in place of this one. */
static void slot_step(struct slot *slot, uint64_t va, pte_t pte)
{
    struct frame *below = entry_table(pte);
    int level = slot->level - 1;
    spin_lock_second(&below->table.lock);
    slot_release(slot);
    if (slot_is_own(slot) && !pte_hw_write(pte)) {
        slot->shared_level = slot->level;
        slot->sharers = below->table.sharers;
    }
    slot->va = align_down(va, level_bytes(level));
    slot->entry = table_entries(below) + level_index(va, level);
    slot->table = below;
    slot->level = level;
}

bool slot_find(struct mm *mm, uint64_t va, struct slot *slot, uint64_t *next)
{
    slot_descend(mm, va, slot);
    pte_t pte;
    while (pte_is_table(pte = slot_read(slot), slot->level))
        slot_step(slot, va, pte);
    if (!pte_none(pte))
        return true;
    slot_release(slot);
    *next = slot->va + level_bytes(slot->level);
    return false;
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
    table->low = 0;
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
