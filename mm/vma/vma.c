/* SPDX-License-Identifier: MIT */
/* The ordered list of VMAs: finding, cutting, joining. No page-table entry is touched here. */
#include "mm/vma/vma.h"

#include "base/panic.h"
#include "mm/phys/slab.h"

#define STACK_GAP_BYTES (1ull << 20) /* as Linux's stack_guard_gap: 256 pages */

struct vma *vma_next(struct mm *mm, const struct vma *vma)
{
    return vma->link.next == &mm->vmas ? NULL : vma_of_link(vma->link.next);
}

struct vma *vma_prev(struct mm *mm, const struct vma *vma)
{
    return vma->link.prev == &mm->vmas ? NULL : vma_of_link(vma->link.prev);
}

struct vma *vma_find(struct mm *mm, uint64_t va)
{
    struct vma *hint = __atomic_load_n(&mm->hint, __ATOMIC_RELAXED);
    if (hint && vma_contains(hint, va))
        return hint;
    mm_for_each_vma(mm, vma)
    {
        if (va < vma->end) {
            if (vma_contains(vma, va))
                __atomic_store_n(&mm->hint, vma, __ATOMIC_RELAXED);
            return vma;
        }
    }
    return NULL;
}

uint64_t vma_gap_below(const struct vma *vma)
{
    if (vma_is_shstk(vma))
        return PAGE_SIZE;
    return vma->flags & VM_GROWSDOWN ? STACK_GAP_BYTES : 0;
}

uint64_t vma_gap_above(const struct vma *vma) { return vma_is_shstk(vma) ? PAGE_SIZE : 0; }

struct vma *vma_create(void)
{
    struct vma *vma = kzalloc(sizeof(*vma));
    if (vma) {
        list_init(&vma->link);
        list_init(&vma->source_link);
    }
    return vma;
}

void vma_free(struct vma *vma)
{
    if (vma->source)
        vma->source->release(vma->source);
    kfree(vma);
}

void vma_insert(struct mm *mm, struct vma *vma)
{
    struct vma *above = vma_find(mm, vma->start);
    ASSERT(vma->start < vma->end && (!above || vma->end <= above->start));
    list_append(&vma->link, above ? &above->link : &mm->vmas);
    vma_attach(mm, vma, NULL);
}

void vma_remove(struct mm *mm, struct vma *vma)
{
    mm->hint = NULL;
    list_remove(&vma->link);
    vma_detach(vma);
}

void vma_set_start(struct vma *vma, uint64_t start)
{
    if (vma->source)
        vma->source_page += (start >> PAGE_SHIFT) - (vma->start >> PAGE_SHIFT);
    vma->start = start;
}

void vma_copy(struct vma *copy, const struct vma *vma)
{
    copy->start = vma->start;
    copy->end = vma->end;
    copy->flags = vma->flags;
    copy->source = vma->source;
    copy->source_page = vma->source_page;
    if (copy->source)
        copy->source->hold(copy->source);
}

void vma_split(struct mm *mm, struct vma *vma, uint64_t va, struct vma *upper)
{
    ASSERT(vma->start < va && va < vma->end);
    mm->hint = NULL;
    vma_copy(upper, vma);
    vma_set_start(upper, va);
    vma->end = va;
    list_add(&upper->link, &vma->link);
    vma_attach(mm, upper, vma);
}

/* Does b go on where a ends, with the same meaning? A shadow stack is always a VMA of its own. */
static bool vma_continues(const struct vma *a, const struct vma *b)
{
    return a->end == b->start && a->flags == b->flags && a->source == b->source && !vma_is_shstk(a)
           && (!a->source || (vma_source_page(a, a->end) == b->source_page && a->cuts == b->cuts));
}

void vma_merge(struct mm *mm, struct vma *vma)
{
    struct vma *next = vma_next(mm, vma);
    if (next && vma_continues(vma, next)) {
        vma->end = next->end;
        vma_remove(mm, next);
        vma_free(next);
    }
    struct vma *prev = vma_prev(mm, vma);
    if (prev && vma_continues(prev, vma)) {
        prev->end = vma->end;
        vma_remove(mm, vma);
        vma_free(vma);
    }
}
