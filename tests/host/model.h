/* SPDX-License-Identifier: MIT */
/*
 * A plain model of what a program may see of its memory. For each of a fixed set of cells (8 bytes
 * at the start of a page) it knows whether the cell is mapped, with which rights, and its value. It
 * knows nothing of frames, entries or sharing.
 */
#ifndef TESTS_HOST_MODEL_H
#define TESTS_HOST_MODEL_H

#include "fake.h"

#define SMALL_CELLS 96 /* each a page of its own, side by side */
#define HUGE_LEAVES 4  /* 2 MiB leaves, side by side */
#define LEAF_CELLS  3  /* cells looked at in each */
#define MIXED_CELLS                                                              \
    8 /* 1 MiB each, side by side: as much as a growing mapping keeps free below \
       */
#define MIXED_FIRST (SMALL_CELLS + HUGE_LEAVES * LEAF_CELLS)
#define CELLS       (MIXED_FIRST + MIXED_CELLS)
#define SMALL_BASE  0x10000000ull
#define HUGE_BASE   0x40000000ull
#define MIXED_BASE  (0x7fffffe00000ull - MIXED_CELLS * MIXED_BYTES) /* high: as stacks are */
#define MIXED_BYTES (1ull << 20)
#define FILE_PAGES  8

enum backing { ANONYMOUS, FILE_PRIVATE, FILE_SHARED };

struct cell {
    bool mapped;
    uint32_t flags; /* VM_PROT and what else there is, but VM_SHARED */
    enum backing backing;
    uint64_t file_page;
    bool own; /* the value is the mapping's own; else the file's, or 0 */
    uint64_t value;
};

struct model {
    struct cell cell[CELLS];
};

extern uint64_t model_file[FILE_PAGES]; /* the file's words, one a page */
extern uint64_t model_file_pages;       /* its length */

uint64_t cell_va(unsigned index);
uint64_t cell_value(const struct cell *cell);
void cell_store(struct cell *cell, uint64_t value);
/* A load or store at an unmapped cell: a mapping above that may grow down to the cell grows. */
void model_grow(struct model *model, unsigned index);
/* Do these cells begin or end in the middle of a huge leaf? */
bool model_cuts_leaf(const struct model *model, unsigned first, unsigned count);
/* The file's length has become model_file_pages. */
void model_cut(struct model *model);
/* The outcome of an access; FAULT_OK_SPURIOUS means success. */
enum fault_outcome cell_access(const struct cell *cell, enum cpu_access access);
/* The result of get-user-pages: 0 or -EFAULT. */
int cell_gup(const struct cell *cell, unsigned flags);

#endif
