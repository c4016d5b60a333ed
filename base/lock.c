/* SPDX-License-Identifier: MIT */
/* The waiting halves of the locks, and the test build's checks. */
#include "base/lock.h"

#include "arch/x86/inline.h"
#include "base/panic.h"

/* ---- Checks (test build) ------------------------------------------------ */

#ifdef CONFIG_TEST
#define HELD_MAX 16

/* This CPU only; an interrupt handler's locks lie above base. */
static struct held {
    unsigned count, base;
    uint64_t taken; /* since boot */
    struct {
        const void *lock;
        enum lock_rank rank;
    } lock[HELD_MAX];
} held_by[CPUS_MAX];
static bool checks_off;

void lock_checks_off(void) { checks_off = true; }

static void offence(const char *what, enum lock_rank rank, enum lock_rank above)
{
    checks_off = true;
    panic("lock of rank %d: %s (rank %d)", rank, what, above);
}

void lock_note_taken(const void *lock, enum lock_rank rank, bool second)
{
    if (checks_off)
        return;
    uint64_t irq = arch_irq_save();
    struct held *held = &held_by[arch_cpu_id()];
    if (rank >= LOCK_FIRST_IRQ && irq)
        offence("taken with interrupts on", rank, rank);
    if (rank < LOCK_FIRST_IRQ && held->base)
        offence("taken by an interrupt handler", rank, rank);
    if (held->count > (held->base ? held->base - 1 : 0)) {
        enum lock_rank above = held->lock[held->count - 1].rank;
        if (above > rank || (above == rank && !second))
            offence("taken while one of a later rank is held", rank, above);
    }
    if (held->count == HELD_MAX)
        offence("too many locks are held", rank, rank);
    held->lock[held->count].lock = lock;
    held->lock[held->count++].rank = rank;
    held->taken++;
    arch_irq_restore(irq);
}

uint64_t lock_count(void)
{
    uint64_t count = 0;
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++)
        count += __atomic_load_n(&held_by[cpu].taken, __ATOMIC_RELAXED);
    return count;
}

void lock_note_dropped(const void *lock)
{
    if (checks_off)
        return;
    uint64_t irq = arch_irq_save();
    struct held *held = &held_by[arch_cpu_id()];
    unsigned i = held->count;
    while (i > 0 && held->lock[i - 1].lock != lock)
        i--;
    if (i == 0)
        offence("dropped by a CPU that does not hold it", 0, 0);
    for (; i < held->count; i++)
        held->lock[i - 1] = held->lock[i];
    held->count--;
    arch_irq_restore(irq);
}

/* base is one more than the number of locks that the interrupted code holds; 0: no handler runs. */
unsigned lock_interrupt_begin(void)
{
    struct held *held = &held_by[arch_cpu_id()];
    unsigned before = held->base;
    held->base = held->count + 1;
    return before;
}

void lock_interrupt_end(unsigned before) { held_by[arch_cpu_id()].base = before; }
#endif

/* ---- Spinlocks ---------------------------------------------------------- */

void spin_wait(struct spinlock *lock)
{
    do {
        while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
            arch_pause();
    } while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE));
}

/* ---- Readers and a writer ----------------------------------------------- */

void read_wait(struct rwlock *lock)
{
    while (!read_try(lock))
        arch_pause();
}

void write_wait(struct rwlock *lock)
{
    __atomic_add_fetch(&lock->writers_waiting, 1, __ATOMIC_RELAXED);
    while (!write_try(lock))
        arch_pause();
    __atomic_sub_fetch(&lock->writers_waiting, 1, __ATOMIC_RELAXED);
}
