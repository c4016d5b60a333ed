/* SPDX-License-Identifier: MIT */
/* Raw entries in tables, for mm/table/table.c (one address), mm/table/range.c (many) and
 * mm/table/share.c (whole tables). No other file includes this header: all others go through a
 * slot. */
#ifndef MM_ENTRY_H
#define MM_ENTRY_H

#include "base/panic.h"
#include "mm/planted.h"
#include "mm/table/table.h"
#include "mm/table/watch.h"

#define ROOT_LEVEL 4

static inline pte_t *table_entries(const struct frame *table) { return frame_va(table); }

static inline pte_t entry_read(const pte_t *entry)
{
    return (pte_t){ __atomic_load_n(&entry->raw, __ATOMIC_ACQUIRE) };
}

/* Store new over old, atomically against the CPU's own setting of A and D where the entry is
 * present. False when the CPU changed the entry first. */
static inline bool entry_replace(pte_t *entry, pte_t old, pte_t new)
{
    if (planted_atomic(pte_present(old)))
        return arch_entry_cmpxchg(&entry->raw, old.raw, new.raw);
    __atomic_store_n(&entry->raw, new.raw, __ATOMIC_RELEASE);
    return true;
}

static inline void large_value_check(const struct slot *slot, const struct vma *vma, pte_t new)
{
    if (!vma_holds_leaf(vma, slot->va, slot->level))
        panic("the leaf %#lx for %#lx reaches out of the VMA [%#lx, %#lx)", new.raw, slot->va,
              vma->start, vma->end);
    ASSERT(is_aligned(pte_pfn(new), level_frames(slot->level)));
}

/* An entry of table is in use from now on. */
static inline void entry_used(struct frame *table, const pte_t *entry)
{
    uint8_t half = (uint8_t)((uintptr_t)entry % PAGE_SIZE / (2 * sizeof(*entry)));
    if (half < table->low)
        table->low = half;
    table->count++;
}

static inline void value_check(const struct slot *slot, const struct vma *vma, pte_t new)
{
    if (!planted_check(pte_check(new, vma_is_shstk(vma))))
        panic("page-table entry %#lx for %#lx in a VMA with flags %#x", new.raw, slot->va,
              vma->flags);
    if (slot->level > 1)
        large_value_check(slot, vma, new);
}

/* The setter itself. All other files call it as slot_set(). */
static inline bool entry_set(const struct slot *slot, const struct vma *vma, pte_t old, pte_t new,
                             enum trace_why why, struct flush *flush)
{
    value_check(slot, vma, new);
    if (!entry_replace(slot->entry, old, new))
        return false;
    watch_leaf(old, new, slot->level);
    if (pte_none(old))
        entry_used(slot->table, slot->entry);
    else if (pte_none(new))
        slot->table->count--;
    if (pte_needs_flush(old, new))
        flush_note(flush, slot->va, slot->level);
    trace_entry(why, slot->level, slot->va, old.raw, new.raw);
    return true;
}

/* The table an entry points to. */
static inline struct frame *entry_table(pte_t entry)
{
    struct frame *table = pfn_to_frame(pte_pfn(entry));
    ASSERT(table->kind == FRAME_TABLE);
    return table;
}

/* Empty the slot, whose entry points to a table: mm.lock is held for writing. */
static inline void entry_clear(const struct slot *slot, struct flush *flush)
{
    while (!entry_replace(slot->entry, slot_read(slot), (pte_t){ 0 })) {}
    slot->table->count--;
    flush_note(flush, slot->va, slot->level);
}

#endif
