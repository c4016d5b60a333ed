/* SPDX-License-Identifier: MIT */
/* The address space that the tests of shared tables work on. */
#include "subject.h"

#include "counts.h"
#include "steps.h"

/* ---- Accesses ----------------------------------------------------------- */

bool store(struct mm *mm, uint64_t va, uint64_t value)
{
    return cpu_access(mm, va, CPU_STORE, &value) == FAULT_OK_SPURIOUS;
}

bool push(struct mm *mm, uint64_t va, uint64_t value)
{
    return cpu_access(mm, va, CPU_SHSTK_STORE, &value) == FAULT_OK_SPURIOUS;
}

static uint64_t read_by(struct mm *mm, uint64_t va, enum cpu_access access)
{
    uint64_t value;
    return cpu_access(mm, va, access, &value) == FAULT_OK_SPURIOUS ? value : ~0ull;
}

uint64_t load(struct mm *mm, uint64_t va) { return read_by(mm, va, CPU_LOAD); }
uint64_t pop(struct mm *mm, uint64_t va) { return read_by(mm, va, CPU_SHSTK_LOAD); }

/* ---- Making it ---------------------------------------------------------- */

static bool map_of(struct mm *mm, uint64_t start, uint64_t bytes, uint32_t flags,
                   struct vm_source *source)
{
    struct map_request request = { .start = start,
                                   .len = bytes,
                                   .flags = flags,
                                   .fixed = true,
                                   .source = source };
    uint64_t at;
    return mm_map(mm, &request, &at) == 0;
}

bool map(struct mm *mm, uint64_t start, uint64_t bytes, uint32_t flags)
{
    return map_of(mm, start, bytes, flags, NULL);
}

static bool map_all(struct mm *mm)
{
    uint64_t at;
    mm_brk_init(mm, HEAP);
    return map(mm, DATA, PAGE(8), RW) && mm_map_shstk(mm, STACK, PAGE(4), false, false, &at) == 0
           && map_of(mm, COPIED, PAGE(4), RW, &file)
           && map_of(mm, SHARED, PAGE(4), RW | VM_SHARED, &file) && map(mm, CLOSED, PAGE(1), RW)
           && map(mm, GROWING, PAGE(2), RW | VM_GROWSDOWN) && map(mm, BESIDE, 4 * MIB, RW)
           && mm_brk(mm, HEAP + PAGE(4), NULL) == HEAP + PAGE(4)
           && map(mm, HUGE, 4 * MIB, RW | VM_HUGE_2M) && map(mm, FAR, PAGE(2), RW);
}

static bool touch_all(struct mm *mm)
{
    static const uint64_t stored[] = {
        DATA,
        DATA + PAGE(1),
        DATA + PAGE(2),
        DATA + PAGE(3),
        COPIED,
        SHARED,
        CLOSED,
        GROWING,
        GROWING + PAGE(1),
        BESIDE,
        BESIDE + 2 * MIB - PAGE(1),
        BESIDE + 2 * MIB,
        BESIDE + 4 * MIB - PAGE(1),
        HEAP,
        HEAP + PAGE(3),
        HUGE,
        HUGE + 2 * MIB,
        FAR,
        FAR + PAGE(1),
    };
    static const uint64_t only_read[] = { DATA + PAGE(4), COPIED + PAGE(1), SHARED + PAGE(1) };
    bool good = push(mm, STACK, STACK) && push(mm, STACK + PAGE(1), STACK + PAGE(1));
    for (size_t i = 0; i < ARRAY_SIZE(stored); i++)
        good &= store(mm, stored[i], stored[i]);
    for (size_t i = 0; i < ARRAY_SIZE(only_read); i++)
        good &= load(mm, only_read[i]) != ~0ull;
    return good && mm_protect(mm, CLOSED, PAGE(1), 0, NULL) == 0;
}

struct mm *subject(void)
{
    struct mm *mm = mm_create();
    if (mm && map_all(mm) && touch_all(mm))
        return mm;
    (void)!diagnose("no subject");
    return NULL;
}

struct mm *forked(struct mm *mm)
{
    struct mm *copy;
    int err = mm_fork(mm, FORK_TABLES, &copy);
    if (!err)
        return copy;
    (void)!diagnose("no fork: %d", err);
    return NULL;
}

/* ---- Looking at it ------------------------------------------------------ */

struct frame *table_at(struct mm *mm, uint64_t va, int level)
{
    struct frame *table = mm->root;
    for (int at = 4; at > level; at--) {
        pte_t pte = ((const pte_t *)frame_va(table))[level_index(va, at)];
        if (!pte_is_table(pte, at))
            return NULL;
        table = pfn_to_frame(pte_pfn(pte));
    }
    return table;
}

