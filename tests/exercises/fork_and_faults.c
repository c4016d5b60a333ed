/* SPDX-License-Identifier: MIT */
/* Exercises of docs/book/04-fork-and-faults.md. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "test.h"

/* ---- The peak ----------------------------------------------------------- */

#define MANY 2048

static long peak_kib(void)
{
    struct rusage usage;
    CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* getrusage(2): ru_maxrss, the most memory that was mapped at any moment. */
EXERCISE(exercise_peak_memory)
{
    long before = peak_kib();
    for (int round = 0; round < 3; round++) {
        char *memory = mmap(NULL, MANY * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                            -1, 0);
        CHECK(memory != MAP_FAILED);
        for (int i = 0; i < MANY; i++)
            memory[i * 4096] = 1;
        CHECK_EQ(munmap(memory, MANY * 4096), 0);
    }
    long more = peak_kib() - before;
    EXPECT(more >= MANY * 4 - 64 && more < 2 * MANY * 4,
           "%d KiB more in ru_maxrss after that much came and went, not %ld", MANY * 4, more);
}

/* ---- Fault-around ------------------------------------------------------- */

/* A read fault in a file maps the neighbours that the file has in memory as well: what is there
 * costs one entry, not one fault. */
EXERCISE(exercise_fault_around)
{
    int fd = open("/bin/shadowfork", O_RDONLY), there = 0;
    volatile char *file = mmap(NULL, 8 * 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(file != MAP_FAILED);
    (void)file[0];
    for (int i = 0; i < 8; i++) {
        struct pte pte = pte_of(getpid(), (uint64_t)file + (uint64_t)i * 4096);
        EXPECT(!pte.state || pte.state == 'r', "clean entries, state r, not %c", pte.state);
        there += pte.state != 0;
    }
    EXPECT(there >= 4, "one load to map at least four of eight pages, not %d", there);
    char *write = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(write != MAP_FAILED);
    write[2 * 4096] = 'x';
    EXPECT(pte_of(getpid(), (uint64_t)write + 2 * 4096).state == 'w',
           "a store to get a page of its own");
    EXPECT(file[2 * 4096] != 'x', "the file unchanged");
}
