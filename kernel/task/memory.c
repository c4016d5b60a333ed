/* SPDX-License-Identifier: MIT */
/* Memory system calls: Linux's flags translated into mm/'s. */
#include "kernel/fs/file.h"
#include "kernel/fs/ramfs/ramfs.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/mman.h"

static uint32_t prot_flags(int prot)
{
    return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0)
           | (prot & PROT_EXEC ? VM_EXEC : 0);
}

/* VM_HUGE_* of a MAP_HUGETLB request, 0 for a size that there is not, or that this CPU does not
 * have. */
static uint32_t huge_flags(int flags)
{
    switch (flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK) {
    case 0:
    case 21: return VM_HUGE_2M;
    case 30: return arch_has_1g_pages() ? VM_HUGE_1G : 0;
    default: return 0;
    }
}

/* Where a file mapping's frames come from, with a reference; or an errno. */
static int file_source(int fd, int prot, bool shared, struct vm_source **source)
{
    struct file *file = files_get(process_current()->files, fd);
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
static void populate(struct mm *mm, uint64_t start, uint64_t len, int prot)
{
    for (uint64_t va = start; va < start + len; va += PAGE_SIZE) {
        struct frame *frame;
        if (mm_gup(mm, va, prot & PROT_WRITE ? GUP_WRITE : 0, &frame))
            return;
        frame_put(frame);
    }
}

/* mmap(address, len, prot, flags, fd, offset) */
long sys_mmap(uint64_t start, size_t len, int prot, int flags, int fd, uint64_t offset)
{
    struct mm *mm = task_current()->mm;
    int kind = flags & MAP_TYPE;
    bool shared = kind != MAP_PRIVATE;
    if ((kind != MAP_SHARED && kind != MAP_PRIVATE && kind != MAP_SHARED_VALIDATE)
        || !is_aligned(offset, PAGE_SIZE) || !len)
        return -EINVAL;
    struct map_request request = {
        .start = align_down(start, PAGE_SIZE),
        .len = len,
        .flags = prot_flags(prot),
        .source_page = offset >> PAGE_SHIFT,
        .fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE),
        .no_replace = flags & MAP_FIXED_NOREPLACE,
    };
    if (request.fixed && start != request.start)
        return -EINVAL;
    if (flags & MAP_GROWSDOWN)
        request.flags |= VM_GROWSDOWN;
    int err = 0;
    if (flags & MAP_HUGETLB) {
        request.flags |= huge_flags(flags);
        if (!(flags & MAP_ANONYMOUS) || shared || !huge_flags(flags))
            return -EINVAL;
    } else if (!(flags & MAP_ANONYMOUS)) {
        err = file_source(fd, prot, shared, &request.source);
    } else if (shared) {
        request.source = ramfs_unnamed_source(align_up(len, PAGE_SIZE));
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
    if (!err && flags & MAP_POPULATE)
        populate(mm, start, len, prot);
    return err ? err : (long)start;
}

long sys_munmap(uint64_t start, size_t len) { return mm_unmap(task_current()->mm, start, len); }

long sys_mprotect(uint64_t start, size_t len, int prot)
{
    if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
        return -EINVAL;
    return mm_protect(task_current()->mm, start, len, prot_flags(prot));
}

long sys_madvise(uint64_t start, size_t len, int advice)
{
    return advice == MADV_DONTNEED ? mm_discard(task_current()->mm, start, len) : 0;
}

long sys_brk(uint64_t end) { return (long)mm_brk(task_current()->mm, end); }

/* Libraries fall back to allocate, copy and free. */
long sys_mremap(uint64_t start, size_t len, size_t new_len, int flags, uint64_t new_start)
{
    return -ENOMEM;
}
