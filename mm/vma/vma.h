/* SPDX-License-Identifier: MIT */
/*
 * The VMAs of one address space: a list and a balanced tree, both by address. A VMA's value in the
 * tree is the room below it: the bytes down to the VMA before, less the pages that the two keep
 * free between them, or down to 0. Private to mm/. mm.lock is held by every caller.
 */
#ifndef MM_VMA_H
#define MM_VMA_H

#include "mm/mm.h"

/* The first VMA that ends above va, or NULL. This is the VMA that contains va, if there is one. */
struct vma *vma_find(struct mm *mm, uint64_t va);

static inline bool vma_contains(const struct vma *vma, uint64_t va)
{
    return vma->start <= va && va < vma->end;
}
/* The source's page number for va. */
static inline uint64_t vma_source_page(const struct vma *vma, uint64_t va)
{
    return vma->source_page + ((va - vma->start) >> PAGE_SHIFT);
}

/* Access rights of an entry of this VMA that the mapping does not own: never W but in shared
 * mappings. */
static inline pgprot_t vma_prot(const struct vma *vma)
{
    if (!(vma->flags & VM_PROT))
        return PGPROT_USER_NONE;
    bool shared_write = (vma->flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE);
    if (vma->flags & VM_EXEC)
        return shared_write ? PGPROT_USER_RWX : PGPROT_USER_RX;
    return shared_write ? PGPROT_USER_RW : PGPROT_USER_R;
}

/* ---- mm.lock held for writing ------------------------------------------- */

MUST_CHECK struct vma *vma_create(const struct mm *mm); /* NULL: out of memory, or VMAS_MAX */
void vma_free(struct vma *vma);                         /* not in mm.vmas; releases the source */
/* A new VMA without leaves, which overlaps nothing. from: whose leaves it will get; or NULL. */
void vma_insert(struct mm *mm, struct vma *vma, const struct vma *from);
void vma_remove(struct mm *mm, struct vma *vma);
/* Move where vma begins; where it begins in its source moves along. */
void vma_set_start(struct mm *mm, struct vma *vma, uint64_t start);
void vma_set_end(struct mm *mm, struct vma *vma, uint64_t end);
/* Cut vma at va, strictly inside: vma keeps the lower part, upper becomes the rest and is
 * inserted. */
void vma_split(struct mm *mm, struct vma *vma, uint64_t va, struct vma *upper);
/* Make copy, new, show what vma shows, with a hold of its own on the source. It is in no list, and
 * has no pager. */
void vma_copy(struct vma *copy, const struct vma *vma);
/* Give child, new, copies of all VMAs of parent but those it must not get. 0, or -ENOMEM: child is
 * fit for mm_put() only. */
MUST_CHECK int vma_copy_all(struct mm *child, struct mm *parent);
/*
 * From now on cuts of its source, if it has one, reach vma, which belongs to mm. Its leaves are as
 * up to date as those of from (NULL: it has no leaves). mm.lock of both is held for writing, or mm
 * is new.
 */
void vma_attach(struct mm *mm, struct vma *vma, const struct vma *from);
void vma_detach(struct vma *vma);
/* Join vma with its neighbours where they continue each other; vma may be freed. */
void vma_merge(struct mm *mm, struct vma *vma);

#define vma_of_link(node)      list_entry(node, struct vma, link)
#define vma_of_node(tree_node) container_of(tree_node, struct vma, node)
#define mm_for_each_vma(mm, vma)                                                    \
    for (struct vma *vma = vma_of_link((mm)->vmas.next); &vma->link != &(mm)->vmas; \
         vma = vma_of_link(vma->link.next))

/* The VMA behind this one, or NULL. */
static inline struct vma *vma_next(struct mm *mm, const struct vma *vma)
{
    return vma->link.next == &mm->vmas ? NULL : vma_of_link(vma->link.next);
}
/* The VMA before this one (NULL: the last of all), or NULL. */
static inline struct vma *vma_prev(struct mm *mm, const struct vma *vma)
{
    struct list *prev = vma ? vma->link.prev : mm->vmas.prev;
    return prev == &mm->vmas ? NULL : vma_of_link(prev);
}

/* Do the limits allow a mapping with these flags over [start, end), in place of what is there? Goes
 * through all VMAs where there is a limit. */
bool vma_room(struct mm *mm, uint32_t flags, uint64_t start, uint64_t end);

/* Pages below (above) a VMA that placement leaves free: a shadow stack's guards, a growing
 * stack's gap. */
uint64_t vma_gap_below(const struct vma *vma);
uint64_t vma_gap_above(const struct vma *vma);

#endif
