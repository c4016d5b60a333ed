/* SPDX-License-Identifier: MIT */
/*
 * Fork: the child gets the parent's VMAs and the same frames; both lose the right to change them in
 * place.
 *
 * The child's root becomes a copy of the parent's, so that both share every table
 * (mm/table/share.h). To share leaves instead, both then own every path at once: the child copies
 * the tables, and the parent, alone again, takes its own back. The parent's TLB is flushed once,
 * before either runs.
 */
#include "mm/oracle.h"
#include "mm/planted.h"
#include "mm/table/share.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

/* From this many mapped frames on, tables are shared: fewer than the smallest program has, for
 * which that costs 1 % more at worst (docs/book/08-fork-in-constant-time.md has the curve). */
#define TABLES_FROM 12

static int vmas_copy(struct mm *child, struct mm *parent)
{
    child->brk_start = parent->brk_start;
    child->brk = parent->brk;
    return vma_copy_all(child, parent);
}

/* What shares tables already had that many frames. */
static bool leaves_are_wanted(struct mm *parent, enum fork_way way)
{
    if (way == FORK_AUTO)
        return !parent->shares && tables_count(parent, TABLES_FROM, true) < TABLES_FROM;
    return way == FORK_LEAVES;
}

/* Does a child get this VMA empty, or not at all? */
static bool is_withheld(const struct vma *vma)
{
    return planted_withheld(vma->flags & (VM_DONTFORK | VM_WIPEONFORK));
}

/* Take the leaves of such VMAs from the child. On failure the child has none but own tables
 * left. */
static int leaves_withhold(struct mm *child, struct mm *parent)
{
    struct flush flush;
    flush_begin(&flush, child);
    int err = 0;
    bool any = false;
    mm_for_each_vma(parent, vma)
    {
        any |= is_withheld(vma);
        if (is_withheld(vma) && !err)
            err = tables_own_ends(child, vma->start, vma->end);
    }
    if (!any)
        return 0;
    if (err)
        tables_drop(child, 0, USER_END, &flush);
    mm_for_each_vma(parent, vma)
    {
        if (!is_withheld(vma))
            continue;
        tables_drop(child, vma->start, vma->end, &flush);
        tables_zap(child, vma, vma->start, vma->end, &flush);
    }
    flush_end(&flush);
    return err;
}

/* Give the child the parent's memory. On failure the child may have a part of it. */
static int memory_share(struct mm *child, struct mm *parent, enum fork_way way)
{
    struct flush flush;
    flush_begin(&flush, parent);
    write_lock_second(&child->lock);
    tables_share(parent, child, &flush);
    int err = leaves_withhold(child, parent);
    if (!err && planted_leaves(leaves_are_wanted(parent, way))) {
        err = tables_own_all(child);
        if (!err)
            err = tables_own_all(parent);
    }
    write_unlock(&child->lock);
    flush_end(&flush);
    return err;
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

int mm_fork(struct mm *parent, enum fork_way way, struct mm **result)
{
    struct mm *child = mm_create();
    if (!child)
        return -ENOMEM;
    write_lock(&parent->lock);
    oracle_begin(parent, 0);
    int err = vmas_copy(child, parent);
    if (!err)
        err = memory_share(child, parent, way);
    if (!err)
        vmas_attach(child, parent);
    oracle_fork(child, err == 0);
    write_unlock(&parent->lock);
    if (err)
        mm_put(planted_undo(child));
    else
        *result = child;
    return err;
}
