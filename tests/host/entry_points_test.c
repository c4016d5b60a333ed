/* SPDX-License-Identifier: MIT */
/* Proves: whatever one of two address spaces that share tables has done to it, through any door of
 * mm/ and over any range, the other one's tables stay what they were, entry by entry. */
#include "steps.h"
#include "subject.h"

#define ARENA_BYTES (96 * MIB)

/* ---- Every door --------------------------------------------------------- */

/* Each acts on an address space that shares everything; false: the call itself has failed. */
static bool maps_over_a_part(struct mm *mm) { return map(mm, DATA + PAGE(1), PAGE(2), RW); }
static bool maps_over_a_table(struct mm *mm) { return map(mm, BESIDE, 2 * MIB, VM_READ); }
static bool maps_beside(struct mm *mm)
{
    return map(mm, DATA + PAGE(10), PAGE(2), RW) && store(mm, DATA + PAGE(10), 1);
}
static bool maps_a_shadow_stack(struct mm *mm)
{
    uint64_t at;
    return mm_map_shstk(mm, STACK + PAGE(8), PAGE(2), true, false, &at) == 0;
}
static bool unmaps_a_part(struct mm *mm) { return mm_unmap(mm, DATA, PAGE(3), NULL) == 0; }
static bool unmaps_a_table(struct mm *mm) { return mm_unmap(mm, BESIDE, 4 * MIB, NULL) == 0; }
static bool unmaps_all(struct mm *mm) { return mm_unmap(mm, 0, FAR + MIB, NULL) == 0; }
static bool protects(struct mm *mm)
{
    return mm_protect(mm, DATA, PAGE(4), VM_READ, NULL) == 0
           && mm_protect(mm, BESIDE, 4 * MIB, 0, NULL) == 0
           && mm_protect(mm, HUGE, 2 * MIB, VM_READ, NULL) == 0
           && mm_protect(mm, STACK, PAGE(4), VM_READ, NULL) == 0;
}
static bool opens(struct mm *mm)
{
    return mm_protect(mm, CLOSED, PAGE(1), RW, NULL) == 0 && store(mm, CLOSED, 1);
}
static bool brk_grows(struct mm *mm)
{
    return mm_brk(mm, HEAP + PAGE(8), NULL) == HEAP + PAGE(8) && store(mm, HEAP + PAGE(7), 1);
}
static bool brk_shrinks(struct mm *mm)
{
    return mm_brk(mm, HEAP + PAGE(2), NULL) == HEAP + PAGE(2);
}
static int remap(struct mm *mm, uint64_t start, uint64_t len, uint64_t new_len, uint64_t to,
                 uint64_t *at)
{
    struct remap_request request = { start, len, new_len, to, true, to != 0, false };
    return mm_remap(mm, &request, NULL, at);
}
static bool moves(struct mm *mm)
{
    uint64_t at;
    return remap(mm, DATA, PAGE(3), PAGE(3), FAR + MIB, &at) == 0 && load(mm, at) == DATA
           && store(mm, at, 1) && load(mm, DATA) == ~0ull
           && remap(mm, HUGE, 2 * MIB, 2 * MIB, HUGE + 64 * MIB, &at) == 0 && load(mm, at) == HUGE
           && remap(mm, STACK, PAGE(4), PAGE(4), FAR + 2 * MIB, &at) == 0 && pop(mm, at) == STACK
           && push(mm, at, 1) && !store(mm, at, 1)
           && remap(mm, SHARED, 0, PAGE(2), FAR + 3 * MIB, &at) == 0 && load(mm, at) == SHARED;
}
static bool moves_over_a_table(struct mm *mm)
{
    uint64_t at;
    return remap(mm, DATA, PAGE(4), 2 * MIB, BESIDE, &at) == 0
           && load(mm, BESIDE + PAGE(1)) == DATA + PAGE(1) && store(mm, BESIDE, 1)
           && remap(mm, BESIDE + 2 * MIB, 2 * MIB, 2 * MIB, DATA, &at) == 0
           && load(mm, DATA + 2 * MIB - PAGE(1)) == BESIDE + 4 * MIB - PAGE(1);
}
static bool grows_and_moves(struct mm *mm)
{
    uint64_t at;
    return remap(mm, COPIED, PAGE(4), PAGE(6), 0, &at) == 0 && at == COPIED
           && remap(mm, DATA, PAGE(8), PAGE(600), 0, &at) == 0 && at != DATA && load(mm, at) == DATA
           && store(mm, at + PAGE(3), 1);
}
static bool discards(struct mm *mm)
{
    return mm_discard(mm, DATA + PAGE(1), PAGE(2), NULL) == 0
           && mm_discard(mm, BESIDE, 3 * MIB, NULL) == 0
           && mm_discard(mm, HUGE, 2 * MIB, NULL) == 0;
}
static bool advises(struct mm *mm)
{
    return mm_advise(mm, DATA, PAGE(2), VM_WIPEONFORK, 0, true) == 0
           && mm_advise(mm, BESIDE, 2 * MIB, VM_DONTFORK, 0, false) == 0;
}
static bool forks_on(struct mm *mm)
{
    static const enum fork_way ways[] = { FORK_TABLES, FORK_LEAVES, FORK_AUTO };
    struct mm *more;
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        if (mm_fork(mm, ways[i], &more))
            return false;
        bool good = store(more, DATA, 1) && push(more, STACK, 1);
        mm_put(more);
        if (!good)
            return false;
    }
    return true;
}
static bool forks_without_some(struct mm *mm) { return advises(mm) && forks_on(mm); }
static bool reads(struct mm *mm)
{
    uint64_t value;
    return mm_access(mm, DATA, &value, 8, 0) == 8 && value == DATA
           && mm_access(mm, CLOSED, &value, 8, GUP_FORCE) == 8 && value == CLOSED;
}
static bool holds_a_frame(struct mm *mm)
{
    struct frame *frame;
    if (mm_gup(mm, DATA, GUP_WRITE, &frame))
        return false;
    *(uint64_t *)frame_va(frame) = 1;
    frame_put(frame);
    return load(mm, DATA) == 1;
}
static bool writes(struct mm *mm)
{
    uint64_t value = 1;
    uint32_t old = 1;
    return mm_access(mm, DATA, &value, 8, GUP_WRITE) == 8
           && mm_access(mm, STACK, &value, 8, GUP_WRITE | GUP_FORCE) == 8
           && mm_access(mm, CLOSED, &value, 8, GUP_WRITE | GUP_FORCE) == 8
           && mm_access(mm, HUGE, &value, 8, GUP_WRITE) == 8 && mm_cmpxchg(mm, DATA, &old, 2) == 0;
}
static bool stores(struct mm *mm)
{
    return store(mm, DATA, 1) && store(mm, DATA + PAGE(4), 1) && store(mm, DATA + PAGE(5), 1)
           && store(mm, COPIED, 1) && store(mm, COPIED + PAGE(1), 1) && store(mm, HUGE, 1)
           && store(mm, FAR, 1);
}
static bool loads(struct mm *mm)
{
    return load(mm, DATA) == DATA && load(mm, DATA + PAGE(6)) == 0
           && load(mm, COPIED + PAGE(2)) != ~0ull && load(mm, SHARED + PAGE(2)) != ~0ull;
}
static bool pushes(struct mm *mm)
{
    return push(mm, STACK, 1) && push(mm, STACK + PAGE(3), 1)
           && pop(mm, STACK + PAGE(1)) == STACK + PAGE(1);
}
static bool is_refused(struct mm *mm)
{
    return !store(mm, STACK, 1) && !push(mm, DATA, 1) && !store(mm, CLOSED, 1)
           && pop(mm, CLOSED) == ~0ull && load(mm, 8 * DATA) == ~0ull;
}
static bool grows_down(struct mm *mm) { return store(mm, GROWING - PAGE(1), 1); }
static bool is_looked_at(struct mm *mm)
{
    struct leaf_info leaf;
    return mm_check(mm) == 0 && mm_resident(mm, true) > 1000 && mm_next_leaf(mm, DATA, &leaf)
           && leaf.sharers == 2;
}

