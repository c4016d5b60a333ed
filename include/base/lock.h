/* SPDX-License-Identifier: MIT */
/*
 * Locks, and the one place where their order is written.
 *
 * The kernel is not preempted while it runs: a task gives up the CPU only where it waits and on the way back to
 * user mode, never with a lock held. A spinlock is therefore held for a bounded time.
 * Locks taken by interrupt handlers as well are taken with spin_lock_irq(), all others with spin_lock().
 *
 * Order, outermost first; a lock may be taken only while holding locks that stand above it:
 *
 *   mm.lock           read for faults; write for fork, mmap, munmap, mprotect, exec, exit
 *                     two address spaces (fork): the parent's, then the child's
 *   inode.lock        one file's contents and names
 *   files.lock        a process's file table
 *   tasks_lock        the process tree (irq)
 *   process.lock      a process's memory, files and signals (irq)
 *   frame.table_lock  the entries of one table page; two of them: the parent process's first, then the child's;
 *                     of one process, a table before the tables below it
 *   slab.lock         one size class
 *   frame_lock        the free lists
 *   run_lock          run queue and wait queues (irq)
 *   console.lock      output devices (irq)
 *   trace             takes no lock
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include "arch/x86/arch.h"
#include "base/types.h"

struct spinlock {
    uint32_t held;              /* 1 while held */
};

#define SPINLOCK_INIT { 0 }

COLD void spin_wait(struct spinlock *lock); /* the slow half of spin_lock() */

static inline void spin_lock(struct spinlock *lock)
{
    if (__builtin_expect(__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE), 0))
        spin_wait(lock);
}

static inline void spin_unlock(struct spinlock *lock)
{
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

static inline bool spin_is_held(const struct spinlock *lock)
{
    return __atomic_load_n(&lock->held, __ATOMIC_RELAXED);
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

/* Many readers or one writer. A waiting writer keeps new readers out. */
struct rwlock {
    int32_t  count;             /* readers inside, or -1 for the writer */
    uint32_t writers_waiting;
};

#define RWLOCK_INIT { 0, 0 }

void read_lock(struct rwlock *lock);
void write_lock(struct rwlock *lock);
static inline void read_unlock(struct rwlock *lock) { __atomic_sub_fetch(&lock->count, 1, __ATOMIC_RELEASE); }
static inline void write_unlock(struct rwlock *lock) { __atomic_store_n(&lock->count, 0, __ATOMIC_RELEASE); }

#endif
