/* SPDX-License-Identifier: MIT */
/*
 * Locks, and the one place where their order is written.
 *
 * The kernel is not preempted while it runs: a task gives up the CPU only where it waits and on the
 * way back to user mode, never with a lock held. A spinlock is therefore held for a bounded time. A
 * CPU that waits for one meanwhile serves the requests of other CPUs (arch_pause()). Locks taken by
 * interrupt handlers as well are taken with spin_lock_irq(), all others with spin_lock().
 *
 * The test build checks every lock that is taken: its rank against those held, interrupts off where
 * they must be, and that an interrupt handler takes none of the others. It panics on the first
 * offence, whether or not another CPU waits.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include "arch/x86/inline.h"
#include "base/types.h"

/*
 * Outermost first: a lock may be taken only while all locks held stand above it. Two locks of one
 * rank are taken only by the functions named _second, in the order that the rank's line gives.
 */
enum lock_rank {
    /* mm.lock: read for faults; write for fork, mmap, munmap, mprotect, exec, exit. A parent's,
     * then that of a child that nobody knows yet */
    LOCK_MM,
    LOCK_TREE,   /* the RAM file system's names */
    LOCK_INODE,  /* one file's contents */
    LOCK_FILES,  /* a process's file table */
    LOCK_PIPE,   /* one pipe's ring */
    LOCK_SOURCE, /* which VMAs show a file */
    /* frame.table.lock, the entries of one table page; a table, then the tables below it */
    LOCK_TABLE,
    LOCK_PAGER,                  /* what one pager is asked for; whose the pagers are */
    LOCK_FUTEX,                  /* one bucket of futexes; two: the lower address first */
    LOCK_KMAP,                   /* the kernel's own tables and stacks */
    LOCK_SLAB,                   /* one size class */
    LOCK_FRAME,                  /* the free lists */
    LOCK_FIRST_IRQ,              /* those below are taken with interrupts off */
    LOCK_INPUT = LOCK_FIRST_IRQ, /* the terminal's input */
    LOCK_TASKS,                  /* the process tree */
    LOCK_PROCESS,                /* a process's memory, files and signals */
    LOCK_WAIT_QUEUE,             /* the tasks that wait for one thing */
    LOCK_RUN_QUEUE,              /* one CPU's tasks; two of them: the lower CPU first */
    LOCK_CONSOLE,                /* output devices */
};

struct spinlock {
    uint16_t held; /* 1 while held */
    uint16_t rank; /* [I] enum lock_rank */
};

#define SPINLOCK_INIT(lock_rank) \
    {                            \
        0, lock_rank             \
    }

#ifdef CONFIG_TEST
/* Panic if this CPU must not take a lock of this rank now; from then on it counts as held. */
void lock_note_taken(const void *lock, enum lock_rank rank, bool second);
void lock_note_dropped(const void *lock);
/* Called around every interrupt handler: its locks are not checked against those held before. */
unsigned lock_interrupt_begin(void);
void lock_interrupt_end(unsigned before);
void lock_checks_off(void); /* a panic ignores locks */
uint64_t lock_count(void);  /* locks taken since boot, by all CPUs */
#else
static inline void lock_note_taken(const void *lock, enum lock_rank rank, bool second) {}
static inline void lock_note_dropped(const void *lock) { (void)lock; }
static inline unsigned lock_interrupt_begin(void) { return 0; }
static inline void lock_interrupt_end(unsigned before) { (void)before; }
static inline void lock_checks_off(void) {}
#endif

COLD void spin_wait(struct spinlock *lock); /* the slow half of spin_lock() */
#if __STDC_HOSTED__
#define SPIN_WAIT(lock) spin_wait(lock)
#else
/* spin_wait_all() changes no register, so that a function which takes a lock need not save any. */
#define SPIN_WAIT(lock) __asm__ volatile("call spin_wait_all" : : "D"(lock) : "memory", "cc")
#endif

static inline void spin_take(struct spinlock *lock)
{
    if (__builtin_expect(__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE), 0))
        SPIN_WAIT(lock);
}

static inline void spin_lock(struct spinlock *lock)
{
    lock_note_taken(lock, lock->rank, false);
    spin_take(lock);
}

/* A second lock of the same rank; see enum lock_rank for the order. */
static inline void spin_lock_second(struct spinlock *lock)
{
    lock_note_taken(lock, lock->rank, true);
    spin_take(lock);
}

static inline void spin_unlock(struct spinlock *lock)
{
    lock_note_dropped(lock);
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/* The same with interrupts off meanwhile; the result goes back to spin_unlock_irq(). */
MUST_CHECK static inline uint64_t spin_lock_irq(struct spinlock *lock)
{
    uint64_t state = arch_irq_save();
    spin_lock(lock);
    return state;
}

static inline void spin_unlock_irq(struct spinlock *lock, uint64_t irq_state)
{
    spin_unlock(lock);
    arch_irq_restore(irq_state);
}

/* Many readers or one writer, of rank LOCK_MM. A waiting writer keeps new readers out. */
struct rwlock {
    int32_t count; /* readers inside, or -1 for the writer */
    uint32_t writers_waiting;
};

#define RWLOCK_INIT \
    {               \
        0, 0        \
    }

COLD void read_wait(struct rwlock *lock); /* the slow halves */
COLD void write_wait(struct rwlock *lock);

/* One try to enter as a reader, or as the writer. */
static inline bool read_try(struct rwlock *lock)
{
    int32_t count = __atomic_load_n(&lock->count, __ATOMIC_RELAXED);
    return count >= 0 && !__atomic_load_n(&lock->writers_waiting, __ATOMIC_RELAXED)
           && __atomic_compare_exchange_n(&lock->count, &count, count + 1, true, __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED);
}

static inline bool write_try(struct rwlock *lock)
{
    int32_t none = 0;
    return __atomic_compare_exchange_n(&lock->count, &none, -1, true, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static inline void read_lock(struct rwlock *lock)
{
    lock_note_taken(lock, LOCK_MM, false);
    if (__builtin_expect(!read_try(lock), 0))
        read_wait(lock);
}

static inline void write_lock(struct rwlock *lock)
{
    lock_note_taken(lock, LOCK_MM, false);
    if (__builtin_expect(!write_try(lock), 0))
        write_wait(lock);
}

/* A second one, in the order that LOCK_MM's line gives. */
static inline void write_lock_second(struct rwlock *lock)
{
    lock_note_taken(lock, LOCK_MM, true);
    if (__builtin_expect(!write_try(lock), 0))
        write_wait(lock);
}

static inline void read_unlock(struct rwlock *lock)
{
    lock_note_dropped(lock);
    __atomic_sub_fetch(&lock->count, 1, __ATOMIC_RELEASE);
}

static inline void write_unlock(struct rwlock *lock)
{
    lock_note_dropped(lock);
    __atomic_store_n(&lock->count, 0, __ATOMIC_RELEASE);
}

/* Is it held at all, or by a writer? For assertions: the holder is not known. */
static inline bool read_is_held(const struct rwlock *lock)
{
    return __atomic_load_n(&lock->count, __ATOMIC_RELAXED) != 0;
}
static inline bool write_is_held(const struct rwlock *lock)
{
    return __atomic_load_n(&lock->count, __ATOMIC_RELAXED) < 0;
}

#endif
