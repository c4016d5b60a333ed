/* SPDX-License-Identifier: MIT */
/* What the oracle sees: what the pages of address spaces mean, read from the real tables. Private
 * to the oracle. Nothing is locked here. */
#ifndef MM_LOOK_H
#define MM_LOOK_H

#include "mm/mm.h"

/* A page's value: the address of its frame, and these bits. 0: nothing is there. */
#define CPU_READ  0x001u /* the CPU allows it now, in the tables as they are */
#define CPU_STORE 0x002u
#define CPU_SHSTK 0x004u /* a shadow-stack access */
#define CPU_FETCH 0x008u
#define CPU_ALL   0x00fu
#define MAY_SHIFT 4 /* VM_READ, VM_WRITE, VM_EXEC and VM_SHARED, from the VMA */
#define MAY_WRITE ((uint64_t)VM_WRITE << MAY_SHIFT)
#define MAY_FETCH ((uint64_t)VM_EXEC << MAY_SHIFT)
#define MAY_ALL   ((uint64_t)VM_PROT << MAY_SHIFT)
#define SHARED    ((uint64_t)VM_SHARED << MAY_SHIFT)
#define SHSTK     0x100u
#define WITHHELD  0x200u /* from children */
#define MODIFIED  0x400u

/* May the CPU change a private page? */
static inline bool value_changes(uint64_t value)
{
    return value & (CPU_STORE | CPU_SHSTK) && !(value & SHARED);
}

struct text {
    char bytes[96];
};
struct text value_text(uint64_t value);

/* Pages side by side, as are their frames, and alike in all else. */
struct run {
    uint64_t va, bytes, value;
};
/* A part of an address space: all its runs in [from, to). */
struct view {
    struct mm *mm;
    uint64_t from, to;
    const struct vma *vma; /* the last that was looked up */
    struct run *runs;
    unsigned count, leaves;
};
#define LOOK_SPACES 64
#define LOOK_LEAVES 128 /* in a view, at most */
#define LOOK_VIEWS                                                                \
    (2 * (LOOK_SPACES + 2)) /* two for each, and for the call's own and its child \
                             */
#define LOOK_RUNS 4096
struct look {
    struct view views[LOOK_VIEWS];
    struct run runs[LOOK_RUNS];
    unsigned view_count, run_count;
};

static inline uint64_t run_end(const struct run *run) { return run->va + run->bytes; }
static inline uint64_t run_frame(const struct run *run) { return run->value & PTE_PFN_MASK; }

/* Look at mm in [from, to), as a further view. It may end earlier, for want of room. */
struct view *view_look(struct look *look, struct mm *mm, uint64_t from, uint64_t to);
/* The value at va, at or behind the run *at; *stop is lowered to where it ends. */
uint64_t view_value(const struct view *view, unsigned *at, uint64_t va, uint64_t *stop);
/* The value of the page at va, and the level of its leaf, if there is one. */
uint64_t page_value(struct mm *mm, uint64_t va, int *level);
/* A sum over a page's contents; 0 for zeros. */
uint64_t page_sum(uint64_t value);

/* The oracle's panic: what is wrong with va in mm. */
NORETURN void oracle_complain(const struct mm *mm, uint64_t va, uint64_t old, uint64_t new,
                              const char *why);

#endif
