/* SPDX-License-Identifier: MIT */
/*
 * userfaultfd(2): a program provides the missing pages of its own mappings.
 *
 *     a task                         the file                        its reader
 *       faults on a missing page
 *       mm_missing(): joins      ->  faults      ->  poll, read      knows the address
 *       waits                                        COPY, ZEROPAGE  mm_pager_fill()
 *       tries again              <-  wake        <-
 *
 * A task joins while the page cannot be filled (mm/vma/pager.c), so the wake that follows the
 * filling reaches it.
 */
#include "uapi/userfaultfd.h"
#include "arch/x86/upcalls.h"
#include "kernel/fs/file.h"
#include "kernel/fs/poll.h"
#include "kernel/planted.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/stat.h"

/* [L] lock  [A] atomic  [I] fixed at creation */
struct userfaultfd {
    struct vm_pager pager;
    uint32_t refs;          /* [A] the file, and the tasks that wait */
    bool user_only;         /* [I] the kernel's own accesses do not wait */
    bool ready;             /* [A] UFFDIO_API was called */
    struct spinlock lock;   /* LOCK_PAGER */
    struct list faults;     /* [L] those that wait, the first first */
    struct wait_queue wait; /* their tasks */
    struct wait_queue readers;
};

/* A task that waits, on its own stack. [L] */
struct missing {
    struct list link; /* in faults */
    struct userfaultfd *uffd;
    uint64_t va;
    bool write, from_user;
    bool told; /* a reader knows */
    bool refused;
    bool woken; /* [A] */
};

static void uffd_put(struct userfaultfd *uffd)
{
    if (__atomic_sub_fetch(&uffd->refs, 1, __ATOMIC_ACQ_REL) == 0)
        kfree(uffd);
}

/* ---- Faults ------------------------------------------------------------- */

static void missing_join(struct vm_pager *pager, void *context)
{
    struct userfaultfd *uffd = container_of(pager, struct userfaultfd, pager);
    struct missing *missing = context;
    missing->refused = uffd->user_only && !missing->from_user;
    if (missing->refused)
        return;
    missing->uffd = uffd;
    __atomic_add_fetch(&uffd->refs, 1, __ATOMIC_RELAXED);
    spin_lock(&uffd->lock);
    list_append(&missing->link, &uffd->faults);
    spin_unlock(&uffd->lock);
}

static void missing_leave(struct missing *missing)
{
    spin_lock(&missing->uffd->lock);
    list_remove(&missing->link);
    spin_unlock(&missing->uffd->lock);
    uffd_put(missing->uffd);
}

/* A program's own fault waits until a signal is due, and comes again after that. The kernel's can
 * not be broken off, unless the task is being killed. */
static bool missing_wait(struct mm *mm, uint64_t va, bool write, bool from_user)
{
    struct missing missing = { .va = va, .write = write, .from_user = from_user };
    if (!mm_missing(mm, va, missing_join, &missing))
        return true;
    if (missing.refused)
        return false;
    struct userfaultfd *uffd = missing.uffd;
    wait_wake_all(&uffd->readers);
    poll_wake();
    bool woken;
    if (from_user)
        woken = wait_until(&uffd->wait, __atomic_load_n(&missing.woken, __ATOMIC_ACQUIRE), 0) == 0;
    else
        woken = wait_until_killed(&uffd->wait, __atomic_load_n(&missing.woken, __ATOMIC_ACQUIRE))
                == 0;
    missing_leave(&missing);
    return from_user || woken;
}

bool entry_missing(struct mm *mm, const struct fault *fault)
{
    return missing_wait(mm, fault->va, fault->error & (FAULT_WRITE | FAULT_SHSTK),
                        fault->from_user);
}

static bool kernel_missing(struct mm *mm, uint64_t va, bool write)
{
    return missing_wait(mm, va, write, false);
}

void userfaultfd_init(void) { mm_missing_wait = kernel_missing; }

/* Wake those that wait for a page of [start, start + len). */
static void uffd_wake(struct userfaultfd *uffd, uint64_t start, uint64_t len)
{
    spin_lock(&uffd->lock);
    list_for_each_safe (link, after, &uffd->faults) {
        struct missing *missing = list_entry(link, struct missing, link);
        if (missing->va - start < len) {
            list_remove(link);
            __atomic_store_n(&missing->woken, true, __ATOMIC_RELEASE);
        }
    }
    spin_unlock(&uffd->lock);
    wait_wake_all(&uffd->wait);
}

/* ---- Reading ------------------------------------------------------------ */

