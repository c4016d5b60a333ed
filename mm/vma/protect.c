/* SPDX-License-Identifier: MIT */
/*
 * Changing what mappings allow, and what a program advises about them. Each call first makes sure
 * that it can be carried out, then changes the VMAs, then the entries.
 */
#include "base/panic.h"
#include "mm/oracle.h"
#include "mm/table/share.h"
#include "mm/vma/cut.h"
#include "mm/vma/place.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

/* ---- Protecting --------------------------------------------------------- */

struct protecting {
    const struct vma *vma;
    struct flush *flush;
};

/*
 * Give a leaf the VMA's new rights. A private page keeps W only if it had W and the VMA still
 * allows W. A page without W gets it back at its next store, when the fault finds out whether it is
 * shared.
 */
static void leaf_protect(const struct slot *slot, pte_t old, void *context)
{
    struct protecting *protecting = context;
    const struct vma *vma = protecting->vma;
    for (;; old = slot_read(slot)) {
        pgprot_t prot = vma_prot(vma);
        if (vma->flags & VM_WRITE && pte_hw_write(old))
            prot.raw |= PTE_W;
        if (slot_set(slot, vma, old, pte_modify(old, prot), TRACE_PROTECT, protecting->flush))
            return;
    }
}

/* May all of [start, *end) get these rights? If not, *end becomes the first address that may not.
 */
static int protect_allowed(struct mm *mm, uint64_t start, uint64_t *end, uint32_t prot)
{
    int err = 0;
    struct vma *vma = vma_find(mm, start);
    for (uint64_t at = start; at < *end; at = vma->end, vma = vma_next(mm, vma)) {
        if (!vma || vma->start > at)
            err = -ENOMEM;
        else if (vma_is_shstk(vma) && prot & VM_EXEC)
            err = -EINVAL;
        else if (vma->flags & VM_WRITE_DENIED && prot & VM_WRITE)
            err = -EACCES;
        else if (prot & ~vma->flags & VM_WRITE
                 && !vma_room(mm, (vma->flags & ~VM_PROT) | prot, at, min_u64(vma->end, *end)))
            err = -ENOMEM;
        if (err)
            *end = at;
        if (err || vma->end >= *end)
            break;
    }
    return err;
}

/* Give every VMA of [start, end), and its leaves, the new rights. No VMA reaches over start or
 * end. */
static void range_protect(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot)
{
    struct flush flush;
    flush_begin(&flush, mm);
    oracle_begin(mm, start);
    for (struct vma *vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(mm, vma)) {
        vma->flags = (vma->flags & ~VM_PROT) | prot;
        struct protecting protecting = { vma, &flush };
        tables_visit(mm, vma->start, vma->end, leaf_protect, &protecting);
    }
    flush_end(&flush);
    oracle_protect(start, end, prot);
}

/*
 * One step of mm_protect() on [at, end). *stop says where the next step begins. If the step ends
 * inside a VMA, the VMA must be cut there; if there is no memory for the cut, this step is the
 * last. A range of which only the beginning may be protected ends there, with an error.
 */
static int protect_step(struct mm *mm, uint64_t at, uint64_t end, uint32_t prot, uint64_t *stop)
{
    struct spare spare;
    int refused = protect_allowed(mm, at, &end, prot);
    *stop = end;
    if (at == end)
        return refused;
    uint64_t middle = step_end(mm, at, end);
    int err = tables_own(mm, at, end);
    if (!err)
        err = spare_prepare(mm, at, end, &spare);
    if (err)
        return err;
    range_cut(mm, at, end, &spare);
    if (middle < end && spare_prepare(mm, at, middle, &spare) == 0) {
        range_cut(mm, at, middle, &spare);
        *stop = middle;
    }
    range_protect(mm, at, *stop, prot);
    range_merge(mm, at, *stop);
    return *stop == end ? refused : 0;
}

/* May [start, start + len), which becomes whole pages, be protected or advised about? */
static int range_check(uint64_t start, uint64_t *len)
{
    uint64_t pages = align_up(*len, PAGE_SIZE);
    if (!is_aligned(start, PAGE_SIZE) || pages < *len)
        return -EINVAL;
    *len = pages;
    return !pages || range_is_user(start, pages) ? 0 : -ENOMEM;
}

/* Own the tables of a range of many steps, in steps, while nothing has been protected yet. A single
 * step owns its own. */
