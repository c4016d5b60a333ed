/* SPDX-License-Identifier: MIT */
/*
 * Sharing whole page tables between address spaces. Private to mm/.
 *
 * Fork copies one table, the root; whoever wants to change something below copies the tables on the
 * way there, one by one. Both are the same act: a copy of a table points to the same tables below
 * and maps the same frames, and W is cleared in the entries of both that point to a table. So the
 * CPU refuses every store and every shadow-stack access below, while no leaf has been touched:
 *
 *        root         root              root         root              root         root
 *         |W           |                 |W           |W                |            |W
 *         v            v                 v            v                 v            v
 *        table        (child:   fork    the same table <-'   child     table        copy
 *        |W   |W       empty)   --->    |W   |W     W=0 in   stores    | |W         |  |W
 *        v    v                         v    v      both     --->      v  `-> ... <-'  v
 *       leaves                         leaves       roots            leaves        copy of leaves
 *
 * The rules, by their numbers in docs/design.md:
 *
 *   T1  table.sharers is the number of entries that point to a table. Above 1, each of them has
 *       W=0. Below W=1 all the way down, everything is this address space's own.
 *   T2  Nothing below a shared table changes, except that the CPU sets A, that a copier takes away
 *       rights which no CPU can use there any more, and that all sharers lose the pages that their
 *       file loses.
 *   T3  To own the table below an entry with W=0: alone, set W; else copy.
 *   T4  A frame's count says how many leaves of different tables, and other holders, there are.
 *   T5  A range that covers a whole shared table drops it without a look inside.
 *   T6  A reference on a table is given back only after the flush of what the entry translated.
 *
 * Locks. An entry with W=1 that points to a table changes only while mm.lock is held for writing,
 * so faults walk down own tables without locks. An entry with W=0 changes with its table locked.
 * Whoever looks into a shared table holds its lock, and takes that before it drops the lock of the
 * table above; table.sharers is guarded by the table's own lock.
 */
#ifndef MM_SHARE_H
#define MM_SHARE_H

#include "mm/table/table.h"

/*
 * Fork: child, which is empty and which no CPU can reach yet, gets all tables of parent. W goes in
 * both roots' entries and nowhere else. parent->lock held for writing. The parent's TLB, whose
 * flush is noted in flush, must be flushed before either runs.
 */
void tables_share(struct mm *parent, struct mm *child, struct flush *flush);

/* Own the table below the entry in slot, which is own and has W=0. The slot's table is locked, or
 * mm.lock is held for writing. 0, or -ENOMEM with nothing changed. */
MUST_CHECK int table_own(struct mm *mm, const struct slot *slot);

/*
 * Own every path to a leaf in [start, end). mm.lock held for writing. 0, or -ENOMEM with some of
 * the paths owned, which programs cannot see.
 */
MUST_CHECK int tables_own(struct mm *mm, uint64_t start, uint64_t end);
/* The same, but for tables of leaves that [start, end) covers whole: tables_drop() can drop those
 * in any order. */
MUST_CHECK int tables_own_ends(struct mm *mm, uint64_t start, uint64_t end);
/* Own everything: from then on mm shares no table. */
MUST_CHECK int tables_own_all(struct mm *mm);

/* Let go of every shared table that [start, end) covers whole. mm.lock held for writing. */
void tables_drop(struct mm *mm, uint64_t start, uint64_t end, struct flush *flush);

/* One entry fewer points to this table of this level. The last one frees all that is below, with no
 * lock held. No CPU walks the table by that entry any more. */
void table_put(struct frame *table, int level);

/* How many entries break T1. mm.lock held for writing. Each is logged. */
unsigned tables_check(struct mm *mm);

#endif
