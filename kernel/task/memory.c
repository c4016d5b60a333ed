/* SPDX-License-Identifier: MIT */
/* Memory system calls: Linux's flags translated into mm/'s. */
#include "kernel/fs/file.h"
#include "kernel/fs/ramfs/ramfs.h"
#include "kernel/sched/sched.h"
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

/* VM_HUGE_* of a MAP_HUGETLB request; 0 for a size that does not exist, or that this CPU lacks. */
static uint32_t huge_flags(int flags)
{
    switch (flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK) {
    case 0:
    case 21: return VM_HUGE_2M;
    case 30: return arch_has_1g_pages() ? VM_HUGE_1G : 0;
    default: return 0;
    }
}

/*
 * Give a file mapping its source, with a reference. A shared mapping of a file that was opened for
 * reading only can never become writable.
 */
static int file_source(int fd, int prot, struct map_request *request)
{
    struct file *file = files_get(process_current()->files, fd);
    if (!file)
        return -EBADF;
    int err = 0;
    unsigned mode = file->flags & O_ACCMODE;
    bool denied = request->flags & VM_SHARED && mode != O_RDWR;
    if (mode == O_WRONLY || (denied && prot & PROT_WRITE))
        err = -EACCES;
    else if (!file->ops->source)
        err = -ENODEV;
    else
        request->source = file->ops->source(file);
    if (denied)
        request->flags |= VM_WRITE_DENIED;
    file_put(file);
    return err;
}

/* Touch every page now, until memory runs out or the task is killed. */
static void populate(struct mm *mm, uint64_t start, uint64_t len, int prot)
{
    for (uint64_t va = start; va < start + len; va += PAGE_SIZE) {
        struct frame *frame;
        if (task_breathe() || mm_gup(mm, va, prot & PROT_WRITE ? GUP_WRITE : 0, &frame))
            return;
        frame_put(frame);
    }
}

/* The flags that a program may pass. As on Linux, MAP_SHARED_VALIDATE refuses all others, and the
 * other kinds of mapping ignore them. */
#define MAP_KNOWN                                                                                \
    (MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_ABOVE4G | MAP_GROWSDOWN              \
     | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK \
     | MAP_STACK | MAP_HUGETLB | MAP_HUGE_MASK << MAP_HUGE_SHIFT)

/* Is there such a kind of mapping? 0 or a negative errno. */
static int kind_check(unsigned flags)
{
    bool anonymous = flags & MAP_ANONYMOUS;
    switch (flags & MAP_TYPE) {
    case MAP_PRIVATE:
    case MAP_SHARED: break;
    case MAP_SHARED_VALIDATE:
        if (anonymous)
            return -EINVAL;
        if (flags & ~MAP_KNOWN)
            return -EOPNOTSUPP;
        break;
    default: return -EINVAL;
    }
    /* huge leaves are for private anonymous memory */
    bool plain = anonymous && (flags & MAP_TYPE) == MAP_PRIVATE;
    return flags & MAP_HUGETLB && (!plain || !huge_flags((int)flags)) ? -EINVAL : 0;
}

/* VM_* of a mapping, and where it may lie. */
static void request_fill(struct map_request *request, int prot, unsigned flags)
{
    request->flags = prot_flags(prot) | (flags & MAP_GROWSDOWN ? VM_GROWSDOWN : 0)
                     | (flags & MAP_HUGETLB ? huge_flags((int)flags) : 0)
                     | ((flags & MAP_TYPE) != MAP_PRIVATE ? VM_SHARED : 0);
    request->fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    request->no_replace = flags & MAP_FIXED_NOREPLACE;
    request->low = flags & MAP_ABOVE4G ? 4ull << 30 : 0;
    request->high = flags & MAP_32BIT ? 2ull << 30 : 0;
}

/* mmap(address, len, prot, flags, fd, offset). Nothing is ever paged out: MAP_LOCKED is
 * MAP_POPULATE. */
long sys_mmap(uint64_t start, size_t len, int prot, int flags, int fd, uint64_t offset)
{
    struct mm *mm = task_current()->mm;
    struct map_request request = { .start = align_down(start, PAGE_SIZE), .len = len };
    int err = kind_check((unsigned)flags);
    if (err || !is_aligned(offset, PAGE_SIZE) || !len)
        return err ? err : -EINVAL;
    if (offset + len < offset)
        return -EOVERFLOW;
    request_fill(&request, prot, (unsigned)flags);
    if (request.fixed && start != request.start)
        return -EINVAL;
    if (!(flags & MAP_ANONYMOUS)) {
        request.source_page = offset >> PAGE_SHIFT;
        err = file_source(fd, prot, &request);
    } else if (request.flags & VM_SHARED) {
        request.source = ramfs_unnamed_source(align_up(len, PAGE_SIZE));
        err = request.source ? 0 : -ENOMEM;
    }
    if (!err)
        err = mm_map(mm, &request, &start);
    if (request.source)
        request.source->release(request.source);
    bool touch = flags & MAP_LOCKED || (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
    if (!err && touch)
        populate(mm, start, len, prot);
    return err ? err : (long)start;
}

long sys_munmap(uint64_t start, size_t len)
{
    return mm_unmap(task_current()->mm, start, len, sched_yield_if_due);
}

/* PROT_SEM asks for what always holds. PROT_GROWSDOWN and PROT_GROWSUP are refused. */
long sys_mprotect(uint64_t start, size_t len, int prot)
{
    if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
        return -EINVAL;
    return mm_protect(task_current()->mm, start, len, prot_flags(prot), sched_yield_if_due);
}

/* Advice that is only a hint is accepted and ignored. Advice that must take effect, but cannot
 * here, is refused; so is unknown advice. */
long sys_madvise(uint64_t start, size_t len, int advice)
{
    struct mm *mm = task_current()->mm;
    switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT: return mm_advise(mm, start, len, 0, 0, false);
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED: return mm_discard(mm, start, len, sched_yield_if_due);
    case MADV_FREE: { /* Linux may do it at any time; here it is done at once */
        int err = mm_advise(mm, start, len, 0, 0, true);
        return err ? err : mm_discard(mm, start, len, sched_yield_if_due);
    }
    case MADV_DONTFORK: return mm_advise(mm, start, len, VM_DONTFORK, 0, false);
    case MADV_DOFORK: return mm_advise(mm, start, len, 0, VM_DONTFORK, false);
    case MADV_WIPEONFORK: return mm_advise(mm, start, len, VM_WIPEONFORK, 0, true);
    case MADV_KEEPONFORK: return mm_advise(mm, start, len, 0, VM_WIPEONFORK, false);
    default: return -EINVAL;
    }
}

long sys_brk(uint64_t end) { return (long)mm_brk(task_current()->mm, end, sched_yield_if_due); }

/* mremap(address, old length, new length, flags, new address). */
long sys_mremap(uint64_t start, size_t len, size_t new_len, int flags, uint64_t new_start)
{
    struct remap_request request = { .start = start,
                                     .old_len = len,
                                     .new_len = new_len,
                                     .to = new_start,
                                     .may_move = flags & MREMAP_MAYMOVE,
                                     .fixed = flags & MREMAP_FIXED,
                                     .keep = flags & MREMAP_DONTUNMAP };
    bool known = !(flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP));
    if (!known || (flags && !request.may_move) || (request.keep && len != new_len))
        return -EINVAL;
    int err = mm_remap(task_current()->mm, &request, sched_yield_if_due, &start);
    return err ? err : (long)start;
}
