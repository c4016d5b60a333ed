/* SPDX-License-Identifier: MIT */
/* The users of frames and tables, counted from the tables alone. */
#include "counts.h"

#include <string.h>

#include "mm/phys/zero.h"

#define PFN_MAX ((160ull << 20) >> PAGE_SHIFT)

static uint32_t uses[PFN_MAX];  /* of a frame: leaves of different tables; of a table: entries */
static bool own_entry[PFN_MAX]; /* of a table: one of these entries has W=1 */
static uint64_t used_end;       /* pfns from here on have no users */
static bool good;

static void add(uint64_t pfn)
{
    uses[pfn]++;
    used_end = max_u64(used_end, pfn + 1);
}

void counts_add_frame(const struct frame *frame) { add(frame_pfn(frame)); }

void counts_begin(void)
{
    memset(uses, 0, used_end * sizeof(uses[0]));
    memset(own_entry, 0, used_end * sizeof(own_entry[0]));
    used_end = 0;
    good = true;
    counts_add_frame(zero_frame());
}

static void count_table(const struct frame *table, int level);

static void count_entry(pte_t pte, int level)
{
    uint64_t pfn = pte_pfn(pte);
    if (!pte_is_table(pte, level)) {
        for (uint64_t i = 0; i < level_frames(level); i++)
            add(pfn + i);
        return;
    }
    own_entry[pfn] |= pte_hw_write(pte);
    add(pfn);
    if (uses[pfn] == 1) /* a shared table's leaves count once */
        count_table(pfn_to_frame(pfn), level - 1);
}

static void count_table(const struct frame *table, int level)
{
    unsigned in_use = 0;
    for (unsigned i = 0; i < (level == 4 ? PT_ENTRIES / 2 : PT_ENTRIES); i++) {
        pte_t pte = ((const pte_t *)frame_va(table))[i];
        if (pte_none(pte))
            continue;
        in_use++;
        if (i / 2 < table->low)
            good = diagnose("entry %u is in use, the lowest may be %u", i, 2 * table->low);
        count_entry(pte, level);
    }
    if (in_use != table->count)
        good = diagnose("%u entries in use, counted %u", in_use, table->count);
}

void counts_add(struct mm *mm) { count_table(mm->root, 4); }

static bool table_agrees(const struct frame *table, uint64_t pfn)
{
    if (table->table.sharers != uses[pfn])
        return diagnose("table %#lx: %u sharers, %u entries", (unsigned long)pfn,
                        table->table.sharers, uses[pfn]);
    return uses[pfn] == 1 || !own_entry[pfn]
           || diagnose("shared table %#lx has an entry with W=1", (unsigned long)pfn);
}

static bool frame_agrees(const struct frame *frame, uint64_t pfn)
{
    bool counted = frame->kind == FRAME_ANON || frame->kind == FRAME_SHSTK
                   || frame->kind == FRAME_FILE || uses[pfn];
    return !counted || frame_refs(frame) == uses[pfn]
           || diagnose("frame %#lx (%s): count %u, users %u", (unsigned long)pfn,
                       frame_kind_name(frame->kind), frame_refs(frame), uses[pfn]);
}

bool counts_agree(void)
{
    struct frame_stats stats;
    frame_stats(&stats);
    uint64_t used = 0, expect = stats.used[FRAME_ANON] + stats.used[FRAME_SHSTK];
    for (uint64_t pfn = 256; pfn < used_end && good; pfn++) {
        const struct frame *frame = pfn_to_frame(pfn);
        used += frame->kind == FRAME_ANON || frame->kind == FRAME_SHSTK;
        good = frame->kind == FRAME_TABLE && uses[pfn] ? table_agrees(frame, pfn)
                                                       : frame_agrees(frame, pfn);
    }
    if (good && used != expect)
        good = diagnose("%lu frames have users, %lu are in use", (unsigned long)used,
                        (unsigned long)expect);
    return good;
}
