/* SPDX-License-Identifier: MIT */
/*
 * Page faults, one function a case.
 *
 *   mm_fault(): an address and an error code
 *      |
 *      | 1. a VMA there?           no: vma_grow(), just below a growing one; else refused
 *      | 2. fault_refusal()        the VMA does not allow the access: refused, nothing changes
 *      |
 *   fault_resolve(): an access that the VMA allows
 *      |
 *      | 3. slot_own()             own the path to the entry; its table is locked from here on
 *      |
 *      +-- the entry is empty, anonymous memory    4. fault_demand_zero(); or a pager must be asked
 *      |                       a file              5. fault_file_page()
 *      +-- it allows the access                    6. spurious: the TLB was stale
 *      +-- it does not                             7. fault_own()
 *             |
 *             +-- nobody else holds the frame      8. own_reuse()    the page comes back
 *             +-- others do                        9. own_copy()     a copy takes its place
 *             +-- a leaf too large to be copied   10. slot_split()   then again, on a smaller one
 *
 * What it does to a page of data (above) and of a shadow stack (below); the letters are those of
 * docs/book/02-paging.md. "own" is a store, or for a shadow stack any shadow-stack access.
 *
 *              empty     empty      shared, others    shared, nobody
 *              read      own        hold it: own      else does: own
 *
 *      data    -> r      -> w       a -> w  a copy    a -> w  the same frame
 *      stack   -> r      -> c       d -> c  a copy    d -> c  the same frame
 *
 * Whether a page may be reused or must be copied is thus decided in one place for both kinds. They
 * differ only in page_class(), leaf_owned() and leaf_allows().
 */
#include "mm/fault.h"

#include "base/panic.h"
#include "mm/fault_cases.h"
#include "mm/oracle.h"
#include "mm/phys/zero.h"
#include "mm/planted.h"
#include "mm/spurious.h"
#include "mm/vma/place.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

/* ---- Refusing ----------------------------------------------------------- */

/* Why the VMA refuses the access, or FAULT_OK_SPURIOUS when it does not. Error bit 6 outranks bit
 * 1, and no VMA can allow a reserved bit. */
static enum fault_outcome fault_refusal(const struct vma *vma, uint32_t error)
{
    if (error & (FAULT_FETCH | FAULT_RESERVED)) {
        if (error & FAULT_RESERVED)
            return FAULT_BAD_RESERVED;
        return vma->flags & VM_EXEC ? FAULT_OK_SPURIOUS : FAULT_BAD_FETCH;
    }
    if (error & FAULT_SHSTK) {
        if (!vma_is_shstk(vma))
            return FAULT_BAD_SHSTK_ACCESS;
        return vma->flags & VM_WRITE ? FAULT_OK_SPURIOUS : FAULT_BAD_PROTECTION;
    }
    if (error & FAULT_WRITE) {
        if (vma_is_shstk(vma))
            return FAULT_BAD_SHSTK_STORE;
        return vma->flags & VM_WRITE ? FAULT_OK_SPURIOUS : FAULT_BAD_PROTECTION;
    }
    return vma->flags & VM_PROT ? FAULT_OK_SPURIOUS : FAULT_BAD_PROTECTION;
}

/* ---- Data and shadow stacks --------------------------------------------- */

/* How private pages of data and of shadow stacks differ for the code that counts frames. */
struct page_class {
    enum frame_kind kind; /* of the frames that an entry may own */
    struct {
        enum trace_why why;
        enum fault_outcome outcome;
    } reuse, copy;
};

static const struct page_class *page_class(const struct vma *vma)
{
    static const struct page_class data = { FRAME_ANON,
                                            { TRACE_COW_REUSE, FAULT_OK_COW_REUSE },
                                            { TRACE_COW_COPY, FAULT_OK_COW_COPY } };
    static const struct page_class shstk = { FRAME_SHSTK,
                                             { TRACE_SHSTK_REUSE, FAULT_OK_SHSTK_REUSE },
                                             { TRACE_SHSTK_COPY, FAULT_OK_SHSTK_COPY } };
    return vma_is_shstk(vma) ? &shstk : &data;
}

/* Is this entry the only holder of all frames of its leaf, and are they of a kind it may own?
 * Table locked. */
static inline bool leaf_is_last_owner(const struct vma *vma, leaf_t leaf)
{
    struct frame *first = leaf_first(leaf);
    if (first->kind != page_class(vma)->kind)
        return false;
    for (struct frame *frame = first; frame < first + leaf_frames(leaf); frame++) {
        if (frame_refs(frame) != 1)
            return false;
    }
    return true;
}

/* leaf_allows(), for the way of every fault. */
static inline bool allows(const struct vma *vma, leaf_t leaf, enum access access)
{
    if (access == ACCESS_READ)
        return true;
    if (!(vma->flags & VM_WRITE))
        return pte_cow(leaf.pte) && leaf_is_last_owner(vma, leaf); /* state (b) */
    return vma_is_shstk(vma) ? pte_shstk(leaf.pte) : pte_hw_write(leaf.pte);
}

