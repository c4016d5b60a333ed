/* SPDX-License-Identifier: MIT */
/*
 * Get-user-pages: reach the frame behind an address of any address space, as an access by its own
 * program would, or with GUP_FORCE as a debugger.
 *
 * A reference on a frame makes the page shared: while it is held, a fork's or a fault's "last
 * owner" test fails, so nobody reuses the page under the holder. Code that only moves bytes takes
 * no reference. It works with the entry locked, so two forced writers do not count as owners to
 * each other.
 */
#include "base/panic.h"
#include "base/string.h"
#include "mm/fault_cases.h"
#include "mm/planted.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

/*
 * May flags access this VMA? An ordinary write to a shadow stack is refused, a debugger's is not
 * (as on Linux); a forced write to a shared mapping is refused, because other programs would see
 * the change.
 */
static bool gup_allowed(const struct vma *vma, unsigned flags)
{
    if (!(flags & GUP_WRITE))
        return vma->flags & VM_PROT || flags & GUP_FORCE;
    if (vma->flags & VM_WRITE && !vma_is_shstk(vma))
        return true;
    return flags & GUP_FORCE && !(vma->flags & VM_SHARED);
}

/*
 * Make va's leaf allow the access, and lock its entry. The caller releases *slot. mm.lock is held
 * for reading, before and after. 0, or with no table locked -EFAULT, -ENOMEM, or -EAGAIN: a pager
 * must be asked.
 */
static int gup_lock(struct mm *mm, uint64_t va, unsigned flags, struct slot *slot)
{
    enum access access = flags & GUP_WRITE ? ACCESS_OWN : ACCESS_READ;
    const struct vma *vma = vma_find(mm, va);
    if (!vma || va < vma->start || !gup_allowed(vma, flags))
        return -EFAULT;
    for (;;) {
        uint64_t next;
        if (slot_find(mm, va, slot, &next)) {
            if ((planted_own(slot_is_own(slot)) || access == ACCESS_READ)
                && leaf_allows(vma, slot_leaf(slot), access))
                return 0;
            slot_release(slot);
        }
        enum fault_outcome outcome = fault_resolve(mm, vma, va, access);
        if (outcome == FAULT_BAD_MISSING)
            return -EAGAIN;
        if (!fault_resolved(outcome))
            return outcome == FAULT_BAD_NO_MEMORY ? -ENOMEM : -EFAULT;
    }
}

static bool nobody_waits(struct mm *mm, uint64_t va, bool write) { return false; }
bool (*mm_missing_wait)(struct mm *mm, uint64_t va, bool write) = nobody_waits;

int mm_gup_with(struct mm *mm, uint64_t va, unsigned flags, gup_use use, void *context)
{
    struct slot slot;
    read_lock(&mm->lock);
    int err;
    while ((err = gup_lock(mm, va, flags, &slot)) == -EAGAIN) {
        read_unlock(&mm->lock);
        if (!mm_missing_wait(mm, va, flags & GUP_WRITE))
            return -EFAULT;
        read_lock(&mm->lock);
    }
    if (!err) {
        struct frame *frame = leaf_first(slot_leaf(&slot)) + ((va - slot.va) >> PAGE_SHIFT);
        err = use(frame, va % PAGE_SIZE, context);
        slot_release(&slot);
    }
    read_unlock(&mm->lock);
    return err;
}

static int use_hold(struct frame *frame, size_t offset, void *context)
{
    frame_get(frame);
    *(struct frame **)context = frame;
    return 0;
}

int mm_gup(struct mm *mm, uint64_t va, unsigned flags, struct frame **frame)
{
    ASSERT(!(flags & GUP_FORCE)); /* a holder of the frame would not see the next forced write */
    return mm_gup_with(mm, va, flags, use_hold, frame);
}

struct exchange {
    uint32_t *old;
    uint32_t new;
};

static int use_cmpxchg(struct frame *frame, size_t offset, void *context)
{
    const struct exchange *exchange = context;
    uint32_t *word = (uint32_t *)((char *)frame_va(frame) + offset);
    return __atomic_compare_exchange_n(word, exchange->old, exchange->new, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED)
               ? 0
               : -EAGAIN;
}

int mm_cmpxchg(struct mm *mm, uint64_t va, uint32_t *old, uint32_t new)
{
    ASSERT(is_aligned(va, sizeof(*old)));
    struct exchange exchange = { old, new };
    return mm_gup_with(mm, va, GUP_WRITE, use_cmpxchg, &exchange);
}

/* Bytes of one page, to be moved. */
struct part {
    void *buffer;
    size_t len;
    bool write;
};

static int use_move(struct frame *frame, size_t offset, void *context)
{
    const struct part *part = context;
    char *bytes = (char *)frame_va(frame) + offset;
    memcpy(part->write ? bytes : part->buffer, part->write ? part->buffer : bytes, part->len);
    return 0;
}

long mm_access(struct mm *mm, uint64_t va, void *buffer, size_t len, unsigned flags)
{
    size_t done = 0;
    while (done < len) {
        uint64_t at = va + done;
        struct part part = { (char *)buffer + done, min_u64(len - done, PAGE_SIZE - at % PAGE_SIZE),
                             flags & GUP_WRITE };
        int err = mm_gup_with(mm, at, flags, use_move, &part);
        if (err)
            return done ? (long)done : err;
        done += part.len;
    }
    return (long)done;
}
