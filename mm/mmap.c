/* SPDX-License-Identifier: MIT */
/*
 * Mapping, unmapping and protecting ranges. Each call first makes sure that it can be carried out
 * (arguments, memory for the VMAs it may have to split off), then changes the VMAs, then the
 * entries.
 */
#include "base/panic.h"
#include "mm/place.h"
#include "mm/table.h"
#include "mm/vma.h"
#include "uapi/errno.h"

/* Where top-down placement begins: Linux leaves at least 128 MiB for the first stack above. */
#define PLACE_TOP (USER_END - (128ull << 20))

/* ---- Placement ---------------------------------------------------------- */

static bool range_is_user(uint64_t start, uint64_t len)
{
    return len != 0 && len <= USER_END && start <= USER_END - len;
}

bool place_is_free(struct mm *mm, uint64_t start, uint64_t end, uint64_t gap)
{
    struct vma *above = vma_find(mm, start);
    struct vma *below = above                   ? vma_prev(mm, above)
                        : list_empty(&mm->vmas) ? NULL
                                                : vma_of_link(mm->vmas.prev);
    if (above && above->start < end + max_u64(gap, vma_gap_below(above)))
        return false;
    return !below || below->end + max_u64(gap, vma_gap_above(below)) <= start;
}

/* Highest aligned start such that [start, start + len) fits with gap on both sides into [low,
 * high); 0: none. */
static uint64_t fit(uint64_t low, uint64_t high, uint64_t len, uint64_t align)
{
    if (high < low || high - low < len)
        return 0;
    uint64_t start = align_down(high - len, align);
    return start >= low ? start : 0;
}

uint64_t place_find(struct mm *mm, uint64_t len, uint64_t align, uint64_t gap)
{
    uint64_t high = PLACE_TOP - gap;
    for (struct list *link = mm->vmas.prev; link != &mm->vmas; link = link->prev) {
        struct vma *vma = vma_of_link(link);
        uint64_t start = fit(max_u64(vma->end + max_u64(gap, vma_gap_above(vma)), USER_START), high,
                             len, align);
        if (start)
            return start;
        uint64_t above_gap = max_u64(gap, vma_gap_below(vma));
        high = min_u64(high, vma->start > above_gap ? vma->start - above_gap : 0);
    }
    return fit(USER_START + gap, high, len, align);
}

/* ---- Cutting VMAs at the ends of a range -------------------------------- */

/* VMAs set aside for splits, so that nothing fails once the work has begun. */
struct spare {
    struct vma *vma[2];
};

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

/* Make sure the VMAs can be cut at start and end: 0, -EINVAL (inside a huge leaf) or -ENOMEM. */
static int spare_prepare(struct mm *mm, uint64_t start, uint64_t end, struct spare *spare)
{
    uint64_t at[2] = { start, end };
    *spare = (struct spare){ { NULL, NULL } };
    for (int i = 0; i < 2; i++) {
        int cut = cut_at(vma_find(mm, at[i]), at[i]);
        if (cut > 0) {
            spare->vma[i] = vma_create();
            cut = spare->vma[i] ? 0 : -ENOMEM;
        }
        if (cut < 0) {
            spare_free(spare);
            return cut;
        }
    }
    return 0;
}

/* Cut where spare_prepare() found it necessary: no VMA then reaches over start or end. */
static void range_cut(struct mm *mm, uint64_t start, uint64_t end, struct spare *spare)
{
    uint64_t at[2] = { start, end };
    for (int i = 0; i < 2; i++) {
        if (spare->vma[i])
            vma_split(mm, vma_find(mm, at[i]), at[i], spare->vma[i]);
    }
}

/* ---- Unmapping ---------------------------------------------------------- */

