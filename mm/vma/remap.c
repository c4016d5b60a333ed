/* SPDX-License-Identifier: MIT */
/*
 * mremap: a mapping gets longer or shorter, or moves.
 *
 * A move first gathers all that may be lacking: a VMA, cuts, own paths to the leaves, and tables
 * for the new place. Nothing fails from there on. What lies at the new place goes, the leaves move
 * one by one, each with all its bits, and the old place is unmapped with what is left there.
 */
#include "base/panic.h"
#include "mm/oracle.h"
#include "mm/planted.h"
#include "mm/table/share.h"
#include "mm/vma/mmap.h"
#include "mm/vma/place.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

/* ---- Leaves ------------------------------------------------------------- */

/* Set tables aside for the leaves of [start, end), which are to move by distance: one for each
 * table of the new place that a leaf goes into, or that leads there. */
static int spares_gather(struct mm *mm, uint64_t start, uint64_t end, uint64_t distance)
{
    uint64_t last[] = { ~0ull, ~0ull, ~0ull }; /* the last table of each level, as va >> shift */
    int err = 0;
    for (uint64_t at = start; at < end && !err;) {
        struct slot slot;
        if (!slot_find(mm, at, &slot, &at))
            continue;
        slot_release(&slot);
        for (int level = slot.level; level <= 3 && !err; level++) {
            uint64_t table = (slot.va + distance) / level_bytes(level + 1);
            err = table == last[level - 1] ? 0 : table_spare(mm);
            last[level - 1] = table;
        }
        at = slot.va + level_bytes(slot.level);
    }
    if (err)
        tables_unspare(mm);
    return err;
}

/* Take the leaf out of its slot. Only the CPU can change the entry meanwhile. */
static pte_t leaf_take(const struct slot *slot, const struct vma *vma, struct flush *flush)
{
    pte_t pte;
    do {
        pte = slot_read(slot);
    } while (planted_takes(true) && !slot_set(slot, vma, pte, (pte_t){ 0 }, TRACE_MOVE, flush));
    return pte;
}

/* Move the leaves of from in [start, start + bytes) to the beginning of to, which has none. */
static void leaves_move(struct mm *mm, const struct vma *from, uint64_t start, uint64_t bytes,
                        const struct vma *to)
{
    struct flush flush;
    flush_begin(&flush, mm);
    oracle_begin(mm, start);
    for (uint64_t at = start; at < start + bytes && planted_moves(true);) {
        struct slot slot, new;
        if (!slot_find(mm, at, &slot, &at))
            continue;
        pte_t pte = leaf_take(&slot, from, &flush);
        slot_release(&slot);
        if (slot_own_level(mm, to->start + (slot.va - start), slot.level, &new) < 0
            || !slot_set(&new, to, (pte_t){ 0 }, pte, TRACE_MOVE, &flush))
            panic("no place for the leaf at %#lx, which moves to %#lx", slot.va, to->start);
        slot_release(&new);
        at = slot.va + level_bytes(slot.level);
    }
    flush_end(&flush);
    oracle_move(start, start + bytes, to->start);
}

/* ---- Moving ------------------------------------------------------------- */

/* Gather what a move to [to, to + new_len) needs, but for the VMA. */
static int move_prepare(struct mm *mm, const struct remap_request *request, uint64_t to,
                        bool replace)
{
    uint64_t start = request->start, end = start + request->old_len, stop = end;
    uint64_t to_end = to + request->new_len, to_stop = to_end;
    uint64_t moved_end = start + min_u64(request->old_len, request->new_len);
    int err = replace ? hole_prepare(mm, to, to_end, &to_stop) : tables_own_ends(mm, to, to_end);
    if (!err && !request->keep && start < end)
        err = hole_prepare(mm, start, end, &stop);
    if (!err && start < end)
        err = tables_own(mm, start, moved_end);
    return err ? err : spares_gather(mm, start, moved_end, to - start);
}

/* After move_prepare(): copy becomes the VMA at to. */
static void move_commit(struct mm *mm, const struct remap_request *request, struct vma *copy,
                        uint64_t to, bool replace)
{
    uint64_t start = request->start;
    if (replace)
        range_unmap(mm, to, to + request->new_len);
    struct vma *vma = vma_find(mm, start);
    vma_copy(copy, vma);
    copy->flags &= ~(VM_HEAP | VM_STACK);
    copy->source_page = vma_source_page(vma, start);
    copy->start = to;
    copy->end = to + request->new_len;
    vma_insert(mm, copy, vma);
    if (request->old_len)
        leaves_move(mm, vma, start, min_u64(request->old_len, request->new_len), copy);
    if (request->old_len && !request->keep)
        range_unmap(mm, start, start + request->old_len);
    vma_merge(mm, copy);
    tables_unspare(mm);
}

