/* SPDX-License-Identifier: MIT */
/*
 * Get-user-pages: reach the frame behind an address of any address space, as an access by its own program would, or
 * with GUP_FORCE as a debugger. The reference taken here makes the page shared: while it is held, a fork's or a
 * fault's "last owner" test fails, so nobody reuses the page under the caller.
 */
#include "base/string.h"
#include "mm/fault_cases.h"
#include "mm/vma.h"
#include "uapi/errno.h"

/*
 * May flags access this VMA? An ordinary write to a shadow stack is refused, a debugger's is not (as on Linux); a forced
 * write to a shared mapping is refused, since it would change what others see.
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
static bool gup_take(struct mm *mm, const struct vma *vma, uint64_t va, enum access access, struct frame **frame)
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

int mm_gup(struct mm *mm, uint64_t va, unsigned flags, struct frame **frame)
{
    enum access access = flags & GUP_WRITE ? ACCESS_OWN : ACCESS_READ;
    int err = 0;
    read_lock(&mm->lock);
    const struct vma *vma = vma_find(mm, va);
    if (!vma || va < vma->start || !gup_allowed(vma, flags))
        err = -EFAULT;
    while (!err && !gup_take(mm, vma, va, access, frame)) {
        enum fault_outcome outcome = fault_resolve(mm, vma, va, access);
        if (outcome == FAULT_BAD_NO_MEMORY)
            err = -ENOMEM;
        else if (!fault_resolved(outcome))
            err = -EFAULT;
    }
    read_unlock(&mm->lock);
    return err;
}

long mm_access(struct mm *mm, uint64_t va, void *buffer, size_t len, unsigned flags)
{
    size_t done = 0;
    while (done < len) {
        uint64_t at = va + done;
        size_t part = min_u64(len - done, PAGE_SIZE - at % PAGE_SIZE);
        struct frame *frame;
        int err = mm_gup(mm, at, flags, &frame);
        if (err)
            return done ? (long)done : err;
        char *bytes = (char *)frame_va(frame) + at % PAGE_SIZE;
        if (flags & GUP_WRITE)
            memcpy(bytes, (char *)buffer + done, part);
        else
            memcpy((char *)buffer + done, bytes, part);
        frame_put(frame);
        done += part;
    }
    return (long)done;
}