/* Unmap the VMAs inside [start, end), which no VMA reaches over. */
static void range_unmap(struct mm *mm, uint64_t start, uint64_t end)
{
    struct flush flush;
    flush_begin(&flush, mm);
    for (struct vma *vma = vma_find(mm, start); vma && vma->start < end;) {
        struct vma *next = vma_next(mm, vma);
        tables_zap(mm, vma, vma->start, vma->end, &flush);
        vma_remove(mm, vma);
        vma_free(vma);
        vma = next;
    }
    flush_end(&flush);
}

int mm_unmap(struct mm *mm, uint64_t start, uint64_t len)
{
    len = align_up(len, PAGE_SIZE);
    if (!is_aligned(start, PAGE_SIZE) || !range_is_user(start, len))
        return -EINVAL;
    struct spare spare;
    write_lock(&mm->lock);
    int err = spare_prepare(mm, start, start + len, &spare);
    if (!err) {
        range_cut(mm, start, start + len, &spare);
        range_unmap(mm, start, start + len);
    }
    write_unlock(&mm->lock);
    return err;
}

int mm_discard(struct mm *mm, uint64_t start, uint64_t len)
{
    len = align_up(len, PAGE_SIZE);
    if (!is_aligned(start, PAGE_SIZE) || (len && !range_is_user(start, len)))
        return -EINVAL;
    uint64_t end = start + len;
    struct flush flush;
    flush_begin(&flush, mm);
    write_lock(&mm->lock);
    int err = 0;
    uint64_t covered = start;
    for (struct vma *vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(mm, vma)) {
        uint64_t from = max_u64(vma->start, start), to = min_u64(vma->end, end);
        if (from > covered)
            err = -ENOMEM; /* as Linux: the mapped parts are discarded all the same */
        covered = to;
        if (!is_aligned(from | to, level_bytes(vma_leaf_level(vma))))
            err = -EINVAL;
        else
            tables_zap(mm, vma, from, to, &flush);
    }
    if (covered < end)
        err = err ? err : -ENOMEM;
    flush_end(&flush);
    write_unlock(&mm->lock);
    return err;
}

/* ---- Mapping ------------------------------------------------------------ */

/* Decide on the address; *replace: what lies there has to go first. */
static int map_place(struct mm *mm, const struct map_request *request, uint64_t len, uint64_t align,
                     uint64_t *start, bool *replace)
{
    *replace = false;
    if (request->fixed) {
        if (!is_aligned(request->start, align))
            return -EINVAL;
        if (!range_is_user(request->start, len))
            return -ENOMEM;
        if (request->start < USER_START)
            return -EPERM;
        *start = request->start;
        struct vma *vma = vma_find(mm, request->start);
        bool occupied = vma && vma->start < request->start + len;
        if (occupied && request->no_replace)
            return -EEXIST;
        *replace = occupied;
        return 0;
    }
    uint64_t hint = align_up(max_u64(request->start, USER_START), align);
    if (request->start && range_is_user(hint, len) && place_is_free(mm, hint, hint + len, 0)) {
        *start = hint;
        return 0;
    }
    *start = place_find(mm, len, align, 0);
    return *start ? 0 : -ENOMEM;
}

/* vma has everything but its addresses. mm.lock held. */
static int map_locked(struct mm *mm, const struct map_request *request, struct vma *vma,
                      uint64_t len, uint64_t align)
{
    uint64_t start;
    bool replace;
    int err = map_place(mm, request, len, align, &start, &replace);
    if (err)
        return err;
    if (replace) {
        struct spare spare;
        err = spare_prepare(mm, start, start + len, &spare);
        if (err)
            return err;
        range_cut(mm, start, start + len, &spare);
        range_unmap(mm, start, start + len);
    }
    vma->start = start;
    vma->end = start + len;
    if (vma->source)
        vma->source->hold(vma->source);
    vma_insert(mm, vma);
    return 0;
}