/* The first fault that no reader knows yet goes to *message, unless that is NULL. */
static bool uffd_look(struct userfaultfd *uffd, struct uffd_msg *message)
{
    bool found = false;
    spin_lock(&uffd->lock);
    list_for_each (link, &uffd->faults) {
        struct missing *missing = list_entry(link, struct missing, link);
        found = !missing->told;
        if (found && message) {
            missing->told = true;
            *message = (struct uffd_msg){ .event = UFFD_EVENT_PAGEFAULT,
                                          .flags = missing->write ? UFFD_PAGEFAULT_FLAG_WRITE : 0,
                                          .address = align_down(missing->va, PAGE_SIZE) };
        }
        if (found)
            break;
    }
    spin_unlock(&uffd->lock);
    return found;
}

static long uffd_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    (void)position;
    struct userfaultfd *uffd = file->object;
    struct uffd_msg message;
    size_t done = 0;
    if (!__atomic_load_n(&uffd->ready, __ATOMIC_ACQUIRE) || len < sizeof(message))
        return -EINVAL;
    for (; len - done >= sizeof(message) && !task_breathe(); done += sizeof(message)) {
        bool may_wait = !done && !(file_flags(file) & O_NONBLOCK);
        int err = uffd_look(uffd, &message) ? 0 : -EAGAIN;
        if (err && may_wait)
            err = wait_until(&uffd->readers, uffd_look(uffd, &message), 0);
        if (!err && arch_copy_to_user(uaddr(to.v + done), &message, sizeof(message)))
            err = -EFAULT;
        if (err)
            return done ? (long)done : err;
    }
    return done ? (long)done : -EINTR;
}

/* As on Linux, a file whose read waits cannot be polled. */
static unsigned uffd_poll(struct file *file)
{
    struct userfaultfd *uffd = file->object;
    if (!__atomic_load_n(&uffd->ready, __ATOMIC_ACQUIRE) || !(file_flags(file) & O_NONBLOCK))
        return POLLERR;
    return uffd_look(uffd, NULL) ? POLLIN : 0;
}

/* ---- Requests ----------------------------------------------------------- */

/* Is this a range of whole pages that begins at a multiple of align? */
static int range_check(uint64_t start, uint64_t len, uint64_t align)
{
    bool valid = is_aligned(start, align) && is_aligned(len, PAGE_SIZE) && len
                 && start >= USER_START && start < USER_END && len <= USER_END - start;
    return valid ? 0 : -EINVAL;
}

static long uffd_api(struct userfaultfd *uffd, uaddr_t argument)
{
    struct uffdio_api api;
    if (arch_copy_from_user(&api, argument, sizeof(api)))
        return -EFAULT;
    bool valid = api.api == UFFD_API && !api.features
                 && !__atomic_exchange_n(&uffd->ready, true, __ATOMIC_ACQ_REL);
    api = (struct uffdio_api){ 0 };
    if (valid)
        api = (struct uffdio_api){ .api = UFFD_API, .ioctls = UFFD_API_IOCTLS };
    if (arch_copy_to_user(argument, &api, sizeof(api)))
        return -EFAULT;
    return valid ? 0 : -EINVAL;
}

static long uffd_register(struct userfaultfd *uffd, struct mm *mm, uaddr_t argument)
{
    struct uffdio_register request;
    if (arch_copy_from_user(&request, argument, sizeof(request) - sizeof(request.ioctls)))
        return -EFAULT;
    const struct uffdio_range *range = &request.range;
    if (request.mode != UFFDIO_REGISTER_MODE_MISSING
        || range_check(range->start, range->len, PAGE_SIZE))
        return -EINVAL;
    int err = mm_pager_set(mm, range->start, range->start + range->len, &uffd->pager, true);
    request.ioctls = UFFD_RANGE_IOCTLS;
    if (!err && arch_copy_to_user(argument, &request, sizeof(request)))
        err = -EFAULT;
    return err;
}

/* UNREGISTER and WAKE. */
static long uffd_range(struct userfaultfd *uffd, struct mm *mm, uaddr_t argument, bool wake_only)
{
    struct uffdio_range range;
    if (arch_copy_from_user(&range, argument, sizeof(range)))
        return -EFAULT;
    int err = range_check(range.start, range.len, PAGE_SIZE);
    if (!err && !wake_only)
        err = mm_pager_set(mm, range.start, range.start + range.len, &uffd->pager, false);
    if (!err)
        uffd_wake(uffd, range.start, range.len);
    return err;
}

/* Provide the page at va, of a range that goes on to end, with the bytes at from; zeros: 0. */
static int page_fill(struct mm *mm, uint64_t va, uint64_t end, uint64_t from)
{
    struct frame *frame = NULL;
    enum frame_kind kind;
    int err = mm_pager_kind(mm, va, end, &kind);
    if (!err && from) {
        frame = frame_alloc(kind);
        if (!frame)
            return -ENOMEM;
        if (arch_copy_from_user(frame_va(frame), uaddr(from), PAGE_SIZE))
            err = -EFAULT;
    }
    if (!err)
        err = mm_pager_fill(mm, va, end, frame);
    if (err && frame)
        frame_put(frame);
    return err;
}

