/* SPDX-License-Identifier: MIT */
/* An address space's life: made empty, run, and taken down by its last user. */
#include "mm/mm.h"

#include "base/panic.h"
#include "mm/oracle.h"
#include "mm/phys/kmap.h"
#include "mm/phys/slab.h"
#include "mm/phys/zero.h"
#include "mm/table/share.h"
#include "mm/vma/pager.h"
#include "mm/vma/vma.h"

static struct frame *the_zero_frame;

void mm_init(void)
{
    the_zero_frame = frame_alloc(FRAME_KERNEL);
    if (!the_zero_frame)
        panic("no memory for the zero page");
    arch_page_zero(frame_va(the_zero_frame));
}

struct frame *zero_frame(void) { return the_zero_frame; }

struct mm *mm_create(void)
{
    struct mm *mm = kzalloc(sizeof(*mm));
    if (!mm)
        return NULL;
    mm->root = table_create();
    if (!mm->root) {
        kfree(mm);
        return NULL;
    }
    kmap_fill_root(frame_va(mm->root));
    mm->arch.root = frame_pa(mm->root);
    list_init(&mm->vmas);
    mm->lock = (struct rwlock)RWLOCK_INIT;
    mm->users = 1;
    oracle_add(mm);
    return mm;
}

void mm_hold(struct mm *mm)
{
    uint32_t users = __atomic_fetch_add(&mm->users, 1, __ATOMIC_RELAXED);
    ASSERT(users != 0);
}

bool mm_try_hold(struct mm *mm)
{
    uint32_t users = __atomic_load_n(&mm->users, __ATOMIC_RELAXED);
    while (users
           && !__atomic_compare_exchange_n(&mm->users, &users, users + 1, true, __ATOMIC_ACQUIRE,
                                           __ATOMIC_RELAXED)) {}
    return users;
}

/* Nobody looks for a VMA any more, so the tree, which an unfinished fork has not even made, is left
 * as it is. */
static void mm_unmap_all(struct mm *mm)
{
    struct flush flush;
    flush_begin(&flush, mm);
    tables_drop(mm, 0, USER_END, &flush);
    list_for_each_safe (link, after, &mm->vmas) {
        struct vma *vma = vma_of_link(link);
        tables_zap(mm, vma, vma->start, vma->end, &flush);
        vma_detach(vma);
        vma_free(vma);
    }
    flush_end(&flush);
}

/* Give the root back. The allocator takes back tables with nothing in them only. */
static void root_free(struct frame *root)
{
    ASSERT(root->count == 0);
    kmap_clear_root(frame_va(root));
    frame_put(root);
}

void mm_put(struct mm *mm)
{
    uint32_t users = __atomic_fetch_sub(&mm->users, 1, __ATOMIC_ACQ_REL);
    ASSERT(users != 0);
    if (users != 1)
        return;
    arch_mm_forget(&mm->arch);
    if (mm->pagers)
        pagers_forget(mm);
    write_lock(&mm->lock);
    oracle_begin(mm, 0);
    mm_unmap_all(mm);
    oracle_exit();
    write_unlock(&mm->lock);
    oracle_remove(mm);
    root_free(mm->root);
    kfree(mm);
}

uint64_t mm_resident(struct mm *mm, bool shared)
{
    write_lock(&mm->lock);
    uint64_t frames = tables_count(mm, ~0ull, shared);
    write_unlock(&mm->lock);
    return frames;
}

void mm_activate(struct mm *mm)
{
    if (mm)
        arch_mm_load(&mm->arch, mm);
    else
        arch_mm_idle();
}
