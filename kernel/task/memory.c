/* SPDX-License-Identifier: MIT */
/* Memory system calls: Linux's flags translated into mm/'s. */
#include "kernel/fs/file.h"
#include "kernel/fs/ramfs.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/mman.h"

static uint32_t prot_flags(uint64_t prot)
{
    return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0)
           | (prot & PROT_EXEC ? VM_EXEC : 0);
}

/* VM_HUGE_* of a MAP_HUGETLB request, 0 for a size there is not. */
static uint32_t huge_flags(uint64_t flags)
{
    switch (flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK) {
    case 0:
    case 21: return VM_HUGE_2M;
    case 30: return VM_HUGE_1G;
    default: return 0;
    }
}

/* Where a file mapping's frames come from, with a reference; or an errno. */
static int file_source(uint64_t fd, uint64_t prot, bool shared, struct vm_source **source)
{
    struct file *file = files_get(process_current()->files, (int)fd);
    if (!file)
        return -EBADF;
    int err = 0;
    unsigned mode = file->flags & O_ACCMODE;
    if (mode == O_WRONLY || (shared && prot & PROT_WRITE && mode != O_RDWR))
        err = -EACCES;
    else if (!file->ops->source)
        err = -ENODEV;
    else
        *source = file->ops->source(file);
    file_put(file);
    return err;
}

/* Touch every page now, as far as memory reaches. */
static void populate(struct mm *mm, uint64_t start, uint64_t len, uint64_t prot)
{
    for (uint64_t va = start; va < start + len; va += PAGE_SIZE) {
        struct frame *frame;
        if (mm_gup(mm, va, prot & PROT_WRITE ? GUP_WRITE : 0, &frame))
            return;
        frame_put(frame);
    }
}

/* mmap(address, len, prot, flags, fd, offset) */
SYSCALL(mmap)
{
    struct mm *mm = task_current()->mm;
    uint64_t kind = d & MAP_TYPE, start;
    bool shared = kind != MAP_PRIVATE;
    if ((kind != MAP_SHARED && kind != MAP_PRIVATE && kind != MAP_SHARED_VALIDATE)
        || !is_aligned(f, PAGE_SIZE) || !b)
        return -EINVAL;
    struct map_request request = {
        .start = align_down(a, PAGE_SIZE),
        .len = b,
        .flags = prot_flags(c),
        .source_page = f >> PAGE_SHIFT,
        .fixed = d & (MAP_FIXED | MAP_FIXED_NOREPLACE),
        .no_replace = d & MAP_FIXED_NOREPLACE,
    };
    if (request.fixed && a != request.start)
        return -EINVAL;
    if (d & MAP_GROWSDOWN)
        request.flags |= VM_GROWSDOWN;
    int err = 0;
    if (d & MAP_HUGETLB) {
        request.flags |= huge_flags(d);
        if (!(d & MAP_ANONYMOUS) || shared || !huge_flags(d))
            return -EINVAL;
    } else if (!(d & MAP_ANONYMOUS)) {
        err = file_source(e, c, shared, &request.source);
    } else if (shared) {
        request.source = ramfs_unnamed_source(align_up(b, PAGE_SIZE));
        request.source_page = 0;
        err = request.source ? 0 : -ENOMEM;
    }
    if (err)
        return err;
    if (shared)
        request.flags |= VM_SHARED;
    err = mm_map(mm, &request, &start);
    if (request.source)
        request.source->release(request.source);
    if (!err && d & MAP_POPULATE)
        populate(mm, start, b, c);
    return err ? err : (long)start;
}

SYSCALL(munmap)
{
    (void)c, (void)d, (void)e, (void)f;
    return mm_unmap(task_current()->mm, a, b);
}

SYSCALL(mprotect)
{
    (void)d, (void)e, (void)f;
    if (c & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC))
        return -EINVAL;
    return mm_protect(task_current()->mm, a, b, prot_flags(c));
}

SYSCALL(madvise)
{
    (void)d, (void)e, (void)f;
    return c == MADV_DONTNEED ? mm_discard(task_current()->mm, a, b) : 0;
}

SYSCALL(brk)
{
    (void)b, (void)c, (void)d, (void)e, (void)f;
    return (long)mm_brk(task_current()->mm, a);
}

/* Libraries fall back to allocate, copy and free. */
SYSCALL(mremap)
{
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    return -ENOMEM;
}