bool leaf_allows(const struct vma *vma, leaf_t leaf, enum access access)
{
    return allows(vma, leaf, access);
}

/* ---- Nothing there yet -------------------------------------------------- */

/* Frames for one leaf, undefined contents; NULL when memory is out. */
static struct frame *leaf_alloc(enum frame_kind kind, int level)
{
    return level == 1 ? frame_alloc(kind) : frame_alloc_block(kind, level_order(level));
}

/* What an untouched anonymous page holds: the zero page, with another reference, where that will
 * do, else zeroed frames of its own. NULL when memory is out. */
static struct frame *leaf_alloc_zeroed(const struct vma *vma, int level, enum access access)
{
    if (access == ACCESS_READ && level == 1) {
        frame_get(zero_frame());
        return zero_frame();
    }
    struct frame *first = leaf_alloc(page_class(vma)->kind, level);
    for (uint64_t i = 0; first && i < level_frames(level); i++)
        arch_page_zero(frame_va(first + i));
    return first;
}

/* Put new into the empty slot. It must still be empty: the table is locked and the CPU never
 * fills an entry. */
static void slot_install(const struct slot *slot, const struct vma *vma, pte_t new,
                         enum trace_why why, struct flush *flush)
{
    if (!slot_set(slot, vma, (pte_t){ 0 }, new, why, flush))
        panic("an empty entry for %#lx changed under its lock", slot->va);
}

/*
 * Anonymous memory touched for the first time. A read gets the shared zero page, clean and
 * read-only, also in a shadow stack; anything else, and any huge leaf, gets zeroed frames of its
 * own. A pager's memory gets nothing: the pager must be asked. Table locked, before and after.
 */
static enum fault_outcome fault_demand_zero(const struct vma *vma, const struct slot *slot,
                                            enum access access, struct flush *flush)
{
    if (__builtin_expect(vma->flags & (VM_SHARED | VM_PAGED), 0)) {
        ASSERT(vma->flags & VM_PAGED); /* shared memory has a source */
        return FAULT_BAD_MISSING;
    }
    struct frame *first = leaf_alloc_zeroed(vma, slot->level, access);
    if (!first)
        return FAULT_BAD_NO_MEMORY;
    pte_t new = access == ACCESS_OWN ? leaf_owned(vma, frame_pfn(first), slot->level)
                                     : leaf_clean(vma, frame_pfn(first), slot->level);
    slot_install(slot, vma, new, TRACE_DEMAND_ZERO, flush);
    return FAULT_OK_DEMAND_ZERO;
}

/* A private copy of a file's page, in exchange for the reference on that; NULL when memory is
 * out. */
static struct frame *file_copy(struct frame *page)
{
    struct frame *copy = frame_alloc(FRAME_ANON);
    if (copy)
        arch_page_copy(frame_va(copy), frame_va(page));
    frame_put(page);
    return copy;
}

/*
 * A page of a file. The file's own frame is mapped for reads and in shared mappings; a store to a
 * private mapping gets a copy at once. The source may wait for its own locks, so no table is locked
 * while the source is asked. None is locked on return.
 */
static enum fault_outcome fault_file_page(struct mm *mm, const struct vma *vma, uint64_t va,
                                          enum access access, struct flush *flush)
{
    bool copied = access == ACCESS_OWN && !(vma->flags & VM_SHARED);
    struct frame *frame;
    int err = vma->source->frame(vma->source, vma_source_page(vma, va), &frame);
    if (err)
        return err == -ENOMEM ? FAULT_BAD_NO_MEMORY : FAULT_BAD_BEYOND_FILE;
    if (copied)
        frame = file_copy(frame);
    if (!frame)
        return FAULT_BAD_NO_MEMORY;
    struct slot slot;
    if (slot_own(mm, vma, va, &slot) < 0) {
        frame_put(frame);
        return FAULT_BAD_NO_MEMORY;
    }
    pte_t new = copied ? leaf_owned(vma, frame_pfn(frame), 1)
                       : leaf_clean(vma, frame_pfn(frame), 1);
    if (pte_none(slot_read(&slot)))
        slot_install(&slot, vma, new, TRACE_FILE_PAGE, flush);
    else /* another CPU was faster; the access is tried again on what it installed */
        flush_put(flush, frame, 1);
    slot_release(&slot);
    return FAULT_OK_FILE;
}

/* ---- A page is there, but shared or not writable. Table locked, before and after.
 * ------------- */

/* The last owner takes its page back. */
static enum fault_outcome own_reuse(const struct vma *vma, const struct slot *slot, leaf_t old,
                                    struct flush *flush)
{
    const struct page_class *class = page_class(vma);
    pte_t new = leaf_owned(vma, pte_pfn(old.pte), old.level);
    bool set = slot_set(slot, vma, old.pte, new, class->reuse.why, flush);
    return set ? class->reuse.outcome : FAULT_OK_SPURIOUS; /* the CPU set A or D: look again */
}

