/* SPDX-License-Identifier: MIT */
/* What vma_test compares the list and the tree of VMAs with: a plain sorted array of ranges. */
#ifndef TESTS_HOST_RANGES_H
#define TESTS_HOST_RANGES_H

#include "mm/vma/place.h"

#define RANGES_MAX 300
#define PAGES      3000 /* all ranges lie in these */
#define BASE       0x10000000ull
#define TOP        (BASE + PAGES * PAGE_SIZE)

struct range {
    uint64_t start, end;
    uint32_t flags; /* VM_* */
    bool file;
    uint64_t page; /* of the file, at start */
};
extern struct range ranges[RANGES_MAX];
extern unsigned count;

/* What a range keeps free below and above itself. */
uint64_t keeps_below(const struct range *range);
uint64_t keeps_above(const struct range *range);

void ranges_insert(unsigned at, struct range range);
void ranges_remove(unsigned at);
/* The first range that ends above va; count when there is none. */
unsigned ranges_find(uint64_t va);
/* Is b the same mapping, going on where a ends? */
bool ranges_continue(const struct range *a, const struct range *b);
/* Which pages may not be used, with gap kept free around what is to be placed. What a range keeps
 * free ends at the next range. */
void ranges_block(uint64_t gap, bool blocked[PAGES]);
/* The highest place, tried address by address; 0: none. wanted.low and wanted.high are set. */
uint64_t ranges_place(const struct place *wanted);

#endif