static int range_own(struct mm *mm, uint64_t start, uint64_t end, mm_breathe breathe)
{
    uint64_t stop = step_end(mm, start, end);
    int err = 0;
    for (uint64_t at = start; !err && stop < end; at = stop) {
        stop = step_end(mm, at, end);
        err = tables_own(mm, at, stop);
        if (!err && stop < end)
            step_pause(mm, breathe);
    }
    return err;
}

int mm_protect(struct mm *mm, uint64_t start, uint64_t len, uint32_t prot, mm_breathe breathe)
{
    int err = range_check(start, &len);
    if (err || !len)
        return err;
    write_lock(&mm->lock);
    err = mm->shares ? range_own(mm, start, start + len, breathe) : 0;
    for (uint64_t at = start, stop; !err; at = stop) {
        err = protect_step(mm, at, start + len, prot, &stop);
        if (err || stop == start + len)
            break;
        step_pause(mm, breathe);
    }
    write_unlock(&mm->lock);
    return err;
}

/* ---- Advice ------------------------------------------------------------- */

/* Drop the leaves of [*at, end). *at becomes the end of the part that was looked at. A hole is an
 * error even so. A part of a huge leaf is an error as well, and is left alone. Without memory for
 * tables the rest stays: -EAGAIN, whatever else there was. */
static int range_discard(struct mm *mm, uint64_t *at, uint64_t end)
{
    struct flush flush;
    flush_begin(&flush, mm);
    int err = 0;
    for (struct vma *vma = vma_find(mm, *at); vma && vma->start < end; vma = vma_next(mm, vma)) {
        uint64_t from = max_u64(vma->start, *at), to = min_u64(vma->end, end);
        if (from > *at)
            err = -ENOMEM;
        *at = to;
        if (!is_aligned(from | to, level_bytes(vma_leaf_level(vma)))) {
            err = -EINVAL;
        } else if (tables_own_ends(mm, from, to)) {
            err = -EAGAIN;
            break;
        } else {
            oracle_begin(mm, from);
            tables_drop(mm, from, to, &flush);
            tables_zap(mm, vma, from, to, &flush);
            oracle_unmap(from, to);
        }
    }
    flush_end(&flush);
    return *at < end && err != -EAGAIN ? -ENOMEM : err;
}

int mm_discard(struct mm *mm, uint64_t start, uint64_t len, mm_breathe breathe)
{
    int result = range_check(start, &len);
    if (result || !len)
        return result;
    uint64_t at = start, end = start + len;
    write_lock(&mm->lock);
    for (;;) {
        uint64_t stop = step_end(mm, at, end);
        int err = range_discard(mm, &at, stop);
        result = err ? err : result;
        if (stop == end || err == -EAGAIN)
            break;
        at = stop;
        step_pause(mm, breathe);
    }
    write_unlock(&mm->lock);
    return result;
}

/* 1 if the whole range is mapped, and 0 if there is a hole; but -EINVAL if it is to be private
 * anonymous memory and some of it is not. */
static int advice_allowed(struct mm *mm, uint64_t start, uint64_t end, bool private)
{
    uint64_t at = start;
    int whole = 1;
    for (struct vma *vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(mm, vma)) {
        if (private && (vma->source || vma->flags & VM_SHARED))
            return -EINVAL;
        whole &= vma->start <= at;
        at = vma->end;
    }
    return whole && at >= end;
}

int mm_advise(struct mm *mm, uint64_t start, uint64_t len, uint32_t set, uint32_t clear,
              bool private)
{
    int err = range_check(start, &len);
    if (err || !len)
        return err;
    uint64_t end = start + len;
    struct spare spare;
    write_lock(&mm->lock);
    int allowed = advice_allowed(mm, start, end, private);
    err = allowed < 0 ? allowed : 0;
    if (!err && (set | clear))
        err = spare_prepare(mm, start, end, &spare);
    if (!err && (set | clear)) {
        range_cut(mm, start, end, &spare);
        for (struct vma *vma = vma_find(mm, start); vma && vma->start < end;
             vma = vma_next(mm, vma))
            vma->flags = (vma->flags & ~clear) | set;
        range_merge(mm, start, end);
    }
    if (!err && !allowed)
        err = -ENOMEM;
    write_unlock(&mm->lock);
    return err;
}