/* Others hold the frame too: a copy replaces it here, and its reference is dropped once the TLB
 * is flushed. */
static enum fault_outcome own_copy(const struct vma *vma, const struct slot *slot, leaf_t old,
                                   struct flush *flush)
{
    const struct page_class *class = page_class(vma);
    struct frame *from = leaf_first(old), *to = leaf_alloc(class->kind, old.level);
    if (!to)
        return FAULT_BAD_NO_MEMORY;
    for (uint64_t i = 0; i < leaf_frames(old); i++)
        arch_page_copy(frame_va(to + i), frame_va(planted_source(vma, from + i)));
    pte_t new = leaf_owned(vma, frame_pfn(to), old.level);
    bool moved = slot_move(slot, vma, old.pte, new, class->copy.why, flush);
    /* give back the frame that is not in the entry; if that is the copy, the CPU set A: look
     * again */
    flush_put(flush, moved ? from : to, leaf_frames(old));
    return class->copy.outcome;
}

/* Give the page to this mapping alone. */
static enum fault_outcome fault_own(const struct vma *vma, const struct slot *slot, leaf_t old,
                                    struct flush *flush)
{
    ASSERT(!(vma->flags & VM_SHARED)); /* entries of shared memory have all its rights at once */
    if (planted_reuse(vma, leaf_is_last_owner(vma, old)))
        return own_reuse(vma, slot, old, flush);
    enum fault_outcome outcome = FAULT_BAD_NO_MEMORY;
    if (old.level < 3)
        outcome = own_copy(vma, slot, old, flush);
    if (outcome == FAULT_BAD_NO_MEMORY && old.level > 1)
        return slot_split(slot, vma, old.pte, flush) ? FAULT_BAD_NO_MEMORY : FAULT_OK_SPLIT;
    return outcome;
}

/* ---- The way through ---------------------------------------------------- */

static enum fault_outcome access_resolve(struct mm *mm, const struct vma *vma, uint64_t va,
                                         enum access access)
{
    struct flush flush;
    flush_begin(&flush, mm);
    struct slot slot;
    int shared = slot_own(mm, vma, va, &slot);
    if (shared < 0)
        return FAULT_BAD_NO_MEMORY;
    leaf_t leaf = slot_leaf(&slot);
    bool of_file = false;
    enum fault_outcome outcome = shared ? FAULT_OK_OWN : FAULT_OK_SPURIOUS;
    if (!pte_none(leaf.pte)) {
        if (!allows(vma, leaf, access))
            outcome = fault_own(vma, &slot, leaf, &flush);
    } else if (vma->source) {
        of_file = true;
    } else {
        outcome = fault_demand_zero(vma, &slot, access, &flush);
    }
    slot_release(&slot);
    if (of_file)
        outcome = fault_file_page(mm, vma, va, access, &flush);
    flush_end(&flush);
    return outcome;
}

enum fault_outcome fault_resolve(struct mm *mm, const struct vma *vma, uint64_t va,
                                 enum access access)
{
    oracle_begin(mm, va);
    enum fault_outcome outcome = access_resolve(mm, vma, va, access);
    oracle_fault(vma, va, access == ACCESS_OWN, outcome);
    return outcome;
}

/* One try with mm.lock held for reading. FAULT_BAD_NO_VMA with *may_grow: a growing VMA lies
 * above. */
static enum fault_outcome fault_try(struct mm *mm, const struct fault *fault, bool *may_grow)
{
    const struct vma *vma = vma_find(mm, fault->va);
    if (!vma || fault->va < vma->start) {
        *may_grow = vma && vma->flags & VM_GROWSDOWN
                    && !(fault->error & (FAULT_SHSTK | FAULT_FETCH));
        return FAULT_BAD_NO_VMA;
    }
    enum fault_outcome refusal = fault_refusal(vma, fault->error);
    if (!fault_resolved(refusal))
        return planted_refusal(mm, vma, fault, refusal);
    enum access access = fault->error & (FAULT_SHSTK | FAULT_WRITE) ? ACCESS_OWN : ACCESS_READ;
    enum fault_outcome outcome = fault_resolve(mm, vma, fault->va, access);
    return outcome == FAULT_OK_SPURIOUS ? fault_spurious(mm, fault) : outcome;
}

enum fault_outcome mm_fault(struct mm *mm, const struct fault *fault)
{
    if (fault->va >= USER_END)
        return FAULT_BAD_NO_VMA;
    for (;;) {
        bool may_grow = false;
        read_lock(&mm->lock);
        enum fault_outcome outcome = fault_try(mm, fault, &may_grow);
        read_unlock(&mm->lock);
        if (!may_grow || !vma_grow(mm, fault->va))
            return outcome;
    }
}
