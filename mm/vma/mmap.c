/* SPDX-License-Identifier: MIT */
/*
 * Mapping and unmapping ranges, and the heap. Each call first makes sure that it can be carried out
 * (arguments, memory for a VMA it may have to split off), then changes the VMAs, then the entries.
 */
#include "mm/vma/mmap.h"

#include "base/panic.h"
#include "mm/oracle.h"
#include "mm/table/share.h"
#include "mm/vma/cut.h"
#include "mm/vma/place.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

/* ---- Unmapping ---------------------------------------------------------- */

int hole_prepare(struct mm *mm, uint64_t start, uint64_t end, uint64_t *stop)
{
    int err = cut_allowed(mm, start, end);
    if (!err)
        err = tables_own_ends(mm, start, *stop);
    struct vma *vma = vma_find(mm, start);
    if (err || !vma || vma->start >= start || vma->end <= *stop)
        return err;
    struct vma *upper = vma_create(mm);
    if (upper)
        vma_split(mm, vma, *stop, upper);
    else if (vma->end > end)
        return -ENOMEM;
    else
        *stop = vma->end;
    return upper ? 0 : tables_own_ends(mm, start, *stop);
}

/* Remove the part of vma that lies in [start, end): it is at one of vma's ends, or all of vma. */
static void vma_shorten(struct mm *mm, struct vma *vma, uint64_t start, uint64_t end)
{
    if (vma->start < start) {
        ASSERT(vma->end <= end);
        vma_set_end(mm, vma, start);
    } else if (vma->end > end) {
        vma_set_start(mm, vma, end);
    } else {
        vma_remove(mm, vma);
        vma_free(vma);
    }
}

void range_unmap(struct mm *mm, uint64_t start, uint64_t end)
{
    struct flush flush;
    flush_begin(&flush, mm);
    oracle_begin(mm, start);
    tables_drop(mm, start, end, &flush);
    for (struct vma *vma = vma_find(mm, start); vma && vma->start < end;) {
        struct vma *next = vma_next(mm, vma);
        tables_zap(mm, vma, max_u64(vma->start, start), min_u64(vma->end, end), &flush);
        vma_shorten(mm, vma, start, end);
        vma = next;
    }
    flush_end(&flush);
    oracle_unmap(start, end);
}

int unmap_locked(struct mm *mm, uint64_t start, uint64_t end, mm_breathe breathe)
{
    uint64_t stop = step_end(mm, start, end);
    /* what can fail comes before the first step; a single step sees to that itself */
    int err = stop < end ? tables_own_ends(mm, start, end) : 0;
    for (uint64_t at = start; !err; at = stop) {
        stop = step_end(mm, at, end);
        err = hole_prepare(mm, at, end, &stop);
        if (err)
            break;
        range_unmap(mm, at, stop);
        if (stop == end)
            break;
        step_pause(mm, breathe);
    }
    return err;
}

int mm_unmap(struct mm *mm, uint64_t start, uint64_t len, mm_breathe breathe)
{
    len = align_up(len, PAGE_SIZE);
    if (!is_aligned(start, PAGE_SIZE) || !range_is_user(start, len))
        return -EINVAL;
    write_lock(&mm->lock);
    int err = unmap_locked(mm, start, start + len, breathe);
    write_unlock(&mm->lock);
    return err;
}

/* ---- Mapping ------------------------------------------------------------ */

/* mm.lock held. */
static int map_locked(struct mm *mm, const struct map_request *request, uint64_t len,
                      uint64_t align, uint64_t *start)
{
    struct vma *vma = vma_create(mm);
    if (!vma)
        return -ENOMEM;
    uint64_t at = 0;
    bool replace;
    int err = place_decide(mm, request, len, align, &at, &replace);
    uint64_t end = at + len;
    if (!err && !vma_room(mm, request->flags, at, end))
        err = -ENOMEM;
    if (!err && replace)
        err = hole_prepare(mm, at, end, &end);
    if (err) {
        vma_free(vma);
        return err;
    }
    if (replace)
        range_unmap(mm, at, end);
    vma->start = at;
    vma->end = end;
    vma->flags = request->flags;
    vma->source = request->source;
    vma->source_page = request->source_page;
    if (vma->source)
        vma->source->hold(vma->source);
    vma_insert(mm, vma, NULL);
    vma_merge(mm, vma);
    *start = at;
    return 0;
}

/*
 * Only private anonymous memory may grow or have huge leaves, and not both, because growth moves
 * start by single pages. Growth changes nothing else of a VMA, such as its place in a file.
 */
static bool flags_allowed(const struct map_request *request)
{
    bool grows = request->flags & VM_GROWSDOWN, huge = request->flags & (VM_HUGE_2M | VM_HUGE_1G);
    bool plain = !request->source && !(request->flags & (VM_SHARED | VM_SHADOW_STACK));
    return (!grows && !huge) || (plain && grows != huge);
}

int mm_map(struct mm *mm, const struct map_request *request, uint64_t *start)
{
    struct vma wanted = { .flags = request->flags };
    uint64_t align = level_bytes(vma_leaf_level(&wanted));
    uint64_t len = align_up(request->len, align);
    if (request->len == 0 || !flags_allowed(request))
        return -EINVAL;
    if (len < request->len || len > USER_END)
        return -ENOMEM;
    write_lock(&mm->lock);
    int err = map_locked(mm, request, len, align, start);
    write_unlock(&mm->lock);
    return err;
}

/* ---- The heap ----------------------------------------------------------- */

void mm_brk_init(struct mm *mm, uint64_t start)
{
    mm->brk_start = align_up(start, PAGE_SIZE);
    mm->brk = mm->brk_start;
}

/* Extend the heap's VMA, or make one, over [start, end). */
static int brk_grow(struct mm *mm, uint64_t start, uint64_t end)
{
    if (!place_is_free(mm, start, end, 0) || !vma_room(mm, VM_WRITE, start, end))
        return -ENOMEM;
    struct vma *vma = vma_create(mm);
    if (!vma)
        return -ENOMEM;
    vma->start = start;
    vma->end = end;
    vma->flags = VM_READ | VM_WRITE | VM_HEAP;
    vma_insert(mm, vma, NULL);
    vma_merge(mm, vma);
    return 0;
}

uint64_t mm_brk(struct mm *mm, uint64_t brk, mm_breathe breathe)
{
    write_lock(&mm->lock);
    if (brk >= mm->brk_start && brk <= PLACE_TOP) {
        uint64_t old_end = align_up(mm->brk, PAGE_SIZE), new_end = align_up(brk, PAGE_SIZE);
        int err = new_end > old_end   ? brk_grow(mm, old_end, new_end)
                  : new_end < old_end ? unmap_locked(mm, new_end, old_end, breathe)
                                      : 0;
        if (!err)
            mm->brk = brk;
    }
    uint64_t now = mm->brk;
    write_unlock(&mm->lock);
    return now;
}
