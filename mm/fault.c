/* SPDX-License-Identifier: MIT */
/*
 * Page faults, one function a case.
 *
 *   refusals         fault_refusal()       the VMA does not allow the access; nothing changes
 *   stack growth     stack_grow()          just below a growing VMA; then as demand-zero
 *   nothing there    fault_demand_zero()   anonymous memory: the zero page for a read, a frame of
 * its own otherwise fault_file_page()     the file's frame, or a copy of it for a store something
 * there  own_reuse()           the last owner gets its page back: W=1, or W=0,D=1 for a shadow
 * stack own_copy()            somebody else holds the frame too: copy on write, copy on access
 *                    own_split()           a huge leaf that cannot be copied whole
 *                    spurious              the entry is right already; the TLB was stale
 *
 * Whether a page is data or a shadow stack makes no difference to who may reuse and who must copy:
 * only the kind of frame and the value of the entry differ, and both follow from the VMA
 * (owned_kind(), leaf_owned()).
 */
#include "mm/fault.h"

#include "base/panic.h"
#include "mm/fault_cases.h"
#include "mm/planted.h"
#include "mm/vma.h"
#include "mm/zero.h"
#include "uapi/errno.h"
#include "uapi/signal.h"

/* ---- Verdicts ----------------------------------------------------------- */

const struct fault_verdict *fault_verdict(enum fault_outcome outcome)
{
    static const struct fault_verdict verdicts[FAULT_OUTCOME_COUNT] = {
        [FAULT_BAD_NO_VMA] = { SIGSEGV, SEGV_MAPERR, "nothing is mapped there" },
        [FAULT_BAD_PROTECTION] = { SIGSEGV, SEGV_ACCERR, "the mapping does not allow it" },
        [FAULT_BAD_SHSTK_ACCESS] = { SIGSEGV, SEGV_ACCERR,
                                     "shadow-stack access outside a shadow stack" },
        [FAULT_BAD_SHSTK_STORE] = { SIGSEGV, SEGV_ACCERR, "store to a shadow stack" },
        [FAULT_BAD_FETCH] = { SIGSEGV, SEGV_ACCERR,
                              "instruction fetch from a page that is not executable" },
        [FAULT_BAD_BEYOND_FILE] = { SIGBUS, BUS_ADRERR, "beyond the end of the file" },
        [FAULT_BAD_NO_MEMORY] = { SIGKILL, SI_KERNEL, "out of memory" },
    };
    ASSERT(!fault_resolved(outcome));
    return &verdicts[outcome];
}

/* Why the VMA refuses the access, or FAULT_OK_SPURIOUS when it does not. Error bit 6 outranks
 * bit 1. */
static enum fault_outcome fault_refusal(const struct vma *vma, uint32_t error)
{
    if (error & FAULT_SHSTK) {
        if (!vma_is_shstk(vma))
            return FAULT_BAD_SHSTK_ACCESS;
        return vma->flags & VM_WRITE ? FAULT_OK_SPURIOUS : FAULT_BAD_PROTECTION;
    }
    if (error & FAULT_FETCH)
        return vma->flags & VM_EXEC ? FAULT_OK_SPURIOUS : FAULT_BAD_FETCH;
    if (error & FAULT_WRITE) {
        if (vma_is_shstk(vma))
            return FAULT_BAD_SHSTK_STORE;
        return vma->flags & VM_WRITE ? FAULT_OK_SPURIOUS : FAULT_BAD_PROTECTION;
    }
    return vma->flags & VM_PROT ? FAULT_OK_SPURIOUS : FAULT_BAD_PROTECTION;
}

/* ---- What an owned page looks like -------------------------------------- */

static enum frame_kind owned_kind(const struct vma *vma)
{
    return vma_is_shstk(vma) ? FRAME_SHSTK : FRAME_ANON;
}

/*
 * The entry of a page that only this mapping holds and that has been, or is about to be, modified:
 * (b) where only a debugger may write, else (c) for a shadow stack and (w) for data.
 */
static pte_t leaf_owned(const struct vma *vma, uint64_t pfn, int level)
{
    pte_t pte = pte_mkyoung(mk_leaf(pfn, vma_prot(vma), level));
    if (!(vma->flags & VM_WRITE))
        return pte_mkcow(pte);
    return vma_is_shstk(vma) ? pte_mkwrite_shstk(pte) : pte_mkdirty(pte_mkwrite(pte));
}

/* Is this entry the only holder of all frames of its leaf, and are they of a kind it may own?
 * Table locked. */
static inline bool leaf_is_last_owner(const struct vma *vma, pte_t pte, int level)
{
    struct frame *first = pfn_to_frame(pte_pfn(pte));
    if (first->kind != owned_kind(vma))
        return false;
    uint64_t i = 0;
    while (frame_refs(first + i) == 1) {
        if (++i == level_frames(level))
            return true;
    }
    return false;
}