pte_t entry_at(struct mm *mm, uint64_t va, int level)
{
    struct frame *table = table_at(mm, va, level);
    return table ? ((const pte_t *)frame_va(table))[level_index(va, level)] : (pte_t){ 0 };
}

static uint64_t page_sum(pte_t leaf)
{
    const uint64_t *words = frame_va(pfn_to_frame(pte_pfn(leaf)));
    uint64_t sum = 0;
    for (size_t i = 0; i < PAGE_SIZE / 8; i++)
        sum = sum * 31 + words[i];
    return sum;
}

static void dump_table(const struct frame *table, int level, uint64_t start, struct dump *dump)
{
    for (unsigned i = 0; i < (level == 4 ? PT_ENTRIES / 2 : PT_ENTRIES); i++) {
        pte_t pte = ((const pte_t *)frame_va(table))[i];
        uint64_t va = start + i * level_bytes(level);
        if (pte_none(pte))
            continue;
        if (dump->count == DUMP_MAX) {
            (void)!diagnose("more than %u entries", DUMP_MAX);
            return;
        }
        bool leaf = pte_is_leaf(pte, level);
        dump->entry[dump->count].va = va;
        dump->entry[dump->count].level = level;
        dump->entry[dump->count].pte = pte;
        dump->entry[dump->count].sum = leaf ? page_sum(pte) : 0;
        dump->count++;
        if (!leaf)
            dump_table(pfn_to_frame(pte_pfn(pte)), level - 1, va, dump);
    }
}

void dump_take(struct mm *mm, struct dump *dump)
{
    dump->count = 0;
    dump_table(mm->root, 4, 0, dump);
}

/* What a copier may make of an entry: of one that points to a table, or of a leaf. The CPU may have
 * set D just before. */
static bool entry_keeps(pte_t before, pte_t after, int level)
{
    before.raw |= PTE_A;
    after.raw |= PTE_A;
    pte_t dirty = { before.raw | (before.raw & PTE_W ? PTE_D : 0) };
    if (pte_is_table(before, level))
        return (before.raw & ~(PTE_W | PTE_D)) == (after.raw & ~PTE_D)
               || (before.raw | PTE_D) == (after.raw | PTE_D);
    return pte_same(before, after) || pte_same(dirty, after)
           || pte_same(pte_wrprotect(before), after) || pte_same(pte_wrprotect(dirty), after);
}

bool dump_keeps(const struct dump *before, const struct dump *after)
{
    for (unsigned i = 0; i < before->count && i < after->count; i++) {
        if (before->entry[i].va != after->entry[i].va
            || before->entry[i].level != after->entry[i].level
            || before->entry[i].sum != after->entry[i].sum
            || !entry_keeps(before->entry[i].pte, after->entry[i].pte, before->entry[i].level))
            return diagnose("level %d, %#lx: %#lx; then level %d, %#lx: %#lx",
                            before->entry[i].level, (unsigned long)before->entry[i].va,
                            (unsigned long)before->entry[i].pte.raw, after->entry[i].level,
                            (unsigned long)after->entry[i].va,
                            (unsigned long)after->entry[i].pte.raw);
    }
    return before->count == after->count
           || diagnose("%u entries, then %u", before->count, after->count);
}

bool consistent(struct mm *a, struct mm *b, struct mm *c, struct mm *d)
{
    struct mm *all[] = { a, b, c, d };
    counts_begin();
    for (unsigned i = 0; i < FILE_PAGES; i++) {
        if (file_frames[i])
            counts_add_frame(file_frames[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (!all[i])
            continue;
        if (mm_check(all[i]) || !tlb_is_coherent(all[i]))
            return diagnose("the walker, or a TLB, has something of address space %zu", i);
        counts_add(all[i]);
    }
    return counts_agree();
}

/* ---- Two of them -------------------------------------------------------- */

struct mm *parent, *child;

bool two(void)
{
    parent = subject();
    child = parent ? forked(parent) : NULL;
    return child;
}

bool end(bool good)
{
    good = good && consistent(parent, child, NULL, NULL);
    mm_put(child);
    good = good && consistent(parent, NULL, NULL, NULL);
    mm_put(parent);
    return good;
}

uint32_t sharers(struct mm *mm, uint64_t va, int level)
{
    struct frame *table = table_at(mm, va, level);
    return table ? table->table.sharers : 0;
}
