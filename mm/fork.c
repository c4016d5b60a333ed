/* SPDX-License-Identifier: MIT */
/*
 * Fork: the child gets the parent's VMAs and the same frames; both lose the right to change them in
 * place.
 *
 * All that can fail comes first: the VMAs, then a table for every table of the parent. Then the
 * leaves are shared, which cannot fail, and the parent's TLB is flushed once, before either runs.
 */
#include "base/panic.h"
#include "mm/planted.h"
#include "mm/table/check.h"
#include "mm/table/table.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

static int vmas_copy(struct mm *child, struct mm *parent)
{
    child->brk_start = parent->brk_start;
    child->brk = parent->brk;
    child->stack_limit = parent->stack_limit;
    return vma_copy_all(child, parent);
}

/* Does the child get the leaves of this VMA? */
static bool leaves_are_shared(const struct vma *vma)
{
    return !(vma->flags & (VM_DONTFORK | VM_WIPEONFORK));
}

/* One walk for each run of shared VMAs that lie close together: between them there is no VMA, so
 * there are no tables either. */
static int all_tables_reserve(struct mm *child, struct mm *parent)
{
    uint64_t start = 0, end = 0; /* the run so far */
    mm_for_each_vma(parent, vma)
    {
        bool shared = leaves_are_shared(vma);
        if (start < end && (!shared || vma->start - end > level_bytes(2))) {
            int err = tables_reserve(child, parent, start, end);
            if (err)
                return err;
            end = start;
        }
        if (shared && start >= end)
            start = vma->start;
        if (shared)
            end = vma->end;
    }
    return start < end ? tables_reserve(child, parent, start, end) : 0;
}

/*
 * The value a leaf has in parent and child once it is shared. Data loses W, a shadow stack its D,
 * and what D recorded moves to COW: states (a) and (d). Pages of shared mappings stay as they are.
 */
static pte_t leaf_shared(const struct vma *vma, pte_t pte)
{
    if (vma->flags & VM_SHARED)
        return pte;
    return planted_shared(vma, pte, pte_wrprotect(pte));
}

struct sharing {
    const struct vma *vma;
    struct mm *child;
    struct flush *flush;       /* the parent's */
    struct flush *child_flush; /* stays empty: the child has never run */
};

/* Give the parent's leaf its shared value, and return that value. The CPU may set bits in the leaf
 * meanwhile. */
static pte_t parent_share(const struct slot *slot, const struct vma *vma, struct flush *flush)
{
    for (;;) {
        pte_t old = slot_read(slot), new = leaf_shared(vma, old);
        if (!pte_check(old, vma_is_shstk(vma)))
            check_report(slot, vma, old);
        if (pte_same(old, new) || slot_set(slot, vma, old, new, TRACE_FORK_PARENT, flush))
            return new;
    }
}

static void leaf_share(const struct slot *parent, const struct slot *child, void *context)
{
    struct sharing *sharing = context;
    const struct vma *vma = sharing->vma;
    leaf_t leaf = { parent_share(parent, vma, sharing->flush), parent->level };
    frame_get_many(leaf_first(leaf), planted_references(leaf_frames(leaf)));
    sharing->child->resident += leaf_frames(leaf);
    if (!slot_set(child, vma, (pte_t){ 0 }, planted_child(vma, leaf.pte), TRACE_FORK_CHILD,
                  sharing->child_flush))
        panic("fork: the child's entry for %#lx is not empty", child->va);
}

/* Share every leaf and flush the parent's TLB: its old entries still allow stores. */
static void leaves_share(struct mm *child, struct mm *parent)
{
    struct flush flush, child_flush;
    flush_begin(&flush, parent);
    flush_begin(&child_flush, child);
    mm_for_each_vma(parent, vma)
    {
        struct sharing sharing = { vma, child, &flush, &child_flush };
        if (leaves_are_shared(vma))
            tables_visit_pair(parent, child, vma->start, vma->end, leaf_share, &sharing);
    }
    flush_end(&flush);
}

/* The child's VMAs have their leaves: from now on cuts of their sources reach them. */
static void vmas_attach(struct mm *child, struct mm *parent)
{
    struct list *link = child->vmas.next;
    mm_for_each_vma(parent, vma)
    {
        if (vma->flags & VM_DONTFORK)
            continue;
        vma_attach(child, vma_of_link(link), vma);
        link = link->next;
    }
}

int mm_fork(struct mm *parent, struct mm **result)
{
    struct mm *child = mm_create();
    if (!child)
        return -ENOMEM;
    write_lock(&parent->lock);
    int err = vmas_copy(child, parent);
    if (!err)
        err = all_tables_reserve(child, parent);
    if (!err) {
        leaves_share(child, parent); /* from here on nothing can fail */
        vmas_attach(child, parent);
    }
    write_unlock(&parent->lock);
    if (err)
        mm_put(planted_undo(child)); /* frees its empty tables as well */
    else
        *result = child;
    return err;
}
