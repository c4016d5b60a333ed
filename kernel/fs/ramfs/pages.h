/* SPDX-License-Identifier: MIT */
/*
 * The pages of a file: a tree of tables of frames, as high as the file needs. A missing page is a
 * hole. The owner's lock guards the tree. Private to kernel/fs/ramfs/.
 */
#ifndef KERNEL_PAGES_H
#define KERNEL_PAGES_H

#include "mm/phys/frame.h"

#define PAGES_MAX (1ull << 27) /* 512 GiB */

struct pages {
    void *top;       /* NULL, a frame (height 0), or a table of 512 of the next height */
    unsigned height; /* pages below 512^height have a place */
};

/* The frame of a page; NULL: a hole. */
struct frame *pages_find(const struct pages *pages, uint64_t page);
/* The same, but a hole gets a zeroed frame first. NULL: out of memory. page < PAGES_MAX. */
MUST_CHECK struct frame *pages_make(struct pages *pages, uint64_t page);
/* The first page from page on that is there, or that is not there; PAGES_MAX: none. */
uint64_t pages_next(const struct pages *pages, uint64_t page, bool there);
/* Give back every page from page on. */
void pages_cut(struct pages *pages, uint64_t page);

#endif
