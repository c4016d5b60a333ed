/* SPDX-License-Identifier: MIT */
/*
 * Proves: two writers that force their way into one read-only private page at the same time, as
 * debuggers do, lose nothing of what they write. The writers are two threads of the build machine.
 */
#include <pthread.h>

#include "fake.h"

#define ARENA_BYTES (16ull << 20)
#define VA          0x10000000ull
#define HALF        (PAGE_SIZE / 2 / sizeof(uint64_t)) /* words */
#define ROUNDS      200000

static struct mm *mm;
static bool lost;

static long half_move(uint64_t *words, unsigned half, unsigned flags)
{
    size_t bytes = HALF * sizeof(*words);
    return mm_access(mm, VA + half * bytes, words, bytes, flags | GUP_FORCE) == (long)bytes;
}

/* Write one half of the page over and over, and check that it stays written. */
static void *half_write(void *context)
{
    unsigned half = (unsigned)(uintptr_t)context;
    uint64_t words[HALF];
    fake_cpu = half;
    for (uint64_t round = 1; round <= ROUNDS && !__atomic_load_n(&lost, __ATOMIC_RELAXED);
         round++) {
        for (size_t i = 0; i < HALF; i++)
            words[i] = round;
        if (!half_move(words, half, GUP_WRITE) || !half_move(words, half, 0) || words[0] != round
            || words[HALF - 1] != round) {
            (void)!diagnose("half %u, round %lu: reads %lu and %lu", half, (unsigned long)round,
                            (unsigned long)words[0], (unsigned long)words[HALF - 1]);
            __atomic_store_n(&lost, true, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

static bool forced_writes_are_not_lost(void)
{
    struct map_request request = { .start = VA, .len = PAGE_SIZE, .flags = VM_READ, .fixed = true };
    uint64_t at;
    mm = mm_create();
    if (!mm || mm_map(mm, &request, &at))
        return diagnose("no page");
    pthread_t other;
    fake_threads = true;
    if (pthread_create(&other, NULL, half_write, (void *)1))
        return diagnose("no thread");
    half_write(NULL);
    pthread_join(other, NULL);
    fake_threads = false;
    struct leaf_info leaf;
    bool state_b = mm_next_leaf(mm, VA, &leaf) && leaf.state == 'b' && leaf.refs == 1;
    mm_put(mm);
    return !lost && (state_b || diagnose("not state (b)"));
}

int main(void)
{
    fake_start(ARENA_BYTES);
    plan(1);
    result("forced_writes_to_one_page_are_not_lost", forced_writes_are_not_lost());
    return suite_status();
}