#define DOOR(f) \
    {           \
#f, f   \
    }
static const struct {
    const char *name;
    bool (*act)(struct mm *mm);
} doors[] = {
    DOOR(maps_over_a_part),
    DOOR(maps_over_a_table),
    DOOR(maps_beside),
    DOOR(maps_a_shadow_stack),
    DOOR(unmaps_a_part),
    DOOR(unmaps_a_table),
    DOOR(unmaps_all),
    DOOR(protects),
    DOOR(opens),
    DOOR(brk_grows),
    DOOR(brk_shrinks),
    DOOR(moves),
    DOOR(moves_over_a_table),
    DOOR(grows_and_moves),
    DOOR(discards),
    DOOR(advises),
    DOOR(forks_on),
    DOOR(forks_without_some),
    DOOR(reads),
    DOOR(holds_a_frame),
    DOOR(writes),
    DOOR(stores),
    DOOR(loads),
    DOOR(pushes),
    DOOR(is_refused),
    DOOR(grows_down),
    DOOR(is_looked_at),
};

/* Whoever did not act can still do all it could, and sees its own memory. */
static bool goes_on(struct mm *mm)
{
    return load(mm, DATA + PAGE(2)) == DATA + PAGE(2) && store(mm, DATA, 11) && load(mm, DATA) == 11
           && pop(mm, STACK) == STACK && push(mm, STACK, 12) && load(mm, BESIDE) == BESIDE
           && store(mm, BESIDE, 13) && load(mm, HUGE) == HUGE && store(mm, HUGE, 14)
           && load(mm, HEAP + PAGE(3)) == HEAP + PAGE(3) && load(mm, FAR) == FAR
           && load(mm, CLOSED) == ~0ull && load(mm, COPIED) == COPIED;
}

