/* SPDX-License-Identifier: MIT */
/*
 * Proves: whatever up to three processes do, in every order there is, each sees what the plain
 * model says, and all counts, TLBs and tables agree. Built with tables of four entries, so that a
 * few pages lie in tables of their own at every level:
 *
 *      0x10000 DATA         a page of data           one table of leaves
 *      0x12000 STACK        a shadow stack           the same one
 *      0x14000 NEAR         a page of data           the same table of level 2
 *      0x40000 SHARED       a page of a shared file  another entry of the root
 *
 * Each sequence runs from the start; what it leads to is checked after its last step.
 * `exhaustive_test DEPTH` goes deeper.
 */
#include <string.h>

#include "counts.h"
#include "steps.h"
#include "uapi/errno.h"

_Static_assert(PT_ENTRIES == 4, "small tables");

#define ARENA_BYTES (4ull << 20)
#define DEPTH       4
#define DEPTH_MAX   8
#define SIDES       3 /* processes */
#define RW          (VM_READ | VM_WRITE)

enum page { DATA, STACK, NEAR, SHARED, PAGES };
static const uint64_t page_va[PAGES] = { 0x10000, 0x12000, 0x14000, 0x40000 };
#define TABLE_BYTES 0x4000 /* DATA and STACK lie in the first table of leaves, and nothing else */

static struct side {
    struct mm *mm; /* NULL: none */
    struct cell cell[PAGES];
} sides[SIDES];

/* ---- Steps: each says whether mm/ and the model agree -------------------- */

static uint64_t next_value;

static bool access_page(struct side *side, enum page page, enum cpu_access access)
{
    struct cell *cell = &side->cell[page];
    bool writes = access == CPU_STORE || access == CPU_SHSTK_STORE;
    uint64_t value = writes ? next_value : ~0ull;
    enum fault_outcome outcome = cpu_access(side->mm, page_va[page], access, &value),
                       expect = cell_access(cell, access);
    if (outcome != expect)
        return diagnose("access %d to page %d: %d, not %d", access, page, outcome, expect);
    if (!fault_resolved(outcome))
        return true;
    if (writes)
        cell_store(cell, value);
    return value == cell_value(cell)
           || diagnose("page %d holds %#lx, not %#lx", page, (unsigned long)value,
                       (unsigned long)cell_value(cell));
}

static bool gup(struct side *side, enum page page, unsigned flags)
{
    struct cell *cell = &side->cell[page];
    uint64_t value = next_value;
    long done = mm_access(side->mm, page_va[page], &value, 8, flags),
         expect = cell_gup(cell, flags) ? cell_gup(cell, flags) : 8;
    if (done != expect)
        return diagnose("gup %u of page %d: %ld, not %ld", flags, page, done, expect);
    if (done == 8 && flags & GUP_WRITE)
        cell_store(cell, value);
    return done != 8 || value == cell_value(cell)
           || diagnose("gup reads %#lx", (unsigned long)value);
}

static bool unmap(struct side *side, enum page page, uint64_t bytes)
{
    for (int i = page; i < PAGES && page_va[i] < page_va[page] + bytes; i++)
        side->cell[i] = (struct cell){ 0 };
    return mm_unmap(side->mm, page_va[page], bytes, NULL) == 0;
}

static bool protect(struct side *side, enum page page, uint32_t prot)
{
    struct cell *cell = &side->cell[page];
    if (cell->mapped)
        cell->flags = (cell->flags & ~VM_PROT) | prot;
    return mm_protect(side->mm, page_va[page], PAGE_SIZE, prot, NULL)
           == (cell->mapped ? 0 : -ENOMEM);
}

static bool fork_side(struct side *side, enum fork_way way)
{
    struct side *to = sides;
    while (to < sides + SIDES && to->mm)
        to++;
    if (to == sides + SIDES)
        return true;
    *to = *side;
    return mm_fork(side->mm, way, &to->mm) == 0;
}

static bool exit_side(struct side *side)
{
    mm_put(side->mm);
    side->mm = NULL;
    return true;
}