bool leaf_allows(const struct vma *vma, pte_t pte, int level, enum access access)
{
    if (pte_none(pte))
        return false;
    if (access == ACCESS_READ)
        return true;
    if (!(vma->flags & VM_WRITE))
        return pte_cow(pte) && leaf_is_last_owner(vma, pte, level); /* state (b) */
    return vma_is_shstk(vma) ? pte_shstk(pte) : pte_hw_write(pte);
}

/* ---- Nothing there yet -------------------------------------------------- */

/* Frames for one leaf, undefined contents; NULL when memory is out. */
static struct frame *leaf_alloc(enum frame_kind kind, int level)
{
    return level == 1 ? frame_alloc(kind) : frame_alloc_block(kind, 9 * (unsigned)(level - 1));
}

static void leaf_zero(struct frame *first, int level)
{
    for (uint64_t i = 0; i < level_frames(level); i++)
        arch_page_zero(frame_va(first + i));
}

/* Put new into the empty slot. It must still be empty: the table is locked and the CPU never
 * fills an entry. */
static void slot_install(struct mm *mm, const struct slot *slot, const struct vma *vma, pte_t new,
                         enum trace_why why, struct flush *flush)
{
    if (!slot_set(slot, vma, (pte_t){ 0 }, new, why, flush))
        panic("an empty entry for %#lx changed under its lock", slot->va);
    __atomic_add_fetch(&mm->resident, level_frames(slot->level), __ATOMIC_RELAXED);
}

/*
 * Anonymous memory touched for the first time. A read gets the shared zero page, clean and
 * read-only, also in a shadow stack; anything else, and any huge leaf, gets zeroed frames of its
 * own.
 */
static enum fault_outcome fault_demand_zero(struct mm *mm, const struct vma *vma,
                                            const struct slot *slot, enum access access,
                                            struct flush *flush)
{
    if (access == ACCESS_READ && slot->level == 1) {
        struct frame *zero = zero_frame();
        frame_get(zero);
        slot_install(mm, slot, vma, pte_mkyoung(mk_leaf(frame_pfn(zero), vma_prot(vma), 1)),
                     TRACE_DEMAND_ZERO, flush);
        return FAULT_OK_DEMAND_ZERO;
    }
    struct frame *first = leaf_alloc(owned_kind(vma), slot->level);
    if (!first)
        return FAULT_BAD_NO_MEMORY;
    leaf_zero(first, slot->level);
    pte_t new = access == ACCESS_OWN
                    ? leaf_owned(vma, frame_pfn(first), slot->level)
                    : pte_mkyoung(mk_leaf(frame_pfn(first), vma_prot(vma), slot->level));
    slot_install(mm, slot, vma, new, TRACE_DEMAND_ZERO, flush);
    return FAULT_OK_DEMAND_ZERO;
}

/*
 * A page of a file. The file's own frame is mapped for reads and in shared mappings; a store to a
 * private mapping gets a copy at once. The source may wait for its own locks, so no table is locked
 * while it is asked.
 */
static enum fault_outcome fault_file_page(struct mm *mm, const struct vma *vma, uint64_t va,
                                          enum access access, struct flush *flush)
{
    struct frame *frame;
    int err = vma->source->frame(vma->source, vma_source_page(vma, va), &frame);
    if (err)
        return err == -ENOMEM ? FAULT_BAD_NO_MEMORY : FAULT_BAD_BEYOND_FILE;

    bool shared = vma->flags & VM_SHARED;
    if (access == ACCESS_OWN && !shared) {
        struct frame *copy = frame_alloc(FRAME_ANON);
        if (copy)
            arch_page_copy(frame_va(copy), frame_va(frame));
        frame_put(frame);
        if (!copy)
            return FAULT_BAD_NO_MEMORY;
        frame = copy;
    }
    struct slot slot;
    if (slot_own(mm, vma, va, &slot) != 0) {
        frame_put(frame);
        return FAULT_BAD_NO_MEMORY;
    }
    pte_t new = access == ACCESS_OWN && !shared
                    ? leaf_owned(vma, frame_pfn(frame), 1)
                    : pte_mkyoung(mk_leaf(frame_pfn(frame), vma_prot(vma), 1));
    if (pte_none(slot_read(&slot)))
        slot_install(mm, &slot, vma, new, TRACE_FILE_PAGE, flush);
    else
        /* another CPU was quicker; whatever it installed is looked at again */
        flush_put(flush, frame, 1);
    slot_release(&slot);
    return FAULT_OK_FILE;
}

/* ---- Something there, shared or not writable ---------------------------- */

/* The last owner takes its page back. False when the CPU changed the entry meanwhile. */
static bool own_reuse(const struct vma *vma, const struct slot *slot, pte_t old,
                      struct flush *flush)
{
    pte_t new = leaf_owned(vma, pte_pfn(old), slot->level);
    return slot_set(slot, vma, old, new, vma_is_shstk(vma) ? TRACE_SHSTK_REUSE : TRACE_COW_REUSE,
                    flush);
}

