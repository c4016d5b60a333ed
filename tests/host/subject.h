/* SPDX-License-Identifier: MIT */
/* An address space with a page of every kind, for the tests of shared tables; and its tables,
 * written down whole. */
#ifndef TESTS_HOST_SUBJECT_H
#define TESTS_HOST_SUBJECT_H

#include "fake.h"

#define MIB (1ull << 20)

/* Where what is mapped. But for FAR, one level-2 table holds it all. */
#define DATA    0x40000000ull         /* 8 pages: 4 stored to, the next only read */
#define STACK   (DATA + 0x20000)      /* a shadow stack of 4 pages, 2 of them used */
#define COPIED  (DATA + 0x40000)      /* 4 pages of a private file: the first stored to, one read */
#define SHARED  (DATA + 0x60000)      /* 4 pages of a shared file: the same */
#define CLOSED  (DATA + 0x80000)      /* 1 page, stored to, now PROT_NONE */
#define GROWING (DATA + 0x1c0000)     /* 2 pages that grow down */
#define BESIDE  (DATA + 2 * MIB)      /* 4 MiB, two whole tables: their first and last pages */
#define HEAP    (DATA + 8 * MIB)      /* 4 pages of brk */
#define HUGE    (DATA + 16 * MIB)     /* 2 leaves of 2 MiB */
#define FAR     (DATA + (1ull << 40)) /* 2 pages in a level-3 table of their own */
#define PAGE(i) ((i)*PAGE_SIZE)
#define RW      (VM_READ | VM_WRITE)

/* NULL, with the reason printed, when it cannot be made. The file is that of steps.h. */
struct mm *subject(void);
/* A child that shares tables; NULL, with a word, when there is none. */
struct mm *forked(struct mm *mm);

/* Such a parent and its child, which share everything below their roots. */
extern struct mm *parent, *child;
bool two(void);
/* Both go, the child first. Returns whether good is true and they were consistent all along. */
bool end(bool good);
/* How many entries point to the table of this level on the way to va; 0: there is none. */
uint32_t sharers(struct mm *mm, uint64_t va, int level);

bool map(struct mm *mm, uint64_t start, uint64_t bytes, uint32_t flags);
bool store(struct mm *mm, uint64_t va, uint64_t value);
uint64_t load(struct mm *mm, uint64_t va); /* ~0: refused */
/* The same by CALL and RET. */
bool push(struct mm *mm, uint64_t va, uint64_t value);
uint64_t pop(struct mm *mm, uint64_t va);

/* The table of this level on the way to va, and the entry of that level; NULL: none. */
struct frame *table_at(struct mm *mm, uint64_t va, int level);
pte_t entry_at(struct mm *mm, uint64_t va, int level);

#define DUMP_MAX 512
struct dump {
    unsigned count;
    struct {
        uint64_t va;
        int level;
        pte_t pte;
        uint64_t sum; /* of what the first frame of a leaf holds */
    } entry[DUMP_MAX];
};
/* Every entry of every table, lowest first, each before those below it. */
void dump_take(struct mm *mm, struct dump *dump);
/* Does the address space still have all that it had, in the same tables? Only rights may be gone
 * that whoever copies a table takes away, and A may be set. */
bool dump_keeps(const struct dump *before, const struct dump *after);

/* All counts against the tables of these address spaces (NULL: none), and the walker. */
bool consistent(struct mm *a, struct mm *b, struct mm *c, struct mm *d);

#endif