static bool leaves_alone(bool (*act)(struct mm *mm), bool of_child)
{
    static struct dump before, after;
    if (!two())
        return false;
    struct mm *actor = of_child ? child : parent, *other = of_child ? parent : child;
    dump_take(other, &before);
    bool good = act(actor) || diagnose("the call failed");
    dump_take(other, &after);
    good = good && dump_keeps(&before, &after) && consistent(parent, child, NULL, NULL)
           && (goes_on(other) || diagnose("the other cannot go on"));
    return end(good);
}

static bool every_door_leaves_the_other_alone(void)
{
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(doors); i++) {
        if (!leaves_alone(doors[i / 2].act, i % 2))
            return diagnose("%s, by the %s", doors[i / 2].name, i % 2 ? "child" : "parent");
    }
    file_fill();
    return true;
}

/* The end of either: the other has it all, and alone. */
static bool an_end_leaves_the_other_alone(void)
{
    static struct dump before, after;
    bool good = true;
    for (unsigned i = 0; good && i < 2; i++) {
        if (!two())
            return false;
        struct mm *other = i ? parent : child;
        dump_take(other, &before);
        mm_put(i ? child : parent);
        dump_take(other, &after);
        good = dump_keeps(&before, &after) && goes_on(other) && consistent(other, NULL, NULL, NULL);
        mm_put(other);
    }
    return good;
}

/* ---- Every alignment ---------------------------------------------------- */

/* A mapping over the border between two tables of level 2, and the borders of others around it. */
#define GIB    (1ull << 30)
#define LOW    (GIB - 4 * MIB)
#define HIGH   (GIB + 4 * MIB)
#define INSIDE (GIB + 2 * MIB + PAGE(16)) /* between two leaves of one table */

static const uint64_t borders[] = { GIB - 2 * MIB, GIB, GIB + 2 * MIB, INSIDE };
#define POINTS (3 * ARRAY_SIZE(borders) + 2)

/* The i-th point at which a range may begin or end: the borders and their neighbours. */
static uint64_t point(unsigned i)
{
    if (i == 0)
        return LOW;
    return i == POINTS - 1 ? HIGH : borders[(i - 1) / 3] + PAGE_SIZE * ((i - 1) % 3) - PAGE_SIZE;
}

/* Both sides of each point hold a page. Visit them; the last point ends the mapping. */
#define for_each_page(va)                                                        \
    for (unsigned i_ = 0; i_ < 2 * POINTS; i_++)                                 \
        for (uint64_t va = point(i_ / 2) - (i_ % 2 ? PAGE_SIZE : 0); va; va = 0) \
            if (va >= LOW && va < HIGH)

static struct mm *bordered(void)
{
    struct mm *mm = mm_create();
    bool good = mm && map(mm, LOW, HIGH - LOW, RW);
    for_each_page(va) good = good && store(mm, va, va);
    return good ? mm : NULL;
}