static void leaf_copy(const struct vma *vma, struct frame *to, struct frame *from, int level)
{
    for (uint64_t i = 0; i < level_frames(level); i++) {
        arch_page_copy(frame_va(to + i), frame_va(planted_source(vma, from + i)));
    }
}

/* Others hold the frame too: a copy replaces it here, and its reference is dropped once the TLB
 * is flushed. */
static enum fault_outcome own_copy(const struct vma *vma, const struct slot *slot, pte_t old,
                                   struct flush *flush)
{
    struct frame *from = pfn_to_frame(pte_pfn(old));
    struct frame *to = leaf_alloc(owned_kind(vma), slot->level);
    if (!to)
        return FAULT_BAD_NO_MEMORY;
    leaf_copy(vma, to, from, slot->level);
    pte_t new = leaf_owned(vma, frame_pfn(to), slot->level);
    uint64_t frames = level_frames(slot->level);
    if (slot_move(slot, vma, old, new, vma_is_shstk(vma) ? TRACE_SHSTK_COPY : TRACE_COW_COPY,
                  flush))
        flush_put(flush, from, frames);
    else
        flush_put(flush, to, frames); /* the CPU set A meanwhile: the access comes again */
    return vma_is_shstk(vma) ? FAULT_OK_SHSTK_COPY : FAULT_OK_COW_COPY;
}

/* A huge leaf gives way to smaller ones, of which one is copied when the access comes again.
 * Releases the slot. */
static COLD enum fault_outcome own_split(const struct vma *vma, struct slot *slot, pte_t old,
                                         struct flush *flush)
{
    return slot_split(slot, vma, old, flush) == 0 ? FAULT_OK_SPLIT : FAULT_BAD_NO_MEMORY;
}

/* Give the page to this mapping alone. Releases the slot. */
static enum fault_outcome fault_own(const struct vma *vma, struct slot *slot, pte_t old,
                                    struct flush *flush)
{
    enum fault_outcome outcome;
    if (planted_reuse(vma, leaf_is_last_owner(vma, old, slot->level))) {
        outcome = vma_is_shstk(vma) ? FAULT_OK_SHSTK_REUSE : FAULT_OK_COW_REUSE;
        if (!own_reuse(vma, slot, old, flush))
            outcome = FAULT_OK_SPURIOUS; /* look again */
    } else if (slot->level == 3) {
        return own_split(vma, slot, old, flush);
    } else {
        outcome = own_copy(vma, slot, old, flush);
        if (outcome == FAULT_BAD_NO_MEMORY && slot->level > 1)
            return own_split(vma, slot, old, flush);
    }
    slot_release(slot);
    return outcome;
}

/* ---- The way through ---------------------------------------------------- */

enum fault_outcome fault_resolve(struct mm *mm, const struct vma *vma, uint64_t va,
                                 enum access access)
{
    struct flush flush;
    flush_begin(&flush, mm);
    struct slot slot;
    if (slot_own(mm, vma, va, &slot) != 0)
        return FAULT_BAD_NO_MEMORY;

    enum fault_outcome outcome;
    pte_t old = slot_read(&slot);
    if (pte_none(old) && vma->source) {
        slot_release(&slot);
        outcome = fault_file_page(mm, vma, va, access, &flush);
    } else if (pte_none(old)) {
        outcome = fault_demand_zero(mm, vma, &slot, access, &flush);
        slot_release(&slot);
    } else if (leaf_allows(vma, old, slot.level, access)) {
        outcome = FAULT_OK_SPURIOUS;
        slot_release(&slot);
    } else {
        outcome = fault_own(vma, &slot, old, &flush);
    }
    flush_end(&flush);
    return outcome;
}

/*
 * Let the growing VMA above va grow down to it: within the stack's limit, no nearer to the VMA
 * below than the gap, and never to where a null pointer leads. Takes mm.lock for writing and drops
 * it; true when va is mapped now.
 */
static COLD bool stack_grow(struct mm *mm, uint64_t va)
{
    uint64_t page = align_down(va, PAGE_SIZE);
    write_lock(&mm->lock);
    struct vma *vma = vma_find(mm, va);
    bool grown = vma && vma_contains(vma, va);
    if (vma && !grown && vma->flags & VM_GROWSDOWN && vma->end - page <= mm->stack_limit
        && page >= USER_START) {
        ASSERT(!vma->source && vma_leaf_level(vma) == 1); /* else more would have to move */
        struct vma *below = vma_prev(mm, vma);
        grown = !below || below->end + max_u64(vma_gap_below(vma), vma_gap_above(below)) <= page;
        if (grown)
            vma->start = page;
    }
    write_unlock(&mm->lock);
    return grown;
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
    return fault_resolve(mm, vma, fault->va, access);
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
        if (!may_grow || !stack_grow(mm, fault->va))
            return outcome;
    }
}

const struct fault_verdict *entry_page_fault(struct mm *mm, const struct fault *fault)
{
    enum fault_outcome outcome = mm_fault(mm, fault);
    return __builtin_expect(fault_resolved(outcome), 1) ? NULL : fault_verdict(outcome);
}
