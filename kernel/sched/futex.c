/* SPDX-License-Identifier: MIT */
/*
 * Futexes: tasks that wait for a word of user memory to change.
 *
 * A word is known by its address space and address, or, in a shared mapping, by its frame and
 * offset. A waiter enters its bucket first and reads the word afterwards. The waking task changes
 * the word first and looks at the bucket afterwards. So one of the two sees the other. The word is
 * read with no lock held, because reading it may fault.
 */
#include "kernel/sched/futex.h"

#include "base/list.h"
#include "kernel/signal/restart.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "kernel/time/time.h"
#include "mm/phys/frame.h"
#include "uapi/errno.h"
#include "uapi/futex.h"

#define BUCKETS 64

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

/* [B] its bucket's lock; bucket changes only while the locks of the old and the new one are held */
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

/* 0 with a key, which key_put() gives back; -EINVAL (alignment), -EFAULT, -ENOMEM. */
static int key_get(uaddr_t word, bool is_private, struct key *key)
{
    uint64_t va = word.v;
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

/* Leave the bucket in which the waiter is by now. Was the waiter woken? */
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

static long futex_wait(uaddr_t word, bool is_private, uint32_t expected, uint64_t deadline_ns,
                       uint32_t bits)
{
    struct key key;
    struct waiter waiter;
    uint32_t value;
    if (!bits)
        return -EINVAL;
    int err = key_get(word, is_private, &key);
    if (err)
        return err;
    waiter_enter(&waiter, &key, bits);
    if (arch_copy_from_user(&value, word, sizeof(value)))
        err = -EFAULT;
    else if (value != expected)
        err = -EAGAIN;
    else
        err = waiter_sleep(&waiter, deadline_ns);
    /* a wake that this task used up must not be lost */
    return waiter_leave(&waiter) ? 0 : err;
}

/* ---- Waking ------------------------------------------------------------- */

/* The bucket is locked; the waiter cannot leave before the bucket is unlocked. */
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

static long futex_wake(uaddr_t word, bool is_private, unsigned count, uint32_t bits)
{
    struct key key;
    if (!bits)
        return -EINVAL;
    int err = key_get(word, is_private, &key);
    if (err)
        return err;
    unsigned woken = key_wake(&key, count, bits);
    key_put(&key);
    return woken;
}

void futex_wake_word(uaddr_t word, unsigned count)
{
    (void)futex_wake(word, false, count, FUTEX_BITSET_MATCH_ANY);
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

/* What FUTEX_REQUEUE and FUTEX_CMP_REQUEUE are asked for. */
struct requeue {
    struct key from, to;
    unsigned wake_max, move_max;
    const uint32_t *expected; /* NULL: whatever the word holds */
    unsigned moved;           /* woken, and moved to the other word */
};

/* From now on the waiter waits on the word of to. Both buckets are locked. */
static void waiter_move(struct waiter *waiter, const struct key *to, struct bucket *target)
{
    if (to->is_frame)
        frame_get((struct frame *)to->space);
    key_put(&waiter->key);
    waiter->key = *to;
    list_remove(&waiter->link);
    list_append(&waiter->link, &target->waiters);
    __atomic_store_n(&waiter->bucket, target, __ATOMIC_RELEASE);
}

/* Wake at most wake_max waiters of the source; move at most move_max others to the target. As on
 * Linux, both count. Both buckets are locked. */
static void requeue_locked(struct requeue *requeue, struct bucket *source, struct bucket *target)
{
    unsigned woken = 0, moved = 0;
    bool same = key_same(&requeue->from, &requeue->to);
    list_for_each_safe (link, after, &source->waiters) {
        struct waiter *waiter = list_entry(link, struct waiter, link);
        if (!key_same(&waiter->key, &requeue->from))
            continue;
        if (woken < requeue->wake_max) {
            waiter_wake(waiter);
            woken++;
        } else if (moved < requeue->move_max && !same) {
            waiter_move(waiter, &requeue->to, target);
            moved++;
        }
    }
    requeue->moved = woken + moved;
}

/* Compare word, unless it is NULL, and requeue with no other wait or wake in between. 0 or
 * -EAGAIN. */
static int requeue_if(struct requeue *requeue, const uint32_t *word)
{
    struct bucket *source = key_bucket(&requeue->from), *target = key_bucket(&requeue->to);
    both_lock(source, target);
    bool holds = !word || __atomic_load_n(word, __ATOMIC_SEQ_CST) == *requeue->expected;
    if (holds)
        requeue_locked(requeue, source, target);
    both_unlock(source, target);
    return holds ? 0 : -EAGAIN;
}

static int requeue_compared(struct frame *frame, size_t offset, void *context)
{
    return requeue_if(context, (const uint32_t *)((char *)frame_va(frame) + offset));
}

/* The word is compared with its page held in place. The page may be read-only: then no task writes
 * to it through this address space. */
static int requeue_do(struct requeue *requeue, uaddr_t word)
{
    struct mm *mm = task_current()->mm;
    if (!requeue->expected)
        return requeue_if(requeue, NULL);
    int err = mm_gup_with(mm, word.v, GUP_WRITE, requeue_compared, requeue);
    return err == -EFAULT ? mm_gup_with(mm, word.v, 0, requeue_compared, requeue) : err;
}

static long futex_requeue(uaddr_t word, uaddr_t word2, bool is_private, struct requeue requeue)
{
    int err = (int)requeue.wake_max < 0 || (int)requeue.move_max < 0 ? -EINVAL : 0;
    if (!err)
        err = key_get(word, is_private, &requeue.from);
    if (err)
        return err;
    err = key_get(word2, is_private, &requeue.to);
    if (!err) {
        err = requeue_do(&requeue, word);
        key_put(&requeue.to);
    }
    key_put(&requeue.from);
    return err ? err : (long)requeue.moved;
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

/* The arguments: word, private, expected, bits. A wait with a deadline goes on by the same one. */
static long wait_again_until(const struct restart *wait)
{
    long err = futex_wait(uaddr(wait->a), wait->b, (uint32_t)wait->c, wait->deadline_ns,
                          (uint32_t)wait->d);
    if (err != -ERESTARTSYS || !wait->deadline_ns)
        return err;
    task_current()->signals.restart = *wait;
    return -ERESTART_RESTARTBLOCK;
}

static long wait_call(uaddr_t word, int op, uint32_t expected, uaddr_t timeout, uint32_t bits)
{
    struct restart wait = { wait_again_until, 0, word.v, op & FUTEX_PRIVATE_FLAG, expected, bits };
    int err = deadline_get(timeout, op, &wait.deadline_ns);
    return err ? err : wait_again_until(&wait);
}

/* futex(uaddr, op, val, timeout or val2, uaddr2, val3). As on Linux, only an absolute time can be
 * one of the wall clock. */
long sys_futex(uaddr_t word, int op, uint32_t value, uint64_t timeout, uaddr_t word2,
               uint32_t value3)
{
    bool is_private = op & FUTEX_PRIVATE_FLAG;
    struct requeue requeue = { .wake_max = value, .move_max = (uint32_t)timeout };
    unsigned command = (unsigned)op & FUTEX_CMD_MASK;
    if (op & FUTEX_CLOCK_REALTIME && command != FUTEX_WAIT_BITSET)
        return -ENOSYS;
    switch (command) {
    case FUTEX_WAIT: return wait_call(word, op, value, uaddr(timeout), FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAIT_BITSET: return wait_call(word, op, value, uaddr(timeout), value3);
    case FUTEX_WAKE: return futex_wake(word, is_private, value, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET: return futex_wake(word, is_private, value, value3);
    case FUTEX_CMP_REQUEUE: requeue.expected = &value3; __attribute__((fallthrough));
    case FUTEX_REQUEUE: return futex_requeue(word, word2, is_private, requeue);
    default: return -ENOSYS;
    }
}