enum step {
    LOAD_DATA,
    STORE_DATA,
    STORE_NEAR,
    STORE_SHARED,
    LOAD_STACK,
    STORE_STACK,
    PUSH,
    POP,
    UNMAP_DATA,
    UNMAP_TABLE,
    PROTECT_DATA,
    OPEN_DATA,
    PROTECT_STACK,
    GUP_READ,
    GUP_STORE,
    GUP_PUSH,
    FORK_BY_TABLES,
    FORK_BY_LEAVES,
    EXIT,
    STEPS
};
static const char *const step_names[STEPS] = {
    "loads data",
    "stores data",
    "stores near",
    "stores shared",
    "loads the stack",
    "stores to the stack",
    "pushes",
    "pops",
    "unmaps data",
    "unmaps a table",
    "protects data",
    "opens data",
    "protects the stack",
    "is read",
    "is written",
    "is forced",
    "forks tables",
    "forks leaves",
    "exits",
};

static bool take(struct side *side, enum step which)
{
    switch (which) {
    case LOAD_DATA: return access_page(side, DATA, CPU_LOAD);
    case STORE_DATA: return access_page(side, DATA, CPU_STORE);
    case STORE_NEAR: return access_page(side, NEAR, CPU_STORE);
    case STORE_SHARED: return access_page(side, SHARED, CPU_STORE);
    case LOAD_STACK: return access_page(side, STACK, CPU_LOAD);
    case STORE_STACK: return access_page(side, STACK, CPU_STORE);
    case PUSH: return access_page(side, STACK, CPU_SHSTK_STORE);
    case POP: return access_page(side, STACK, CPU_SHSTK_LOAD);
    case UNMAP_DATA: return unmap(side, DATA, PAGE_SIZE);
    case UNMAP_TABLE: return unmap(side, DATA, TABLE_BYTES);
    case PROTECT_DATA: return protect(side, DATA, VM_READ);
    case OPEN_DATA: return protect(side, DATA, RW);
    case PROTECT_STACK: return protect(side, STACK, VM_READ);
    case GUP_READ: return gup(side, DATA, 0);
    case GUP_STORE: return gup(side, DATA, GUP_WRITE);
    case GUP_PUSH: return gup(side, STACK, GUP_WRITE | GUP_FORCE);
    case FORK_BY_TABLES: return fork_side(side, FORK_TABLES);
    case FORK_BY_LEAVES: return fork_side(side, FORK_LEAVES);
    default: return exit_side(side);
    }
}

/* ---- What a sequence leads to ------------------------------------------- */

#define SEEN_MAX (1u << 22)
static uint64_t seen[SEEN_MAX]; /* of states, by hash; 0: free */
static unsigned states;

static uint64_t hash;
static void mix(uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
}

/* Frames by the order in which they are met: where they lie makes no other state. */
static const struct frame *met[64];
static unsigned met_count;
static bool mix_frame(const struct frame *frame)
{
    unsigned i = 0;
    while (i < met_count && met[i] != frame)
        i++;
    mix(i << 8 | (frame->kind == FRAME_TABLE ? frame->table.sharers : frame_refs(frame)));
    if (i == met_count && met_count < ARRAY_SIZE(met))
        met[met_count++] = frame;
    return i + 1 == met_count; /* new */
}

static void mix_table(const struct frame *table, int level)
{
    for (unsigned i = 0; i < (level == 4 ? PT_ENTRIES / 2 : PT_ENTRIES); i++) {
        pte_t pte = ((const pte_t *)frame_va(table))[i];
        mix(pte.raw & ~PTE_PFN_MASK);
        if (!pte_none(pte) && mix_frame(pfn_to_frame(pte_pfn(pte))) && pte_is_table(pte, level))
            mix_table(pfn_to_frame(pte_pfn(pte)), level - 1);
    }
}

/* Count the state if it is new. */
static void count_state(void)
{
    hash = met_count = 0;
    for (struct side *side = sides; side < sides + SIDES; side++) {
        mix(side->mm != NULL);
        for (int i = 0; side->mm && i < PAGES; i++)
            mix(side->cell[i].mapped << 16 | side->cell[i].flags);
        if (side->mm)
            mix_table(side->mm->root, 4);
    }
    hash |= 1;
    unsigned at = hash >> 40 & (SEEN_MAX - 1);
    while (seen[at] && seen[at] != hash)
        at = (at + 1) % SEEN_MAX;
    states += !seen[at];
    seen[at] = hash;
}

static bool tables_are_right(void)
{
    counts_begin();
    counts_add_frame(file_frames[0]);
    for (int i = 1; i < FILE_PAGES; i++)
        counts_add_frame(file_frames[i]);
    for (struct side *side = sides; side < sides + SIDES; side++) {
        if (!side->mm)
            continue;
        if (mm_check(side->mm) || !tlb_is_coherent(side->mm))
            return diagnose("the walker or a TLB");
        counts_add(side->mm);
    }
    return counts_agree();
}

