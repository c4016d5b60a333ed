/* SPDX-License-Identifier: MIT */
/*
 * Get-user-pages: reach the frame behind an address of any address space, as an access by its own
 * program would, or with GUP_FORCE as a debugger. The reference taken here makes the page shared:
 * while it is held, a fork's or a fault's "last owner" test fails, so nobody reuses the page under
 * the caller.
 */
#include "base/string.h"
#include "mm/fault_cases.h"
#include "mm/vma.h"
#include "uapi/errno.h"

/*
 * May flags access this VMA? An ordinary write to a shadow stack is refused, a debugger's is not
 * (as on Linux); a forced write to a shared mapping is refused, since it would change what others
 * see.
 */
static bool gup_allowed(const struct vma *vma, unsigned flags)
{
    if (!(flags & GUP_WRITE))
        return vma->flags & VM_PROT || flags & GUP_FORCE;
    if (vma->flags & VM_WRITE && !vma_is_shstk(vma))
        return true;
    return flags & GUP_FORCE && !(vma->flags & VM_SHARED);
}

/* Take a reference on the frame behind va if its entry allows access. */
static bool gup_take(struct mm *mm, const struct vma *vma, uint64_t va, enum access access,
                     struct frame **frame)
{
    struct slot slot;
    uint64_t next;
    if (!slot_find(mm, va, &slot, &next))
        return false;
    pte_t pte = slot_read(&slot);
    bool allowed = leaf_allows(vma, pte, slot.level, access);
    if (allowed) {
        *frame = pfn_to_frame(pte_pfn(pte) + ((va - slot.va) >> PAGE_SHIFT));
        frame_get(*frame);
    }
    slot_release(&slot);
    return allowed;
}

/* The same with mm.lock held for reading. */
static int gup_locked(struct mm *mm, uint64_t va, unsigned flags, struct frame **frame)
{
    enum access access = flags & GUP_WRITE ? ACCESS_OWN : ACCESS_READ;
    const struct vma *vma = vma_find(mm, va);
    if (!vma || va < vma->start || !gup_allowed(vma, flags))
        return -EFAULT;
    while (!gup_take(mm, vma, va, access, frame)) {
        enum fault_outcome outcome = fault_resolve(mm, vma, va, access);
        if (outcome == FAULT_BAD_NO_MEMORY)
            return -ENOMEM;
        if (!fault_resolved(outcome))
            return -EFAULT;
    }
    return 0;
}

int mm_gup(struct mm *mm, uint64_t va, unsigned flags, struct frame **frame)
{
    read_lock(&mm->lock);
    int err = gup_locked(mm, va, flags, frame);
    read_unlock(&mm->lock);
    return err;
}

/* Move part of one page, with mm.lock held throughout: a fork in between would share the page,
 * and a store then reach the child. */
static int page_access(struct mm *mm, uint64_t va, void *buffer, size_t len, unsigned flags)
{
    struct frame *frame;
    read_lock(&mm->lock);
    int err = gup_locked(mm, va, flags, &frame);
    if (!err) {
        char *bytes = (char *)frame_va(frame) + va % PAGE_SIZE;
        if (flags & GUP_WRITE)
            memcpy(bytes, buffer, len);
        else
            memcpy(buffer, bytes, len);
    }
    read_unlock(&mm->lock);
    if (!err)
        frame_put(frame);
    return err;
}

int mm_cmpxchg(struct mm *mm, uint64_t va, uint32_t *old, uint32_t new)
{
    struct frame *frame;
    read_lock(&mm->lock);
    int err = gup_locked(mm, va, GUP_WRITE, &frame);
    if (!err) {
        uint32_t *word = (uint32_t *)((char *)frame_va(frame) + va % PAGE_SIZE);
        if (!__atomic_compare_exchange_n(word, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            err = -EAGAIN;
    }
    read_unlock(&mm->lock);
    if (!err || err == -EAGAIN)
        frame_put(frame);
    return err;
}

long mm_access(struct mm *mm, uint64_t va, void *buffer, size_t len, unsigned flags)
{
    size_t done = 0;
    while (done < len) {
        uint64_t at = va + done;
        size_t part = min_u64(len - done, PAGE_SIZE - at % PAGE_SIZE);
        int err = page_access(mm, at, (char *)buffer + done, part, flags);
        if (err)
            return done ? (long)done : err;
        done += part;
    }
    return (long)done;
}
