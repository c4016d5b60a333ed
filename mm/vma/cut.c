/* SPDX-License-Identifier: MIT */
/* Cutting VMAs at the ends of a range, and long ranges into steps. */
#include "mm/vma/cut.h"

#include "mm/table/table.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

#define STEP_BYTES (16ull << 20) /* of small leaves: 4,096 of them */

/* ---- Cuts --------------------------------------------------------------- */

static void spare_free(struct spare *spare)
{
    for (int i = 0; i < 2; i++) {
        if (spare->vma[i])
            vma_free(spare->vma[i]);
    }
}

/* Does the range cut this VMA at va, and may it: not inside a huge leaf? 1 yes, 0 no cut,
 * -EINVAL. */
static int cut_at(const struct vma *vma, uint64_t va)
{
    if (!vma || va <= vma->start || va >= vma->end)
        return 0;
    return is_aligned(va, level_bytes(vma_leaf_level(vma))) ? 1 : -EINVAL;
}

int cut_allowed(struct mm *mm, uint64_t start, uint64_t end)
{
    bool inside = cut_at(vma_find(mm, start), start) < 0 || cut_at(vma_find(mm, end), end) < 0;
    return inside ? -EINVAL : 0;
}

int spare_prepare(struct mm *mm, uint64_t start, uint64_t end, struct spare *spare)
{
    uint64_t at[2] = { start, end };
    *spare = (struct spare){ { NULL, NULL } };
    for (int i = 0; i < 2; i++) {
        int cut = cut_at(vma_find(mm, at[i]), at[i]);
        if (cut > 0) {
            spare->vma[i] = vma_create(mm);
            cut = spare->vma[i] ? 0 : -ENOMEM;
        }
        if (cut < 0) {
            spare_free(spare);
            return cut;
        }
    }
    return 0;
}

void range_cut(struct mm *mm, uint64_t start, uint64_t end, struct spare *spare)
{
    uint64_t at[2] = { start, end };
    for (int i = 0; i < 2; i++) {
        if (spare->vma[i])
            vma_split(mm, vma_find(mm, at[i]), at[i], spare->vma[i]);
    }
}

void range_merge(struct mm *mm, uint64_t start, uint64_t end)
{
    uint64_t at = start;
    struct vma *vma;
    while ((vma = vma_find(mm, at)) && vma->start <= end) {
        at = vma->end;
        vma_merge(mm, vma);
    }
}

/* ---- Steps -------------------------------------------------------------- */

/* Pass over addresses without leaves. Returns at, if a leaf translates it; else the first address
 * above at that a leaf translates; else end. */
static uint64_t leaves_begin(struct mm *mm, uint64_t at, uint64_t end)
{
    struct slot slot;
    while (at < end) {
        if (slot_find(mm, at, &slot, &at)) {
            slot_release(&slot);
            return at;
        }
    }
    return end;
}

uint64_t step_end(struct mm *mm, uint64_t at, uint64_t end)
{
    if (end - at > STEP_BYTES)
        at = leaves_begin(mm, at, end);
    if (end - at <= STEP_BYTES)
        return end;
    uint64_t stop = align_up(at + STEP_BYTES, level_bytes(2)); /* no table of leaves is cut */
    const struct vma *vma = vma_find(mm, stop);
    if (vma && vma->start < stop)
        stop = align_up(stop, level_bytes(vma_leaf_level(vma)));
    return min_u64(stop, end);
}

void step_pause(struct mm *mm, mm_breathe breathe)
{
    write_unlock(&mm->lock);
    if (breathe)
        breathe();
    write_lock(&mm->lock);
}
