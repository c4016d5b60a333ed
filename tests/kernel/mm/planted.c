/* SPDX-License-Identifier: MIT */
/* The mistakes that planted.h can make, each with its consequence. */
#include "mm/planted.h"

#include "base/defect.h"
#include "mm/fault_cases.h"
#include "mm/phys/zero.h"
#include "mm/table/share.h"
#include "mm/vma/vma.h"

/* ---- Fork --------------------------------------------------------------- */

/*
 * fork_keeps_dirty: parent and child both keep an owned shadow stack on one frame, so that each
 * returns through addresses that the other has pushed. cow_not_moved: W and D go, COW is not set: a
 * modified page looks clean. leaf_stays_writable: in own tables, both store to one frame.
 */
pte_t planted_shared(const struct frame *first, pte_t old, pte_t new)
{
    if (first->kind == FRAME_SHSTK && defect_on(DEFECT_FORK_KEEPS_DIRTY))
        return old;
    if (first->kind == FRAME_ANON && defect_on(DEFECT_LEAF_STAYS_WRITABLE))
        return old;
    return defect_on(DEFECT_COW_NOT_MOVED) ? pte_mkclean(new) : new;
}

/* fork_parent_only: the child goes on pushing to the page that the parent still reads. */
pte_t planted_child(const struct frame *first, pte_t new)
{
    return first->kind == FRAME_SHSTK && defect_on(DEFECT_FORK_PARENT_ONLY) ? pte_mkwrite_shstk(new)
                                                                            : new;
}

/* ref_forgotten: the child's end takes the parent's frame away under the parent. */
uint64_t planted_references(uint64_t frames)
{
    return defect_on(DEFECT_REF_FORGOTTEN) ? 0 : frames;
}

/* table_stays_writable: below a shared table stores go on as if it were own. */
pte_t planted_table_shared(pte_t old, pte_t new)
{
    return defect_on(DEFECT_TABLE_STAYS_WRITABLE) ? old : new;
}

/* sharer_forgotten: the first of the two to go takes the table from under the other. */
uint32_t planted_sharers(uint32_t more) { return defect_on(DEFECT_SHARER_FORGOTTEN) ? 0 : more; }

/* table_taken: whoever stores first takes the shared table for itself, uncopied. refs_for_sharers:
 * the same, unless somebody else looks at the table just then. */
bool planted_alone(const struct frame *table, bool alone)
{
    if (defect_on(DEFECT_REFS_FOR_SHARERS))
        return frame_refs(table) == 1;
    return alone || defect_on(DEFECT_TABLE_TAKEN);
}

/* shared_mapping_closed: the first store to a shared mapping after fork finds no W, and no rule by
 * which to get it back. */
bool planted_keeps(bool shared_mapping)
{
    return shared_mapping && !defect_on(DEFECT_SHARED_MAPPING_CLOSED);
}

/* table_absent: other threads find nothing there, though all of it is mapped. */
pte_t planted_present(const struct slot *slot, pte_t old)
{
    if (!defect_on(DEFECT_TABLE_ABSENT))
        return old;
    while (!arch_entry_cmpxchg(&slot->entry->raw, old.raw, 0))
        old = slot_read(slot);
    return (pte_t){ 0 };
}

/* sharer_lost: one more such failure, and whoever is left takes a table that two use. */
int planted_owned(struct frame *below, int err)
{
    if (err && defect_on(DEFECT_SHARER_LOST))
        below->table.sharers--;
    return err;
}

/* protect_unowned: mprotect goes on to change leaves that others see as well. */
bool planted_shares(bool shares) { return shares && !defect_on(DEFECT_PROTECT_UNOWNED); }

/* part_dropped: what a range spares goes with what it covers. */
bool planted_covers(bool covers) { return covers || defect_on(DEFECT_PART_DROPPED); }

/* shared_table_freed: the others that share it are left with a table that is free. */
bool planted_last(bool last) { return last || defect_on(DEFECT_SHARED_TABLE_FREED); }

/* sharer_kept: the last owner copies the table, and the old one is never free again. */
uint32_t planted_gone(uint32_t fewer) { return defect_on(DEFECT_SHARER_KEPT) ? 0 : fewer; }

/* withheld_kept: a child finds the pages that were advised away from it. */
bool planted_withheld(bool withheld) { return withheld && !defect_on(DEFECT_WITHHELD_KEPT); }

/* fork_owns_all: right, and as slow as the memory is large. */
bool planted_leaves(bool wanted) { return wanted || defect_on(DEFECT_FORK_OWNS_ALL); }

/* oom_leak: the unfinished child keeps one user too many, so its tables are never freed. */
struct mm *planted_undo(struct mm *child)
{
    if (defect_on(DEFECT_OOM_LEAK))
        mm_hold(child);
    return child;
}

/* ---- Faults ------------------------------------------------------------- */

/* share_frame: a shared shadow stack is handed out for writing as it is, to both. */
bool planted_reuse(const struct vma *vma, bool last_owner)
{
    return last_owner || (vma_is_shstk(vma) && defect_on(DEFECT_SHARE_FRAME));
}

/* skip_copy (shadow stacks), skip_cow_copy (data): the new frame holds zeros. */
struct frame *planted_source(const struct vma *vma, struct frame *from)
{
    return defect_on(vma_is_shstk(vma) ? DEFECT_SKIP_COPY : DEFECT_SKIP_COW_COPY) ? zero_frame()
                                                                                  : from;
}

