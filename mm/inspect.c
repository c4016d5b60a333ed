/* SPDX-License-Identifier: MIT */
/* Showing an address space to people: leaves with their state letters, and VMAs. Changes
 * nothing. */
#include "base/string.h"
#include "mm/table/table.h"
#include "mm/vma/vma.h"

/* The letter comes from the bits and the VMA together; docs/book/02-paging.md has the table. */
static char leaf_state(const struct vma *vma, pte_t pte)
{
    if (!pte_check(pte, vma_is_shstk(vma)))
        return pte_shstk(pte) && !pte_cow(pte) ? 'e' : '!';
    if (pte_protnone(pte))
        return 'n';
    if (!pte_present(pte))
        return '!';
    if (pte_hw_write(pte))
        return 'w';
    if (pte_shstk(pte))
        return 'c';
    if (!pte_cow(pte))
        return 'r';
    if (vma_is_shstk(vma))
        return 'd';
    return vma->flags & VM_WRITE ? 'a' : 'b';
}

static void leaf_describe(const struct vma *vma, const struct slot *slot, struct leaf_info *leaf)
{
    leaf->va = slot->va;
    leaf->level = slot->level;
    leaf->pte = slot_read(slot);
    leaf->state = leaf_state(vma, leaf->pte);
    leaf->pfn = pte_pfn(leaf->pte);
    leaf->refs = frame_refs(leaf_first(slot_leaf(slot)));
    leaf->shared_level = slot->shared_level;
    leaf->sharers = slot->sharers;
}

bool mm_next_leaf(struct mm *mm, uint64_t va, struct leaf_info *leaf)
{
    bool found = false;
    read_lock(&mm->lock);
    for (struct vma *vma = vma_find(mm, va); vma && !found; vma = vma_next(mm, vma)) {
        uint64_t at = max_u64(va, vma->start);
        while (at < vma->end && !found) {
            struct slot slot;
            found = slot_find(mm, at, &slot, &at);
            if (found) {
                leaf_describe(vma, &slot, leaf);
                slot_release(&slot);
            }
        }
    }
    read_unlock(&mm->lock);
    return found;
}

static bool page_in_core(struct mm *mm, const struct vma *vma, uint64_t va)
{
    struct slot slot;
    if (!slot_find(mm, va, &slot, &(uint64_t){ 0 }))
        return vma->source && vma->source->has(vma->source, vma_source_page(vma, va));
    slot_release(&slot);
    return true;
}

size_t mm_in_core(struct mm *mm, uint64_t va, size_t count, uint8_t *is_there)
{
    size_t done = 0;
    read_lock(&mm->lock);
    for (; done < count; done++, va += PAGE_SIZE) {
        const struct vma *vma = vma_find(mm, va);
        if (!vma || !vma_contains(vma, va))
            break;
        is_there[done] = page_in_core(mm, vma, va);
    }
    read_unlock(&mm->lock);
    return done;
}

bool mm_next_vma(struct mm *mm, uint64_t va, struct vma *copy, char *name, size_t name_bytes)
{
    read_lock(&mm->lock);
    const struct vma *vma = vma_find(mm, va);
    if (vma) {
        *copy = *vma;
        const char *text = vma_is_shstk(vma)       ? "[shadow stack]"
                           : vma->flags & VM_STACK ? "[stack]"
                           : vma->flags & VM_HEAP  ? "[heap]"
                                                   : "";
        if (vma->source)
            vma->source->name(vma->source, name, name_bytes);
        else
            snprintf(name, name_bytes, "%s", text);
    }
    read_unlock(&mm->lock);
    return vma != NULL;
}
