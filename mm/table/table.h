/* SPDX-License-Identifier: MIT */
/*
 * Reaching and changing page-table entries: the only door to them. "Own the path to this address,
 * then set": a slot names an entry of a table this address space may change, with that table's lock
 * held; no code keeps a table pointer past slot_release(). Private to mm/.
 */
#ifndef MM_TABLE_H
#define MM_TABLE_H

#include "base/trace.h"
#include "mm/mm.h"
#include "mm/table/flush.h"

/* An empty table, unlocked, to which one entry is about to point; NULL when memory is out. */
MUST_CHECK struct frame *table_create(void);

/*
 * Set a table aside, for the next that has to be made in mm: 0 or -ENOMEM. Then give back those
 * that were not needed. mm.lock held for writing.
 */
MUST_CHECK int table_spare(struct mm *mm);
void tables_unspare(struct mm *mm);

/* ---- Slots -------------------------------------------------------------- */

struct slot {
    uint64_t va; /* lowest address the entry translates */
    pte_t *entry;
    struct frame *table; /* locked */
    int level;           /* of the entry: 1, 2 or 3 */
    /* of the highest entry with W=0 on the way here, and how many share the table below that one;
     * 0 and 0: the path is own, and the entry may change */
    int shared_level;
    uint32_t sharers;
};

static inline bool slot_is_own(const struct slot *slot) { return slot->shared_level == 0; }

/*
 * Own the path to the entry for a leaf of vma at va, which vma contains: the leaf that is there,
 * whatever its level, or else an empty entry of the level that vma wants, or of a lower one where a
 * leaf would reach out of vma or a huge leaf was split. Tables on the way are made, and shared ones
 * owned. 1 if there was a shared one, else 0, with the table locked; or -ENOMEM. mm.lock held, for
 * reading at least.
 */
MUST_CHECK int slot_own(struct mm *mm, const struct vma *vma, uint64_t va, struct slot *slot);
/* The same for an empty entry of exactly this level. */
MUST_CHECK int slot_own_level(struct mm *mm, uint64_t va, int level, struct slot *slot);
/*
 * The leaf that translates va, for looking only unless slot_is_own():
 * its table may be shared. Nothing
 * is made or owned. False, and nothing locked, when there is no leaf; *next is then an address
 * above va below which there is none.
 */
MUST_CHECK bool slot_find(struct mm *mm, uint64_t va, struct slot *slot, uint64_t *next);
static inline void slot_release(struct slot *slot) { spin_unlock(&slot->table->table.lock); }

static inline pte_t slot_read(const struct slot *slot)
{
    return (pte_t){ __atomic_load_n(&slot->entry->raw, __ATOMIC_RELAXED) };
}
static inline leaf_t slot_leaf(const struct slot *slot)
{
    return (leaf_t){ slot_read(slot), slot->level };
}

/* The first of the frames that a leaf maps; leaf_frames() of them lie side by side. */
static inline struct frame *leaf_first(leaf_t leaf) { return pfn_to_frame(pte_pfn(leaf.pte)); }

/*
 * The one setter. Put new in the slot if it still holds old; false, with nothing changed, when the
 * CPU changed it meanwhile: read it again. Panics when new breaks the invariant for vma, or reaches
 * out of it. Records in flush the flush that is now due. The caller sees to the references.
 */
MUST_CHECK bool slot_set(const struct slot *slot, const struct vma *vma, pte_t old, pte_t new,
                         enum trace_why why, struct flush *flush);

/*
 * The same for a leaf whose frame changes. Where several tasks run the address space, the entry is
 * empty until no CPU translates by the old one: otherwise one CPU could still read the old frame
 * after another has written to the new. The table stays locked, so a task that faults on the empty
 * entry waits and finds the new one.
 */
MUST_CHECK bool slot_move(const struct slot *slot, const struct vma *vma, pte_t old, pte_t new,
                          enum trace_why why, struct flush *flush);

/*
 * Replace the leaf in slot (level 2 or 3, value old) by a table of 512 leaves of the level below
 * that translate the same. 0 (also when the entry changed meanwhile: look again) or -ENOMEM. No
 * count changes. The slot stays locked, but holds no leaf any more: release it.
 */
MUST_CHECK int slot_split(const struct slot *slot, const struct vma *vma, pte_t old,
                          struct flush *flush);

/* ---- Whole ranges. mm.lock held for writing. ---------------------------- */

/* Called for each leaf with its table locked. */
typedef void (*leaf_visitor)(const struct slot *slot, pte_t pte, void *context);
/* Visit every leaf in [start, end), lowest first; a leaf that only overlaps the range counts. */
void tables_visit(struct mm *mm, uint64_t start, uint64_t end, leaf_visitor visit, void *context);

/*
 * Remove every leaf of vma in [start, end), and the tables left empty. Frames go to flush. The
 * paths are own (tables_own_ends() and tables_drop() have seen to that), unless flush.everywhere:
 * then leaves go from shared tables too, for all that share them.
 */
void tables_zap(struct mm *mm, const struct vma *vma, uint64_t start, uint64_t end,
                struct flush *flush);

/* How many frames the leaves map, PROT_NONE ones included; but counting may stop at enough. Without
 * shared, what lies below an entry with W=0 does not count. */
uint64_t tables_count(struct mm *mm, uint64_t enough, bool shared);

#endif
