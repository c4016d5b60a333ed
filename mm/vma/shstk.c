/* SPDX-License-Identifier: MIT */
/*
 * Making shadow stacks: a VMA of their own with an unmapped guard page at each end, and, where
 * asked for, a restore token in the top word. One guard page is enough: INCSSPQ moves SSP by at
 * most 255 * 8 = 2,040 bytes at a time and touches where it starts and ends (Intel SDM vol. 2,
 * "INCSSPD/INCSSPQ").
 */
#include "mm/planted.h"
#include "mm/table/table.h"
#include "mm/vma/place.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

#define GUARD_BYTES PAGE_SIZE

/* Make the VMA; its lowest address in *at. mm.lock held for writing. */
static int shstk_insert(struct mm *mm, uint32_t flags, uint64_t address, uint64_t len,
                        uint64_t align, uint64_t *at)
{
    uint64_t start = address;
    if (!address)
        start = place_find(mm, &(struct place){ .len = len, .align = align, .gap = GUARD_BYTES });
    else if (!place_is_free(mm, address, address + len, GUARD_BYTES))
        return -EEXIST;
    if (!start || !vma_room(mm, flags, start, start + len))
        return -ENOMEM;
    struct vma *vma = vma_create(mm);
    if (!vma)
        return -ENOMEM;
    vma->flags = flags;
    vma->start = start;
    vma->end = start + len;
    *at = start;
    vma_insert(mm, planted_guards(vma), NULL);
    return 0;
}

/* Write the restore token below top: the address above it, with bit 0 for 64-bit mode. */
static int token_write(struct mm *mm, uint64_t top)
{
    uint64_t token = top | 1;
    long done = mm_access(mm, top - sizeof(token), &token, sizeof(token), GUP_WRITE | GUP_FORCE);
    return done == sizeof(token) ? 0 : done < 0 ? (int)done : -EFAULT;
}

int mm_map_shstk(struct mm *mm, uint64_t address, uint64_t bytes, bool with_token, bool huge,
                 uint64_t *start)
{
    uint64_t align = huge ? level_bytes(2) : PAGE_SIZE, len = align_up(bytes, PAGE_SIZE);
    if (bytes == 0 || !is_aligned(address, align) || !is_aligned(len, align)
        || (with_token && !is_aligned(bytes, sizeof(uint64_t))))
        return -EINVAL;
    if (len < bytes || len > USER_END || address > USER_END - len)
        return -ENOMEM;
    if (address && address < USER_START)
        return -EPERM;
    uint32_t flags = VM_READ | VM_WRITE | VM_SHADOW_STACK | (huge ? VM_HUGE_2M : 0);
    write_lock(&mm->lock);
    uint64_t at;
    int err = shstk_insert(mm, flags, address, len, align, &at);
    write_unlock(&mm->lock);
    if (!err && planted_token(with_token)) {
        err = token_write(mm, at + bytes);
        if (err)
            (void)!mm_unmap(mm, at, len, NULL);
    }
    if (!err)
        *start = at;
    return err;
}