/* Make the shadow-stack page at va ordinary memory. */
static void page_open(struct mm *mm, const struct vma *vma, uint64_t va)
{
    struct flush flush;
    struct slot slot;
    uint64_t next;
    if (!slot_find(mm, va, &slot, &next))
        return;
    flush_begin(&flush, mm);
    pte_t old = slot_read(&slot);
    (void)!slot_set(&slot, vma, old, pte_mkwrite(old), TRACE_COW_REUSE, &flush);
    slot_release(&slot);
    flush_end(&flush);
}

/* refusals_off: an ordinary store to a shadow stack goes through, return addresses and all. */
enum fault_outcome planted_refusal(struct mm *mm, const struct vma *vma, const struct fault *fault,
                                   enum fault_outcome refusal)
{
    if (refusal != FAULT_BAD_SHSTK_STORE || !defect_on(DEFECT_REFUSALS_OFF))
        return refusal;
    if (!(vma->flags & VM_WRITE))
        return FAULT_BAD_PROTECTION;
    enum fault_outcome outcome = fault_resolve(mm, vma, fault->va, ACCESS_OWN);
    page_open(mm, vma, fault->va);
    return outcome;
}

/* fill_ordinary: a shadow stack's page that was provided can be stored to, and not returned to. */
pte_t planted_fill(pte_t new)
{
    return pte_shstk(new) && defect_on(DEFECT_FILL_ORDINARY) ? pte_mkwrite(new) : new;
}

/* spurious_forever: an instruction that can never go on faults for ever. */
bool planted_row(bool full) { return full && !defect_on(DEFECT_SPURIOUS_FOREVER); }

/* ---- Entries ------------------------------------------------------------ */

/* no_flush: a CPU keeps using translations that the tables no longer allow. */
bool planted_flush(bool due) { return due && !defect_on(DEFECT_NO_FLUSH); }

/* cut_flush_own: the other CPUs go on showing what the file has lost. */
bool planted_everywhere(bool everywhere) { return everywhere && !defect_on(DEFECT_CUT_FLUSH_OWN); }

/* put_before_flush: who is alone then writes to a table that another's CPU still walks. */
struct flush *planted_due(struct flush *flush)
{
    for (unsigned i = 0; i < flush->count && defect_on(DEFECT_PUT_BEFORE_FLUSH); i++) {
        if (flush->due[i].count == 0)
            table_put(flush->due[i].first, flush->due[i].level);
        else
            frame_put_many(flush->due[i].first, flush->due[i].count);
    }
    if (defect_on(DEFECT_PUT_BEFORE_FLUSH))
        flush->count = 0;
    return flush;
}

/* plain_store: bits that the CPU sets in the entry between the read and the store are lost. */
bool planted_atomic(bool present) { return present && !defect_on(DEFECT_PLAIN_STORE); }

/* refusals_off, fill_ordinary: the setter must store what it would panic on. */
bool planted_check(bool valid)
{
    return valid || defect_on(DEFECT_REFUSALS_OFF) || defect_on(DEFECT_FILL_ORDINARY);
}

/* ref_leak: an unmapped page's frame is never free again. */
bool planted_drop(bool due) { return due && !defect_on(DEFECT_REF_LEAK); }

/* walker_blind: the walker finds and repairs, but does not count. */
unsigned planted_findings(unsigned found) { return defect_on(DEFECT_WALKER_BLIND) ? 0 : found; }

/* clean_no_flush: other CPUs remember D=1 and store without looking at the clean entry. */
bool planted_clean_flush(bool due) { return due && !defect_on(DEFECT_CLEAN_NO_FLUSH); }

/* ---- VMAs --------------------------------------------------------------- */

/* stale_room: what was unmapped is not found when room is wanted. */
struct vma *planted_room(struct vma *next) { return defect_on(DEFECT_STALE_ROOM) ? NULL : next; }

/* remap_empty: what was moved reads as if it had never been touched. */
bool planted_moves(bool wanted) { return wanted && !defect_on(DEFECT_REMAP_EMPTY); }

/* remap_twice: a page that was moved is mapped in two places, and counted once. */
bool planted_takes(bool due) { return due && !defect_on(DEFECT_REMAP_TWICE); }

/* ---- Access from outside ------------------------------------------------ */

/* gup_unowned: what a debugger, or the kernel, writes appears in all that share the table. */
bool planted_own(bool own) { return own || defect_on(DEFECT_GUP_UNOWNED); }

/* ---- Shadow stacks ------------------------------------------------------ */

/* no_guard: an access beyond the stack's ends finds memory there. */
struct vma *planted_guards(struct vma *vma)
{
    if (defect_on(DEFECT_NO_GUARD)) {
        vma->start -= PAGE_SIZE;
        vma->end += PAGE_SIZE;
    }
    return vma;
}

/* token_unchecked: map_shadow_stack says it wrote a restore token, and wrote none. */
bool planted_token(bool wanted) { return wanted && !defect_on(DEFECT_TOKEN_UNCHECKED); }

/* ---- Sources ------------------------------------------------------------ */

/* stale_cut: from then on the file and its mappings differ. */
bool planted_cut(bool due) { return due && !defect_on(DEFECT_STALE_CUT); }