/* Fill the range, wake, and tell at result how many bytes were filled, or the error. */
static long range_fill(struct userfaultfd *uffd, struct mm *mm, const struct uffdio_range *range,
                       uint64_t from, uint64_t mode, uaddr_t result)
{
    int64_t done = 0, err = 0;
    if (range_check(range->start, range->len, PAGE_SIZE) || mode & ~UFFDIO_COPY_MODE_DONTWAKE)
        return -EINVAL;
    uint64_t end = range->start + range->len;
    for (uint64_t va = range->start; va < end && !err; va += PAGE_SIZE) {
        err = task_breathe() ? -EINTR : page_fill(mm, va, end, from ? from + done : 0);
        done += err ? 0 : PAGE_SIZE;
    }
    int64_t answer = done ? done : err;
    if (arch_copy_to_user(result, &answer, sizeof(answer)))
        return -EFAULT;
    if (done && !mode)
        uffd_wake(uffd, range->start, (uint64_t)done);
    return !done ? err : (uint64_t)done == range->len ? 0 : -EAGAIN;
}

static long uffd_copy(struct userfaultfd *uffd, struct mm *mm, uaddr_t argument)
{
    struct uffdio_copy copy;
    if (arch_copy_from_user(&copy, argument, offsetof(struct uffdio_copy, copy)))
        return -EFAULT;
    if (range_check(copy.src, copy.len, 1))
        return -EINVAL;
    return range_fill(uffd, mm, &(struct uffdio_range){ copy.dst, copy.len }, copy.src, copy.mode,
                      uaddr(argument.v + offsetof(struct uffdio_copy, copy)));
}

static long uffd_zeropage(struct userfaultfd *uffd, struct mm *mm, uaddr_t argument)
{
    struct uffdio_zeropage zero;
    if (arch_copy_from_user(&zero, argument, offsetof(struct uffdio_zeropage, zeropage)))
        return -EFAULT;
    return range_fill(uffd, mm, &zero.range, 0, zero.mode,
                      uaddr(argument.v + offsetof(struct uffdio_zeropage, zeropage)));
}

static long mm_request(struct userfaultfd *uffd, struct mm *mm, unsigned request, uaddr_t argument)
{
    switch (request) {
    case UFFDIO_REGISTER: return uffd_register(uffd, mm, argument);
    case UFFDIO_UNREGISTER:
    case UFFDIO_WAKE: return uffd_range(uffd, mm, argument, request == UFFDIO_WAKE);
    case UFFDIO_COPY: return uffd_copy(uffd, mm, argument);
    case UFFDIO_ZEROPAGE: return uffd_zeropage(uffd, mm, argument);
    default: return -EINVAL;
    }
}

static long uffd_ioctl(struct file *file, unsigned request, uint64_t argument)
{
    struct userfaultfd *uffd = file->object;
    if (request == UFFDIO_API)
        return uffd_api(uffd, uaddr(argument));
    if (!__atomic_load_n(&uffd->ready, __ATOMIC_ACQUIRE))
        return -EINVAL;
    struct mm *mm = mm_pager_hold(&uffd->pager);
    if (!mm)
        return -ESRCH;
    long result = mm_request(uffd, mm, request, uaddr(argument));
    mm_put(mm);
    return result;
}

/* ---- The file ----------------------------------------------------------- */

static int uffd_stat(struct file *file, struct linux_stat *stat)
{
    (void)file;
    *stat = (struct linux_stat){ .st_mode = 0600, .st_blksize = PAGE_SIZE, .st_nlink = 1 };
    return 0;
}

static void uffd_close(struct file *file)
{
    struct userfaultfd *uffd = file->object;
    mm_pager_end(&uffd->pager);
    if (planted_close(true))
        uffd_wake(uffd, 0, ~0ull);
    uffd_put(uffd);
}

static const struct file_ops uffd_ops = {
    .read = uffd_read,
    .stat = uffd_stat,
    .ioctl = uffd_ioctl,
    .poll = uffd_poll,
    .close = uffd_close,
};

long sys_userfaultfd(int flags)
{
    if (flags & ~(O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY))
        return -EINVAL;
    struct userfaultfd *uffd = kzalloc(sizeof(*uffd));
    struct file *file = uffd ? file_create(&uffd_ops, uffd, O_RDONLY | (flags & O_NONBLOCK)) : NULL;
    if (!file) {
        kfree(uffd);
        return -ENOMEM;
    }
    uffd->refs = 1;
    uffd->user_only = flags & UFFD_USER_MODE_ONLY;
    uffd->lock = (struct spinlock)SPINLOCK_INIT(LOCK_PAGER);
    list_init(&uffd->faults);
    wait_queue_init(&uffd->wait);
    wait_queue_init(&uffd->readers);
    mm_pager_begin(task_current()->mm, &uffd->pager);
    int fd = files_add(process_current()->files, file, 0, flags & O_CLOEXEC);
    if (fd < 0)
        file_put(file);
    return fd;
}