/*
 * Only private anonymous memory grows or has huge leaves, and not both: growth moves start by
 * pages, and nothing else with it.
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
    struct vma *vma = vma_create();
    if (!vma)
        return -ENOMEM;
    vma->flags = request->flags;
    vma->source_page = request->source_page;

    write_lock(&mm->lock);
    vma->source = request->source;
    int err = map_locked(mm, request, vma, len, align);
    if (!err) {
        *start = vma->start;
        vma_merge(mm, vma);
    }
    write_unlock(&mm->lock);
    if (err) {
        vma->source = NULL;
        vma_free(vma);
    }
    return err;
}

/* ---- Protecting --------------------------------------------------------- */

struct protecting {
    const struct vma *vma;
    struct flush *flush;
};

/*
 * Give a leaf the VMA's new rights. A private page keeps W only where it had it and may keep it;
 * one that lost it gets it back at its next store, when it is known whether it is shared.
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

/* Is the whole range mapped, and may each VMA get these rights? */
static int protect_allowed(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot)
{
    struct vma *vma = vma_find(mm, start);
    for (uint64_t at = start; at < end; at = vma->end, vma = vma_next(mm, vma)) {
        if (!vma || vma->start > at)
            return -ENOMEM;
        if (vma_is_shstk(vma) && prot & VM_EXEC)
            return -EINVAL;
        if (vma->end >= end)
            break;
    }
    return 0;
}

static void range_protect(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot)
{
    struct flush flush;
    flush_begin(&flush, mm);
    for (struct vma *vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(mm, vma)) {
        vma->flags = (vma->flags & ~VM_PROT) | prot;
        struct protecting protecting = { vma, &flush };
        tables_visit(mm, vma->start, vma->end, leaf_protect, &protecting);
    }
    flush_end(&flush);
}

/* Join what has become alike, from the VMA below start to the one above end. */
static void range_merge(struct mm *mm, uint64_t start, uint64_t end)
{
    uint64_t at = start;
    struct vma *vma;
    while ((vma = vma_find(mm, at)) && vma->start <= end) {
        at = vma->end;
        vma_merge(mm, vma);
    }
}

int mm_protect(struct mm *mm, uint64_t start, uint64_t len, uint32_t prot)
{
    if (!is_aligned(start, PAGE_SIZE))
        return -EINVAL;
    if (len == 0)
        return 0;
    len = align_up(len, PAGE_SIZE);
    if (!range_is_user(start, len))
        return -ENOMEM;
    struct spare spare;
    write_lock(&mm->lock);
    int err = protect_allowed(mm, start, start + len, prot);
    if (!err)
        err = spare_prepare(mm, start, start + len, &spare);
    if (!err) {
        range_cut(mm, start, start + len, &spare);
        range_protect(mm, start, start + len, prot);
        range_merge(mm, start, start + len);
    }
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
    if (!place_is_free(mm, start, end, 0))
        return -ENOMEM;
    struct vma *vma = vma_create();
    if (!vma)
        return -ENOMEM;
    vma->start = start;
    vma->end = end;
    vma->flags = VM_READ | VM_WRITE | VM_HEAP;
    vma_insert(mm, vma);
    vma_merge(mm, vma);
    return 0;
}

static int brk_shrink(struct mm *mm, uint64_t start, uint64_t end)
{
    struct spare spare;
    int err = spare_prepare(mm, start, end, &spare);
    if (err)
        return err;
    range_cut(mm, start, end, &spare);
    range_unmap(mm, start, end);
    return 0;
}

uint64_t mm_brk(struct mm *mm, uint64_t brk)
{
    write_lock(&mm->lock);
    if (brk >= mm->brk_start && brk <= PLACE_TOP) {
        uint64_t old_end = align_up(mm->brk, PAGE_SIZE), new_end = align_up(brk, PAGE_SIZE);
        int err = new_end > old_end   ? brk_grow(mm, old_end, new_end)
                  : new_end < old_end ? brk_shrink(mm, new_end, old_end)
                                      : 0;
        if (!err)
            mm->brk = brk;
    }
    uint64_t now = mm->brk;
    write_unlock(&mm->lock);
    return now;
}
