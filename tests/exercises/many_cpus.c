/* SPDX-License-Identifier: MIT */
/* Exercises of docs/book/06-many-cpus.md. */
#include "test.h"

#define FUTEX_WAKE_OP 5

/* /proc/stat, as Linux documents it in proc(5): a line for each CPU, its ticks in user mode
 * first. Programs like top read it. */
EXERCISE(exercise_cpu_ticks)
{
    unsigned long before = 0, after = 0;
    const char *line = strstr(file_text("/proc/stat"), "cpu0 ");
    EXPECT(line && sscanf(line, "cpu0 %lu", &before) == 1,
           "a line \"cpu0 TICKS ...\" in /proc/stat");
    pin(0);
    for (volatile long i = 0; i < 30000000; i++) {}
    line = strstr(file_text("/proc/stat"), "cpu0 ");
    EXPECT(line && sscanf(line, "cpu0 %lu", &after) == 1 && after > before,
           "more user ticks on CPU 0 after a loop there, not %lu and then %lu", before, after);
}

/* futex(2), FUTEX_WAKE_OP: change the second word in one atomic step, wake waiters of the first,
 * and by its old value of the second. */
EXERCISE(exercise_futex_wake_op)
{
    static uint32_t first, second = 40;
    unsigned add_2_compare_equal_40 = 1u << 28 | 0u << 24 | 2u << 12 | 40u;
    long result = raw6(SYS_futex, (long)&first, FUTEX_WAKE_OP, 1, 1, (long)&second,
                       add_2_compare_equal_40);
    EXPECT(result != -ENOSYS, "futex(FUTEX_WAKE_OP) instead of ENOSYS");
    EXPECT(result == 0, "0 woken where nobody waits, not %ld", result);
    EXPECT(second == 42, "40 + 2 in the second word, not %u", second);
}
