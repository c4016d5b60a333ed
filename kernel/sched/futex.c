/* SPDX-License-Identifier: MIT */
/*
 * Futexes: tasks that wait for a word of user memory to change.
 *
 * A word is known by its address space and address, or, in a shared mapping, by its frame and
 * offset. A waiter enters its bucket first and reads the word afterwards; whoever wakes has changed
 * the word first and looks at the bucket afterwards: one of the two sees the other. The word is
 * read with no lock held, since that may fault.
 */
#include "kernel/sched/futex.h"

#include "base/list.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "kernel/time/time.h"
#include "mm/frame.h"
#include "uapi/errno.h"
#include "uapi/futex.h"

#define BUCKETS            64
#define ROBUST_ENTRIES_MAX 2048

/* Buckets are told apart by their address. */
static struct bucket {
    struct spinlock lock;
    struct list waiters; /* [lock] of waiter.link */
} buckets[BUCKETS];

struct key {
    const void *space; /* struct mm, or struct frame, which the key holds */
    uint64_t address;  /* or offset in the frame */
    bool is_frame;
};

/* [B] its bucket's lock; who changes bucket holds the old one's and the new one's */
struct waiter {
    struct list link;        /* [B] */
    struct bucket *bucket;   /* [B] */
    struct key key;          /* [B] */
    uint32_t bits;           /* [I] */
    bool woken;              /* [B] */
    struct wait_queue queue; /* its task alone */
};

/* ---- Keys and buckets --------------------------------------------------- */

static bool in_shared_mapping(struct mm *mm, uint64_t va)
{
    struct vma vma;
    char name[8];
    return mm_next_vma(mm, va, &vma, name, sizeof(name)) && va >= vma.start
           && vma.flags & VM_SHARED;
}

/* 0 with a key to be given back by key_put(); -EINVAL (alignment), -EFAULT, -ENOMEM. */
static int key_get(uint64_t va, bool is_private, struct key *key)
{
    struct mm *mm = task_current()->mm;
    *key = (struct key){ mm, va, false };
    if (va % sizeof(uint32_t))
        return -EINVAL;
    if (va >= USER_END)
        return -EFAULT;
    if (is_private || !in_shared_mapping(mm, va))
        return 0;
    struct frame *frame;
    int err = mm_gup(mm, va, 0, &frame);
    if (!err)
        *key = (struct key){ frame, va % PAGE_SIZE, true };
    return err;
}

static void key_put(const struct key *key)
{
    if (key->is_frame)
        frame_put((struct frame *)key->space);
}

static bool key_same(const struct key *a, const struct key *b)
{
    return a->space == b->space && a->address == b->address;
}

static struct bucket *key_bucket(const struct key *key)
{
    uint64_t hash = ((uint64_t)key->space >> 4 ^ key->address >> 2) * 0x9e3779b97f4a7c15ull;
    return &buckets[hash >> 58];
}

void futex_init(void)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        buckets[i].lock = (struct spinlock)SPINLOCK_INIT(LOCK_FUTEX);
        list_init(&buckets[i].waiters);
    }
}

/* Lock the bucket that the waiter is in. */
static struct bucket *bucket_lock_of(const struct waiter *waiter)
{
    for (;;) {
        struct bucket *bucket = __atomic_load_n(&waiter->bucket, __ATOMIC_ACQUIRE);
        spin_lock(&bucket->lock);
        if (bucket == __atomic_load_n(&waiter->bucket, __ATOMIC_RELAXED))
            return bucket;
        spin_unlock(&bucket->lock);
    }
}

/* ---- Waiting ------------------------------------------------------------ */