static int move(struct mm *mm, const struct vma *vma, const struct remap_request *request,
                uint64_t *at)
{
    struct map_request place = { .start = request->fixed || request->keep ? request->to : 0,
                                 .flags = vma->flags,
                                 .fixed = request->fixed };
    struct vma *copy = vma_create(mm);
    if (!copy)
        return -ENOMEM;
    uint64_t to;
    bool replace;
    int err = place_decide(mm, &place, request->new_len, level_bytes(vma_leaf_level(vma)), &to,
                           &replace);
    uint64_t more = request->keep ? request->new_len : request->new_len - request->old_len;
    if (!err && (request->keep || request->new_len > request->old_len)
        && !vma_room(mm, vma->flags, to, to + more))
        err = -ENOMEM;
    if (!err)
        err = move_prepare(mm, request, to, replace);
    if (err) {
        vma_free(copy);
        return err;
    }
    move_commit(mm, request, copy, to, replace);
    *at = to;
    return 0;
}

/* ---- Deciding ----------------------------------------------------------- */

/* May this part of vma get another length or place? */
static int part_check(const struct vma *vma, const struct remap_request *request)
{
    uint64_t first = vma_source_page(vma, request->start);
    if (!request->old_len && !(vma->flags & VM_SHARED))
        return -EINVAL;
    if (min_u64(request->old_len, request->new_len) > vma->end - request->start)
        return -EFAULT;
    if (request->new_len > request->old_len && first + (request->new_len >> PAGE_SHIFT) < first)
        return -EINVAL;
    return 0;
}

/* The place is given, or the old one is kept. */
static int move_check(const struct remap_request *request)
{
    uint64_t start = request->start, to = request->to;
    bool overlaps = start + request->old_len > to && to + request->new_len > start;
    bool shrinks = request->old_len > request->new_len;
    if (!is_aligned(to, PAGE_SIZE) || !range_is_user(to, request->new_len) || overlaps
        || (shrinks && !range_is_user(start, request->old_len)))
        return -EINVAL;
    return start == to ? -EFAULT : 0; /* without an old length, the mapping would replace itself */
}

/* Lengthen vma, of which the part to be lengthened is the end, if there is room behind it. */
static bool grow_in_place(struct mm *mm, struct vma *vma, const struct remap_request *request)
{
    uint64_t end = request->start + request->new_len;
    const struct vma *above = vma_next(mm, vma);
    if (vma->end != request->start + request->old_len
        || !range_is_user(request->start, request->new_len))
        return false;
    if (!vma_room(mm, vma->flags, vma->end, end))
        return false;
    if (above && above->start < end + max_u64(vma_gap_above(vma), vma_gap_below(above)))
        return false;
    vma_set_end(mm, vma, end);
    vma_merge(mm, vma);
    return true;
}

/* Round to leaves: 0, or -EINVAL where a huge mapping cannot do what is asked. */
static int huge_check(const struct vma *vma, struct remap_request *request)
{
    uint64_t leaf = level_bytes(vma_leaf_level(vma));
    request->old_len = align_up(request->old_len, leaf);
    request->new_len = align_up(request->new_len, leaf);
    bool allowed = is_aligned(request->start | request->to, leaf) && !request->keep
                   && request->new_len <= request->old_len;
    return leaf == PAGE_SIZE || allowed ? 0 : -EINVAL;
}

static int remap_locked(struct mm *mm, struct remap_request *request, mm_breathe breathe,
                        uint64_t *at)
{
    struct vma *vma = vma_find(mm, request->start);
    if (!vma || !vma_contains(vma, request->start))
        return -EFAULT;
    int err = huge_check(vma, request);
    uint64_t end = request->start + request->old_len, new_end = request->start + request->new_len;
    bool moves = request->fixed || request->keep;
    if (!err && moves)
        err = move_check(request);
    *at = request->start;
    if (!err && !moves && request->new_len <= request->old_len) {
        if (new_end == end)
            return 0;
        return range_is_user(new_end, end - new_end) ? unmap_locked(mm, new_end, end, breathe)
                                                     : -EINVAL;
    }
    if (!err)
        err = part_check(vma, request);
    if (err || (!moves && grow_in_place(mm, vma, request)))
        return err;
    return request->may_move ? move(mm, vma, request, at) : -ENOMEM;
}

int mm_remap(struct mm *mm, const struct remap_request *request, mm_breathe breathe, uint64_t *at)
{
    struct remap_request wanted = *request;
    wanted.old_len = align_up(request->old_len, PAGE_SIZE);
    wanted.new_len = align_up(request->new_len, PAGE_SIZE);
    if (!is_aligned(wanted.start, PAGE_SIZE) || !wanted.new_len)
        return -EINVAL;
    write_lock(&mm->lock);
    int err = remap_locked(mm, &wanted, breathe, at);
    write_unlock(&mm->lock);
    return err;
}