/* Every page of every process, as its program sees it. */
static bool values_are_right(void)
{
    for (struct side *side = sides; side < sides + SIDES; side++) {
        for (int page = 0; side->mm && page < PAGES; page++) {
            if (!access_page(side, (enum page)page, CPU_LOAD))
                return diagnose("of process %d", (int)(side - sides));
        }
    }
    return true;
}

/* ---- Sequences ---------------------------------------------------------- */

static bool begin(void)
{
    struct map_request data = { .start = page_va[DATA],
                                .len = PAGE_SIZE,
                                .flags = RW,
                                .fixed = true };
    struct map_request near = data, shared = data;
    uint64_t at;
    near.start = page_va[NEAR];
    shared.start = page_va[SHARED];
    shared.flags |= VM_SHARED;
    shared.source = &file;
    struct mm *mm = sides[0].mm = mm_create();
    const struct cell private = { .mapped = true, .flags = RW, .backing = ANONYMOUS };
    sides[0].cell[DATA] = sides[0].cell[NEAR] = sides[0].cell[STACK] = private;
    sides[0].cell[STACK].flags |= VM_SHADOW_STACK;
    sides[0].cell[SHARED] = (struct cell){ .mapped = true, .flags = RW, .backing = FILE_SHARED };
    model_file[0] = *(uint64_t *)frame_va(file_frames[0]) = 1;
    next_value = 2;
    return mm && !mm_map(mm, &data, &at) && !mm_map(mm, &near, &at) && !mm_map(mm, &shared, &at)
           && !mm_map_shstk(mm, page_va[STACK], PAGE_SIZE, false, false, &at)
           && take(&sides[0], STORE_DATA) && take(&sides[0], PUSH) && take(&sides[0], STORE_NEAR);
}

static bool all_frames_are_back(void)
{
    struct frame_stats stats;
    frame_stats(&stats);
    return (!stats.used[FRAME_ANON] && !stats.used[FRAME_SHSTK] && !stats.used[FRAME_TABLE])
           || diagnose("frames are left");
}

static unsigned char sequence[DEPTH_MAX]; /* process * STEPS + step */
static unsigned long sequences;
static unsigned depth = DEPTH;

/* Run the sequence; *alive: the processes it leaves. */
static bool run(unsigned length, unsigned *alive)
{
    fake_seed = ++sequences;
    bool good = begin();
    for (unsigned i = 0; good && i < length; i++, next_value++)
        good = take(&sides[sequence[i] / STEPS], (enum step)(sequence[i] % STEPS));
    if (good)
        count_state();
    good = good && tables_are_right() && values_are_right();
    *alive = 0;
    for (unsigned i = 0; i < SIDES; i++) {
        if (sides[i].mm) {
            *alive |= 1u << i;
            exit_side(&sides[i]);
        }
    }
    return good && all_frames_are_back();
}

static bool explore(unsigned length)
{
    unsigned alive;
    if (!run(length, &alive)) {
        for (unsigned i = 0; i < length; i++)
            (void)!diagnose("%u. process %u %s", i + 1, sequence[i] / STEPS,
                            step_names[sequence[i] % STEPS]);
        return false;
    }
    if (length == depth)
        return true;
    for (unsigned i = 0; i < SIDES * STEPS; i++) {
        sequence[length] = (unsigned char)i;
        bool full = alive == (1u << SIDES) - 1;
        bool forks = i % STEPS == FORK_BY_TABLES || i % STEPS == FORK_BY_LEAVES;
        if (alive >> i / STEPS & 1 && !(full && forks) && !explore(length + 1))
            return false;
    }
    return true;
}

static bool every_sequence_agrees_with_the_model(void)
{
    bool good = explore(0);
    (void)!diagnose("depth %u: %lu sequences, %u states", depth, sequences, states);
    return good;
}

int main(int argc, char *argv[])
{
    static const struct twin twins[] = { {
        "every_sequence_agrees_with_the_model",
        every_sequence_agrees_with_the_model,
        { "table_stays_writable", "table_taken", "sharer_forgotten", "leaf_stays_writable",
          "gup_unowned", "shared_table_freed", "shared_mapping_closed" },
    } };
    fake_start(ARENA_BYTES);
    file_create();
    if (argc > 1) {
        depth = (unsigned)min_u64(strtoul(argv[1], NULL, 0), DEPTH_MAX);
        return !every_sequence_agrees_with_the_model();
    }
    return run_twins(twins, ARRAY_SIZE(twins));
}