static void waiter_enter(struct waiter *waiter, const struct key *key, uint32_t bits)
{
    *waiter = (struct waiter){ .bucket = key_bucket(key), .key = *key, .bits = bits };
    wait_queue_init(&waiter->queue);
    spin_lock(&waiter->bucket->lock);
    list_append(&waiter->link, &waiter->bucket->waiters);
    spin_unlock(&waiter->bucket->lock);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Out of the bucket, whichever it is by now. Was it woken? */
static bool waiter_leave(struct waiter *waiter)
{
    struct bucket *bucket = bucket_lock_of(waiter);
    list_remove(&waiter->link);
    bool woken = waiter->woken;
    spin_unlock(&bucket->lock);
    key_put(&waiter->key);
    return woken;
}

static int waiter_sleep(struct waiter *waiter, uint64_t deadline_ns)
{
    return wait_until(&waiter->queue, __atomic_load_n(&waiter->woken, __ATOMIC_ACQUIRE),
                      deadline_ns);
}

static long futex_wait(uint64_t va, bool is_private, uint32_t expected, uint64_t deadline_ns,
                       uint32_t bits)
{
    struct key key;
    struct waiter waiter;
    uint32_t word;
    if (!bits)
        return -EINVAL;
    int err = key_get(va, is_private, &key);
    if (err)
        return err;
    waiter_enter(&waiter, &key, bits);
    if (arch_copy_from_user(&word, uaddr(va), sizeof(word)))
        err = -EFAULT;
    else if (word != expected)
        err = -EAGAIN;
    else
        err = waiter_sleep(&waiter, deadline_ns);
    /* a wake that was spent on this task must not be lost */
    return waiter_leave(&waiter) ? 0 : err;
}

/* ---- Waking ------------------------------------------------------------- */

/* The bucket is locked, and the waiter cannot go before it is unlocked. */
static void waiter_wake(struct waiter *waiter)
{
    list_remove(&waiter->link);
    __atomic_store_n(&waiter->woken, true, __ATOMIC_RELEASE);
    wait_wake_all(&waiter->queue);
}

static unsigned key_wake(const struct key *key, unsigned count, uint32_t bits)
{
    unsigned woken = 0;
    struct bucket *bucket = key_bucket(key);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    spin_lock(&bucket->lock);
    list_for_each_safe (link, after, &bucket->waiters) {
        struct waiter *waiter = list_entry(link, struct waiter, link);
        if (woken < count && waiter->bits & bits && key_same(&waiter->key, key)) {
            waiter_wake(waiter);
            woken++;
        }
    }
    spin_unlock(&bucket->lock);
    return woken;
}

static long futex_wake(uint64_t va, bool is_private, unsigned count, uint32_t bits)
{
    struct key key;
    if (!bits)
        return -EINVAL;
    int err = key_get(va, is_private, &key);
    if (err)
        return err;
    unsigned woken = key_wake(&key, count, bits);
    key_put(&key);
    return woken;
}

void futex_wake_word(uaddr_t word, unsigned count)
{
    (void)futex_wake(word.v, false, count, FUTEX_BITSET_MATCH_ANY);
}

static void both_lock(struct bucket *a, struct bucket *b)
{
    spin_lock(a < b ? &a->lock : &b->lock);
    if (a != b)
        spin_lock_second(a < b ? &b->lock : &a->lock);
}

static void both_unlock(struct bucket *a, struct bucket *b)
{
    spin_unlock(&a->lock);
    if (a != b)
        spin_unlock(&b->lock);
}

/* Wake up to wake of those that wait on from, and let up to move others wait on to instead. How
 * many of both, as Linux counts. */
static unsigned key_requeue(const struct key *from, const struct key *to, unsigned wake,
                            unsigned move)
{
    struct bucket *source = key_bucket(from), *target = key_bucket(to);
    unsigned woken = 0, moved = 0;
    both_lock(source, target);
    list_for_each_safe (link, after, &source->waiters) {
        struct waiter *waiter = list_entry(link, struct waiter, link);
        if (!key_same(&waiter->key, from))
            continue;
        if (woken < wake) {
            waiter_wake(waiter);
            woken++;
        } else if (moved < move) {
            if (to->is_frame)
                frame_get((struct frame *)to->space);
            key_put(&waiter->key);
            waiter->key = *to;
            list_remove(&waiter->link);
            list_append(&waiter->link, &target->waiters);
            __atomic_store_n(&waiter->bucket, target, __ATOMIC_RELEASE);
            moved++;
        }
    }
    both_unlock(source, target);
    return woken + moved;
}

static long futex_requeue(uint64_t va, uint64_t va2, bool is_private, unsigned wake, unsigned move,
                          const uint32_t *expected)
{
    struct key from, to;
    uint32_t word;
    int err = key_get(va, is_private, &from);
    if (err)
        return err;
    err = key_get(va2, is_private, &to);
    if (err) {
        key_put(&from);
        return err;
    }
    long result;
    if (expected && arch_copy_from_user(&word, uaddr(va), sizeof(word)))
        result = -EFAULT;
    else if (expected && word != *expected)
        result = -EAGAIN;
    else if (key_same(&from, &to))
        result = key_wake(&from, wake, FUTEX_BITSET_MATCH_ANY);
    else
        result = key_requeue(&from, &to, wake, move);
    key_put(&from);
    key_put(&to);
    return result;
}

/* ---- Robust lists ------------------------------------------------------- */

/* The owner of the futex word at va is dying: say so in the word if the task is the owner, and
 * wake a waiter. */
static void robust_mark(struct task *task, uint64_t va)
{
    uint32_t old;
    int err = -EAGAIN;
    if (va % sizeof(uint32_t) || arch_copy_from_user(&old, uaddr(va), sizeof(old)))
        return;
    while (err == -EAGAIN && (old & FUTEX_TID_MASK) == (uint32_t)task->tid)
        err = mm_cmpxchg(task->mm, va, &old, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
    if (!err && old & FUTEX_WAITERS)
        (void)futex_wake(va, false, 1, FUTEX_BITSET_MATCH_ANY);
}

/* The list is the program's own: every pointer of it may be wrong, and it may have no end. Bit 0
 * marks PI futexes, not served here. */
void futex_robust_end(struct task *task)
{
    struct robust_list_head head;
    if (arch_copy_from_user(&head, task->robust_list, sizeof(head)))
        return;
    uint64_t entry = head.next;
    for (int i = 0; i < ROBUST_ENTRIES_MAX && (entry & ~1ull) != task->robust_list.v; i++) {
        uint64_t next;
        bool more = arch_copy_from_user(&next, uaddr(entry & ~1ull), sizeof(next)) == 0;
        if (entry != head.list_op_pending && !(entry & 1))
            robust_mark(task, entry + (uint64_t)head.futex_offset);
        if (!more)
            break;
        entry = next;
    }
    if (head.list_op_pending && !(head.list_op_pending & 1))
        robust_mark(task, head.list_op_pending + (uint64_t)head.futex_offset);
}

long sys_set_robust_list(uaddr_t head, size_t size)
{
    if (size != sizeof(struct robust_list_head))
        return -EINVAL;
    task_current()->robust_list = head;
    return 0;
}

/* get_robust_list(tid, &head, &size). Of the caller alone: C libraries ask it whether there are
 * robust lists at all. */
long sys_get_robust_list(int tid, uaddr_t head, uaddr_t size_to)
{
    const struct task *task = task_current();
    uint64_t size = sizeof(struct robust_list_head);
    if (tid && tid != task->tid)
        return -EPERM;
    if (arch_copy_to_user(head, &task->robust_list, sizeof(uint64_t))
        || arch_copy_to_user(size_to, &size, sizeof(size)))
        return -EFAULT;
    return 0;
}

/* ---- The system call ---------------------------------------------------- */

/* The deadline that a wait's timeout means: relative for FUTEX_WAIT, absolute for
 * FUTEX_WAIT_BITSET. 0: none. */
static int deadline_get(uaddr_t timeout, int op, uint64_t *deadline_ns)
{
    uint64_t ns;
    *deadline_ns = 0;
    if (!timeout.v)
        return 0;
    int err = time_in(timeout, &ns);
    if (err)
        return err;
    uint64_t now = arch_clock_ns();
    if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT)
        *deadline_ns = now + ns;
    else if (op & FUTEX_CLOCK_REALTIME)
        *deadline_ns = ns > wall_clock_ns() ? now + (ns - wall_clock_ns()) : now;
    else
        *deadline_ns = max_u64(ns, 1);
    return 0;
}

/* futex(uaddr, op, val, timeout or val2, uaddr2, val3) */
long sys_futex(uaddr_t word, int op, uint32_t value, uint64_t timeout, uaddr_t word2,
               uint32_t value3)
{
    bool is_private = op & FUTEX_PRIVATE_FLAG;
    uint64_t deadline;
    int err;
    switch (op & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        err = deadline_get(uaddr(timeout), op, &deadline);
        return err ? err
                   : futex_wait(word.v, is_private, value, deadline,
                                (op & FUTEX_CMD_MASK) == FUTEX_WAIT ? FUTEX_BITSET_MATCH_ANY
                                                                    : value3);
    case FUTEX_WAKE: return futex_wake(word.v, is_private, value, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET: return futex_wake(word.v, is_private, value, value3);
    case FUTEX_REQUEUE:
        return (int)value < 0 || (int)timeout < 0
                   ? -EINVAL
                   : futex_requeue(word.v, word2.v, is_private, value, (unsigned)timeout, NULL);
    case FUTEX_CMP_REQUEUE:
        return (int)value < 0 || (int)timeout < 0
                   ? -EINVAL
                   : futex_requeue(word.v, word2.v, is_private, value, (unsigned)timeout, &value3);
    default: return -ENOSYS;
    }
}
