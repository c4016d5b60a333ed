/* SPDX-License-Identifier: MIT */
/* The waiting halves of the locks. */
#include "base/lock.h"

void spin_wait(struct spinlock *lock)
{
    do {
        while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
            arch_pause();
    } while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE));
}

void read_lock(struct rwlock *lock)
{
    for (;;) {
        int32_t count = __atomic_load_n(&lock->count, __ATOMIC_RELAXED);
        bool may_enter = count >= 0 && !__atomic_load_n(&lock->writers_waiting, __ATOMIC_RELAXED);
        if (may_enter && __atomic_compare_exchange_n(&lock->count, &count, count + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return;
        arch_pause();
    }
}

void write_lock(struct rwlock *lock)
{
    __atomic_add_fetch(&lock->writers_waiting, 1, __ATOMIC_RELAXED);
    int32_t none = 0;
    while (!__atomic_compare_exchange_n(&lock->count, &none, -1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        none = 0;
        arch_pause();
    }
    __atomic_sub_fetch(&lock->writers_waiting, 1, __ATOMIC_RELAXED);
}
