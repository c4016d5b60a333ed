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

/* Touch every page now, as loads or stores would. 0, -EFAULT (what is there cannot be touched),
 * -ENOMEM, or -EINTR when the task is killed. */
static int populate(struct mm *mm, uint64_t start, uint64_t end, bool write)
{
    for (uint64_t va = start; va < end; va += PAGE_SIZE) {
        struct frame *frame;
        if (task_breathe())
            return -EINTR;
        int err = mm_gup(mm, va, write ? GUP_WRITE : 0, &frame);
        if (err)
            return err;
        frame_put(frame);
    }
    return 0;
}

/* The same for whatever a range holds: -ENOMEM for a hole, -EINVAL where a mapping does not allow
 * the access. */
static int populate_all(struct mm *mm, uint64_t start, size_t len, bool write)
{
    struct vma vma;
    char name[1];
    int err = is_aligned(start, PAGE_SIZE) && align_up(len, PAGE_SIZE) >= len ? 0 : -EINVAL;
    for (uint64_t at = start, end = start + align_up(len, PAGE_SIZE); !err && at < end;
         at = vma.end) {
        if (!mm_next_vma(mm, at, &vma, name, sizeof(name)) || vma.start > at)
            return -ENOMEM;
        uint32_t flags = vma.flags & (VM_READ | VM_WRITE | VM_SHADOW_STACK);
        bool allowed = write ? (flags & ~VM_READ) == VM_WRITE : flags & VM_READ;
        err = allowed ? populate(mm, at, min_u64(vma.end, end), write) : -EINVAL;
    }
    return err;
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
        (void)!populate(mm, start, start + len, prot & PROT_WRITE);
    return err ? err : (long)start;
}

long sys_munmap(uint64_t start, size_t len)
{
    return mm_unmap(task_current()->mm, start, len, sched_yield_if_due);
}

/* With PROT_GROWSDOWN the range begins where the growing mapping does. Nothing grows upwards.
 * PROT_SEM asks for what always holds. */
long sys_mprotect(uint64_t start, size_t len, int prot)
{
    struct mm *mm = task_current()->mm;
    struct vma vma;
    char name[1];
    uint64_t end = start + align_up(len, PAGE_SIZE);
    int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
    if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || !is_aligned(start, PAGE_SIZE))
        return -EINVAL;
    if (!len)
        return 0;
    if (end <= start)
        return -ENOMEM;
    if ((prot & ~grows) & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
        return -EINVAL;
    if (grows) {
        if (!mm_next_vma(mm, start, &vma, name, sizeof(name)) || vma.start >= end)
            return -ENOMEM;
        if (grows == PROT_GROWSUP)
            return vma.start > start ? -ENOMEM : -EINVAL;
        if (!(vma.flags & VM_GROWSDOWN))
            return -EINVAL;
        start = vma.start;
    }
    return mm_protect(mm, start, end - start, prot_flags(prot), sched_yield_if_due);
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
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE: return populate_all(mm, start, len, advice == MADV_POPULATE_WRITE);
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

/* mincore(address, length, a byte for each page). */
long sys_mincore(uint64_t start, size_t len, uaddr_t to)
{
    uint8_t bytes[256];
    if (!is_aligned(start, PAGE_SIZE))
        return -EINVAL;
    if (start > USER_END || len > USER_END - start)
        return -ENOMEM;
    for (size_t left = align_up(len, PAGE_SIZE) >> PAGE_SHIFT, done; left; left -= done) {
        size_t count = min_u64(left, sizeof(bytes));
        done = mm_in_core(task_current()->mm, start, count, bytes);
        if (arch_copy_to_user(to, bytes, done))
            return -EFAULT;
        if (done < count)
            return -ENOMEM;
        if (task_breathe())
            return -EINTR;
        start += done << PAGE_SHIFT;
        to.v += done;
    }
    return 0;
}

/* Files have no other home than memory: all that is left of msync() is to find what is wrong with
 * its arguments. */
long sys_msync(uint64_t start, size_t len, int flags)
{
    bool both = (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC);
    if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || both || !is_aligned(start, PAGE_SIZE))
        return -EINVAL;
    if (start + align_up(len, PAGE_SIZE) < start)
        return -ENOMEM;
    return mm_advise(task_current()->mm, start, len, 0, 0, false);
}

/* Nothing is ever paged out, so pages are locked once they are there. */
long sys_mlock2(uint64_t start, size_t len, int flags)
{
    struct mm *mm = task_current()->mm;
    uint64_t first = align_down(start, PAGE_SIZE), bytes = align_up(len + start - first, PAGE_SIZE);
    if (flags & ~MLOCK_ONFAULT || first + bytes < first)
        return -EINVAL;
    int err = mm_advise(mm, first, bytes, 0, 0, false);
    if (!err && bytes && !flags) {
        err = populate_all(mm, first, bytes, false);
        if (err == -EINVAL || err == -EFAULT)
            err = -ENOMEM; /* some page cannot be touched */
    }
    return err;
}

long sys_mlock(uint64_t start, size_t len) { return sys_mlock2(start, len, 0); }

long sys_munlock(uint64_t start, size_t len) { return sys_mlock2(start, len, MLOCK_ONFAULT); }

long sys_mlockall(int flags)
{
    bool known = flags && !(flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
    return known && flags != MCL_ONFAULT ? 0 : -EINVAL;
}

long sys_munlockall(void) { return 0; }
