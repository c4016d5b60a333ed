/* SPDX-License-Identifier: MIT */
/*
 * The one seam for planted defects in mm/. Each hook stands around an expression and returns it
 * unchanged: in other builds the hooks are nothing but this file, and cost nothing. In the test
 * build tests/kernel/mm/planted.c makes the mistake that is switched on (base/defect.h), and names
 * the mistake's consequence.
 */
#ifndef MM_PLANTED_H
#define MM_PLANTED_H

#include "mm/fault.h"
#include "mm/table/table.h"

#ifdef CONFIG_TEST
/* share: the value of a leaf of these frames that two tables have from now on; then the copy's
 * alone */
pte_t planted_shared(const struct frame *first, pte_t old, pte_t new);
pte_t planted_child(const struct frame *first, pte_t new);
/* share: the references that the copy's leaf takes */
uint64_t planted_references(uint64_t frames);
/* share: the entry of a table that two tables have from now on; what is added to its sharers; is
 * nobody else left that shares it; what one that ends takes from the sharers */
pte_t planted_table_shared(pte_t old, pte_t new);
uint32_t planted_sharers(uint32_t more);
bool planted_alone(const struct frame *table, bool alone);
uint32_t planted_gone(uint32_t fewer);
/* share: does the leaf keep its rights when it is copied; what the entry holds until the copy of
 * its table takes its place; how owning the table below ended; does the address space share
 * tables */
bool planted_keeps(bool shared_mapping);
pte_t planted_present(const struct slot *slot, pte_t old);
int planted_owned(struct frame *below, int err);
bool planted_shares(bool shares);
/* share: does the range cover the whole table; is this the last entry that pointed to it */
bool planted_covers(bool covers);
bool planted_last(bool last);
/* flush: what waits for the flush; must it reach every CPU */
struct flush *planted_due(struct flush *flush);
bool planted_everywhere(bool everywhere);
/* gup: is the path to the leaf own */
bool planted_own(bool own);
/* fork: does the child get this VMA empty, or not at all */
bool planted_withheld(bool withheld);
/* fork: are all paths to be owned at once; the address space to take down again, because memory ran
 * out */
bool planted_leaves(bool wanted);
struct mm *planted_undo(struct mm *child);
/* fault: is this entry the last owner; the frame to copy from; why the access is refused */
bool planted_reuse(const struct vma *vma, bool last_owner);
struct frame *planted_source(const struct vma *vma, struct frame *from);
enum fault_outcome planted_refusal(struct mm *mm, const struct vma *vma, const struct fault *fault,
                                   enum fault_outcome refusal);
/* fault: the entry of a page that a pager provides */
pte_t planted_fill(pte_t new);
/* spurious: is the row of spurious faults full */
bool planted_row(bool full);
/* table: is a flush due; is a compare-and-exchange called for; may the value be stored; is the
 * reference to be dropped */
bool planted_flush(bool due);
bool planted_atomic(bool present);
bool planted_check(bool valid);
bool planted_drop(bool due);
/* check: what the walker adds to its count */
unsigned planted_findings(unsigned found);
/* race: is a flush due once the entry is clean */
bool planted_clean_flush(bool due);
/* source: must the leaves of the part that was cut off go */
bool planted_cut(bool due);
/* vma: the VMA whose room has grown because the one before it was removed */
struct vma *planted_room(struct vma *next);
/* remap: do the leaves move; is a leaf yet to be taken from its old place */
bool planted_moves(bool wanted);
bool planted_takes(bool due);
/* shstk: the VMA between its guard pages; is a token to be written */
struct vma *planted_guards(struct vma *vma);
bool planted_token(bool wanted);
#else
static inline pte_t planted_shared(const struct frame *first, pte_t old, pte_t new) { return new; }
static inline pte_t planted_child(const struct frame *first, pte_t new) { return new; }
static inline uint64_t planted_references(uint64_t frames) { return frames; }
static inline pte_t planted_table_shared(pte_t old, pte_t new) { return new; }
static inline uint32_t planted_sharers(uint32_t more) { return more; }
static inline bool planted_alone(const struct frame *table, bool alone) { return alone; }
static inline bool planted_keeps(bool shared_mapping) { return shared_mapping; }
static inline pte_t planted_present(const struct slot *slot, pte_t old) { return old; }
static inline int planted_owned(struct frame *below, int err) { return err; }
static inline bool planted_shares(bool shares) { return shares; }
static inline bool planted_covers(bool covers) { return covers; }
static inline bool planted_last(bool last) { return last; }
static inline struct flush *planted_due(struct flush *flush) { return flush; }
static inline bool planted_everywhere(bool everywhere) { return everywhere; }
static inline bool planted_own(bool own) { return own; }
static inline uint32_t planted_gone(uint32_t fewer) { return fewer; }
static inline bool planted_withheld(bool withheld) { return withheld; }
static inline bool planted_leaves(bool wanted) { return wanted; }
static inline struct mm *planted_undo(struct mm *child) { return child; }
static inline bool planted_reuse(const struct vma *vma, bool last_owner) { return last_owner; }
static inline struct frame *planted_source(const struct vma *vma, struct frame *from)
{
    return from;
}
static inline enum fault_outcome planted_refusal(struct mm *mm, const struct vma *vma,
                                                 const struct fault *fault,
                                                 enum fault_outcome refusal)
{
    return refusal;
}
static inline pte_t planted_fill(pte_t new) { return new; }
static inline bool planted_row(bool full) { return full; }
static inline bool planted_flush(bool due) { return due; }
static inline bool planted_atomic(bool present) { return present; }
static inline bool planted_check(bool valid) { return valid; }
static inline bool planted_drop(bool due) { return due; }
static inline unsigned planted_findings(unsigned found) { return found; }
static inline bool planted_clean_flush(bool due) { return due; }
static inline bool planted_cut(bool due) { return due; }
static inline struct vma *planted_room(struct vma *next) { return next; }
static inline bool planted_moves(bool wanted) { return wanted; }
static inline bool planted_takes(bool due) { return due; }
static inline struct vma *planted_guards(struct vma *vma) { return vma; }
static inline bool planted_token(bool wanted) { return wanted; }
#endif

#endif
