/* SPDX-License-Identifier: MIT */
/* Exercises of docs/book/02-paging.md. */
#include <fcntl.h>
#include <sys/mman.h>

#include "test.h"

#define ACCESSED (1ul << 5)
#define PAGES    16

static char *pages_map(void)
{
    char *at = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static unsigned accessed_count(const volatile char *at)
{
    unsigned count = 0;
    for (int i = 0; i < PAGES; i++)
        count += (pte_of(getpid(), (uint64_t)at + (uint64_t)i * 4096).raw & ACCESSED) != 0;
    return count;
}

/*
 * Writing 1 to /proc/PID/clear_refs takes the Accessed bit from every entry of the process; the
 * pages it touches from then on have it again. A TLB that still holds an entry sets no bit in it.
 */
EXERCISE(exercise_clear_refs)
{
    volatile char *at = pages_map();
    for (int i = 0; i < PAGES; i++)
        at[i * 4096] = 1;
    CHECK_EQ(accessed_count(at), PAGES);
    EXPECT(file_put_text("/proc/self/clear_refs", "1") == 0,
           "that 1 can be written to /proc/self/clear_refs");
    unsigned left = accessed_count(at);
    EXPECT(left == 0, "A=0 in all %d entries, not still A=1 in %u", PAGES, left);
    for (int i = 0; i < 5; i++)
        at[i * 4096] = 2;
    unsigned again = accessed_count(at);
    EXPECT(again == 5, "A=1 in the five entries touched since, not in %u (is the TLB flushed?)",
           again);
    for (int i = 0; i < PAGES; i++)
        EXPECT(at[i * 4096] == (i < 5 ? 2 : 1), "the contents of page %d kept", i);
    CHECK_EQ(pte_of(getpid(), (uint64_t)at).state, 'w');
}
