/* SPDX-License-Identifier: MIT */
/*
 * VMAs whose missing pages come from somebody else. A page is missing while its entry is empty. All
 * that looks at that, or ends it, holds the lock of the entry's table: so whoever is told that a
 * page is missing is told before the page is there.
 */
#include "mm/vma/pager.h"

#include "mm/fault_cases.h"
#include "mm/phys/zero.h"
#include "mm/planted.h"
#include "mm/vma/cut.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

/* ---- Whose they are ----------------------------------------------------- */

static struct spinlock pagers_lock = SPINLOCK_INIT(LOCK_PAGER);

void mm_pager_begin(struct mm *mm, struct vm_pager *pager)
{
    spin_lock(&pagers_lock);
    pager->mm = mm;
    pager->next = mm->pagers;
    mm->pagers = pager;
    spin_unlock(&pagers_lock);
}

struct mm *mm_pager_hold(struct vm_pager *pager)
{
    spin_lock(&pagers_lock);
    struct mm *mm = pager->mm && mm_try_hold(pager->mm) ? pager->mm : NULL;
    spin_unlock(&pagers_lock);
    return mm;
}

void pagers_forget(struct mm *mm)
{
    spin_lock(&pagers_lock);
    for (struct vm_pager *pager = mm->pagers; pager; pager = pager->next)
        pager->mm = NULL;
    spin_unlock(&pagers_lock);
}

/* ---- What they are asked for -------------------------------------------- */

/* Give [start, end), which VMAs do not reach over, a pager, or none. */
static void range_set(struct mm *mm, uint64_t start, uint64_t end, struct vm_pager *pager)
{
    for (struct vma *vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(mm, vma)) {
        vma->pager = pager;
        vma->flags = (vma->flags & ~VM_PAGED) | (pager ? VM_PAGED : 0);
    }
    range_merge(mm, start, end);
}

static int range_check(struct mm *mm, uint64_t start, uint64_t end, const struct vm_pager *pager,
                       bool add)
{
    const struct vma *vma = vma_find(mm, start);
    if (!vma || vma->start >= end)
        return -EINVAL;
    for (; vma && vma->start < end; vma = vma_next(mm, vma)) {
        if (vma->source || vma_leaf_level(vma) != 1)
            return -EINVAL;
        if (vma->pager && vma->pager != pager)
            return add ? -EBUSY : -EINVAL;
    }
    return 0;
}

int mm_pager_set(struct mm *mm, uint64_t start, uint64_t end, struct vm_pager *pager, bool add)
{
    struct spare spare;
    write_lock(&mm->lock);
    int err = range_check(mm, start, end, pager, add);
    if (!err)
        err = spare_prepare(mm, start, end, &spare);
    if (!err) {
        range_cut(mm, start, end, &spare);
        range_set(mm, start, end, add ? pager : NULL);
    }
    write_unlock(&mm->lock);
    return err;
}

/* Nobody asks it for pages of mm any more. */
static void vmas_forget(struct mm *mm, const struct vm_pager *pager)
{
    write_lock(&mm->lock);
    struct vma *vma;
    for (uint64_t at = 0, end; (vma = vma_find(mm, at)) != NULL; at = end) {
        end = vma->end;
        if (vma->pager == pager)
            range_set(mm, vma->start, end, NULL);
    }
    write_unlock(&mm->lock);
}

/* An address space whose last user has just left still knows its pagers, until it forgets them. */
void mm_pager_end(struct vm_pager *pager)
{
    struct mm *mm = mm_pager_hold(pager);
    if (mm)
        vmas_forget(mm, pager);
    spin_lock(&pagers_lock);
    if (pager->mm) {
        struct vm_pager **at = &pager->mm->pagers;
        while (*at != pager)
            at = &(*at)->next;
        *at = pager->next;
    }
    spin_unlock(&pagers_lock);
    if (mm)
        mm_put(mm);
}

/* ---- Missing pages ------------------------------------------------------ */

bool mm_missing(struct mm *mm, uint64_t va, void (*use)(struct vm_pager *, void *), void *context)
{
    struct slot slot;
    read_lock(&mm->lock);
    const struct vma *vma = vma_find(mm, va);
    bool missing = vma && vma->start <= va && vma->pager && slot_own(mm, vma, va, &slot) >= 0;
    if (missing) {
        missing = pte_none(slot_read(&slot));
        if (missing)
            use(vma->pager, context);
        slot_release(&slot);
    }
    read_unlock(&mm->lock);
    return missing;
}

/* The VMA of a pager that contains [va, end), or NULL. mm.lock held for reading. */
static const struct vma *paged_find(struct mm *mm, uint64_t va, uint64_t end)
{
    const struct vma *vma = vma_find(mm, va);
    return vma && vma->start <= va && end <= vma->end && vma->pager ? vma : NULL;
}

static enum frame_kind kind_of(const struct vma *vma)
{
    return vma_is_shstk(vma) ? FRAME_SHSTK : FRAME_ANON;
}

int mm_pager_kind(struct mm *mm, uint64_t va, uint64_t end, enum frame_kind *kind)
{
    read_lock(&mm->lock);
    const struct vma *vma = paged_find(mm, va, end);
    if (vma)
        *kind = kind_of(vma);
    read_unlock(&mm->lock);
    return vma ? 0 : -ENOENT;
}

/*
 * Put frame, whose reference goes to the entry, at va in vma, which wants small leaves of its kind;
 * or, for NULL, the zero page. 0, -EEXIST (there is a page already), -ENOMEM. mm.lock is held for
 * reading.
 */
static int page_fill(struct mm *mm, const struct vma *vma, uint64_t va, struct frame *frame)
{
    struct flush flush;
    flush_begin(&flush, mm);
    struct slot slot;
    if (slot_own(mm, vma, va, &slot) < 0)
        return -ENOMEM;
    pte_t new = frame ? leaf_owned(vma, frame_pfn(frame), 1)
                      : leaf_clean(vma, frame_pfn(zero_frame()), 1);
    bool filled = pte_none(slot_read(&slot))
                  && slot_set(&slot, vma, (pte_t){ 0 }, planted_fill(new), TRACE_FILL, &flush);
    if (filled && !frame)
        frame_get(zero_frame());
    slot_release(&slot);
    flush_end(&flush);
    return filled ? 0 : -EEXIST;
}

int mm_pager_fill(struct mm *mm, uint64_t va, uint64_t end, struct frame *frame)
{
    int err = -ENOENT;
    read_lock(&mm->lock);
    const struct vma *vma = paged_find(mm, va, end);
    if (vma && (!frame || frame->kind == kind_of(vma)))
        err = page_fill(mm, vma, va, frame);
    read_unlock(&mm->lock);
    return err;
}