static int unmap(struct mm *mm, uint64_t start, uint64_t len)
{
    return mm_unmap(mm, start, len, NULL);
}
static int protect(struct mm *mm, uint64_t start, uint64_t len)
{
    return mm_protect(mm, start, len, VM_READ, NULL);
}
static int close_it(struct mm *mm, uint64_t start, uint64_t len)
{
    return mm_protect(mm, start, len, 0, NULL);
}
static int discard(struct mm *mm, uint64_t start, uint64_t len)
{
    return mm_discard(mm, start, len, NULL);
}
static int move_away(struct mm *mm, uint64_t start, uint64_t len)
{
    uint64_t at;
    return remap(mm, start, len, len, FAR + PAGE(3), &at);
}
static int replace(struct mm *mm, uint64_t start, uint64_t len)
{
    return map(mm, start, len, RW) ? 0 : -1;
}

static const struct {
    const char *name;
    int (*act)(struct mm *mm, uint64_t start, uint64_t len);
    bool stores; /* may one store there afterwards */
} range_acts[] = {
    { "unmap", unmap, false },    { "protect", protect, false }, { "close", close_it, false },
    { "discard", discard, true }, { "replace", replace, true },  { "move", move_away, false },
};

/* Every page of the range is changed, and no other. */
static bool is_as_said(struct mm *mm, unsigned act, uint64_t start, uint64_t end_of)
{
    bool good = true;
    for_each_page(va)
    {
        bool kept = va < start || va >= end_of || range_acts[act].act == protect;
        good = good && load(mm, va) == (kept ? va : range_acts[act].stores ? 0 : ~0ull);
    }
    for_each_page(va)
    {
        bool allowed = va < start || va >= end_of || range_acts[act].stores;
        good = good && store(mm, va, va) == allowed;
    }
    return good || diagnose("the range, or what is beside it, is not as said");
}

static bool keeps_all(struct mm *mm)
{
    for_each_page(va)
    {
        if (load(mm, va) != va || !store(mm, va, va))
            return diagnose("the other's page at %#lx", (unsigned long)va);
    }
    return true;
}

/* first: a page that the actor has stored to before, so that some of its tables are own; 0: none */
static bool range_leaves_alone(unsigned act, uint64_t start, uint64_t end_of, uint64_t first,
                               bool of_child)
{
    static struct dump before, after;
    parent = bordered();
    child = parent ? forked(parent) : NULL;
    if (!child)
        return false;
    struct mm *actor = of_child ? child : parent, *other = of_child ? parent : child;
    bool good = !first || store(actor, first, first);
    dump_take(other, &before);
    good = good && range_acts[act].act(actor, start, end_of - start) == 0;
    dump_take(other, &after);
    good = good && dump_keeps(&before, &after) && is_as_said(actor, act, start, end_of)
           && keeps_all(other);
    return end(good)
           || diagnose("%s [%#lx, %#lx), %#lx owned, by the %s", range_acts[act].name,
                       (unsigned long)start, (unsigned long)end_of, (unsigned long)first,
                       of_child ? "child" : "parent");
}

static bool every_alignment_leaves_the_other_alone(void)
{
    static const uint64_t firsts[] = { 0, GIB - PAGE_SIZE, GIB + 2 * MIB };
    bool good = true;
    for (unsigned from = 0; from < POINTS; from++) {
        for (unsigned to = from + 1; to < POINTS; to++) {
            for (unsigned i = 0; good && i < 2 * ARRAY_SIZE(firsts) * ARRAY_SIZE(range_acts); i++)
                good = range_leaves_alone(i / 6, point(from), point(to), firsts[i / 2 % 3], i % 2);
        }
    }
    return good;
}

int main(void)
{
    static const struct twin twins[] = {
        { "every_door_leaves_the_other_alone",
          every_door_leaves_the_other_alone,
          { "table_taken", "gup_unowned", "protect_unowned", "shared_table_freed",
            "table_stays_writable" } },
        { "an_end_leaves_the_other_alone",
          an_end_leaves_the_other_alone,
          { "sharer_forgotten", "shared_table_freed" } },
        { "every_alignment_leaves_the_other_alone",
          every_alignment_leaves_the_other_alone,
          { "part_dropped", "shared_table_freed", "table_taken" } },
    };
    fake_start(ARENA_BYTES);
    file_create();
    return run_twins(twins, ARRAY_SIZE(twins));
}
