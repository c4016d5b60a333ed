/* SPDX-License-Identifier: MIT */
/*
 * From a file to its mappings: when a file loses pages, every address space that shows them must
 * lose them.
 *
 * A cut begins when the source has already forgotten the pages, so that no new leaf can show them.
 * The cut then visits every VMA in the source's list. vma.cuts says how many cuts the VMA's leaves
 * have been through. A new VMA has no leaves, so it has been through all. A part that is split off,
 * and fork's copy, has been through as many as the VMA it was made from. fork puts its copies into
 * the list once they have their leaves, with the parent locked. So a VMA that is in the list and up
 * to date has no leaf of a page that was cut.
 *
 * mm.lock comes before source.lock. A cut comes from the other side: it takes a hold of the address
 * space under source.lock, drops that, and then waits for mm.lock.
 */
#include "mm/planted.h"
#include "mm/table/share.h"
#include "mm/vma/vma.h"

void vm_source_init(struct vm_source *source)
{
    source->lock = (struct spinlock)SPINLOCK_INIT(LOCK_SOURCE);
    list_init(&source->vmas);
    source->cuts = 0;
}

/* Those that a cut has yet to visit stay at the front of the list. */
static void list_place(struct vm_source *source, struct vma *vma)
{
    if (vma->cuts == source->cuts)
        list_append(&vma->source_link, &source->vmas);
    else
        list_add(&vma->source_link, &source->vmas);
}

void vma_attach(struct mm *mm, struct vma *vma, const struct vma *from)
{
    struct vm_source *source = vma->source;
    if (!source)
        return;
    spin_lock(&source->lock);
    vma->mm = mm;
    vma->cuts = from ? from->cuts : source->cuts;
    list_place(source, vma);
    spin_unlock(&source->lock);
}

void vma_detach(struct vma *vma)
{
    if (!vma->mm)
        return;
    spin_lock(&vma->source->lock);
    list_remove(&vma->source_link);
    vma->mm = NULL;
    spin_unlock(&vma->source->lock);
}

/* Record that vma no longer has a leaf of a page that was cut. Its source is locked. */
static void vma_is_current(struct vma *vma)
{
    vma->cuts = vma->source->cuts;
    list_remove(&vma->source_link);
    list_place(vma->source, vma);
}

/* The source now ends before page: drop vma's leaves from that page on. All that share a table show
 * the same pages in it and lose the same leaves, so they go from shared tables as well. */
static void vma_cut(struct mm *mm, const struct vma *vma, uint64_t page, struct flush *flush)
{
    uint64_t from = vma->start;
    if (page > vma->source_page)
        from += min_u64(page - vma->source_page, (vma->end - from) >> PAGE_SHIFT) << PAGE_SHIFT;
    if (from < vma->end && planted_cut(true)) {
        tables_drop(mm, from, vma->end, flush);
        tables_zap(mm, vma, from, vma->end, flush);
    }
}

/* Cut all of mm that shows source. */
static void mm_cut(struct mm *mm, struct vm_source *source, uint64_t page)
{
    struct flush flush;
    flush_begin(&flush, mm);
    write_lock(&mm->lock);
    flush.everywhere = mm->shares;
    mm_for_each_vma(mm, vma)
    {
        if (vma->source != source)
            continue;
        vma_cut(mm, vma, page, &flush);
        spin_lock(&source->lock);
        vma_is_current(vma);
        spin_unlock(&source->lock);
    }
    flush_end(&flush);
    write_unlock(&mm->lock);
}

/*
 * The next address space to visit, with a use for the caller; NULL when there is none. An address
 * space without users is about to unmap everything, and no task runs in it: its VMAs are passed
 * over. Takes source.lock.
 */
static struct mm *next_mm(struct vm_source *source)
{
    struct mm *mm = NULL;
    spin_lock(&source->lock);
    while (!mm && !list_empty(&source->vmas)) {
        struct vma *vma = list_entry(source->vmas.next, struct vma, source_link);
        if (vma->cuts == source->cuts)
            break;
        if (mm_try_hold(vma->mm))
            mm = vma->mm;
        else
            vma_is_current(vma);
    }
    spin_unlock(&source->lock);
    return mm;
}

void vm_source_cut(struct vm_source *source, uint64_t page)
{
    spin_lock(&source->lock);
    source->cuts++;
    spin_unlock(&source->lock);
    struct mm *mm;
    while ((mm = next_mm(source))) {
        mm_cut(mm, source, page);
        mm_put(mm);
    }
}
