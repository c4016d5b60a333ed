/* SPDX-License-Identifier: MIT */
/* Exercises of docs/book/04-fork-and-faults.md. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "test.h"

#define PAGES 16

static volatile char *pages;

static void pages_map(void)
{
    pages = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
}

/* ---- Counting faults ---------------------------------------------------- */

static long faults(void)
{
    struct rusage usage;
    CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

/* getrusage(2): ru_minflt, faults resolved without reading a disk. Here: all of them. */
EXERCISE(exercise_minor_faults)
{
    pages_map();
    long before = faults();
    for (int i = 0; i < PAGES; i++)
        pages[i * 4096] = 1;
    long written = faults() - before;
    EXPECT(written >= PAGES && written <= PAGES + 4,
           "%d faults more in ru_minflt for %d pages, not %ld", PAGES, PAGES, written);
    before = faults();
    for (int i = 0; i < PAGES; i++)
        pages[i * 4096] = 2;
    EXPECT(faults() - before <= 2, "no faults for pages that are there");
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
