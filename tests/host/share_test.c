/* SPDX-License-Identifier: MIT */
/* Proves: what two address spaces share by whole tables is each one's own for all that either can
 * see; rules T1 to T10 of docs/design.md, each with the mistake that breaks it. */
#include "base/failpoint.h"
#include "steps.h"
#include "subject.h"
#include "uapi/errno.h"

#define ARENA_BYTES (96 * MIB)

/* ---- T1 ----------------------------------------------------------------- */

/* A parent and its child, and what the parent had before the fork. */
static bool two_with_dump(struct dump *before)
{
    parent = subject();
    if (!parent)
        return false;
    dump_take(parent, before);
    child = forked(parent);
    return child != NULL;
}

/* Fork changes the roots' entries and nothing below them. */
static bool fork_changes_the_roots_alone(void)
{
    static struct dump before, after, of_child;
    if (!two_with_dump(&before))
        return false;
    dump_take(parent, &after);
    dump_take(child, &of_child);
    bool good = before.count == after.count && before.count == of_child.count;
    for (unsigned i = 0; good && i < before.count; i++) {
        uint64_t lost = before.entry[i].level == 4 ? PTE_W : 0;
        good = (before.entry[i].pte.raw & ~lost) == after.entry[i].pte.raw
               && pte_same(after.entry[i].pte, of_child.entry[i].pte);
    }
    good = good || diagnose("the tables differ");
    return end(good && sharers(parent, DATA, 3) == 2 && sharers(parent, FAR, 3) == 2
               && sharers(parent, DATA, 2) == 1);
}

/* Stores on either side stay there, whoever comes first and however deep the way is. */
static bool stores_stay_on_their_side(void)
{
    bool good = two();
    for (unsigned i = 0; good && i < 4; i++) {
        struct mm *first = i % 2 ? parent : child, *second = i % 2 ? child : parent;
        uint64_t va = DATA + PAGE(i);
        good = store(first, va, 1) && load(second, va) == va && store(second, va, 2)
               && load(first, va) == 1;
    }
    return end((good && push(child, STACK, 1) && pop(parent, STACK) == STACK
                && push(parent, STACK, 2) && pop(child, STACK) == 1
                && pop(child, STACK + PAGE(1)) == STACK + PAGE(1))
               || diagnose("a store shows on the other side"));
}

/* ---- T2 ----------------------------------------------------------------- */

/* A file that gets shorter takes its pages from shared tables, and from every CPU's memory of
 * them. */
static bool a_cut_takes_pages_from_all_that_share(void)
{
    bool good = two() && load(parent, SHARED + PAGE(1)) != ~0ull
                && load(child, SHARED + PAGE(1)) != ~0ull;
    model_file_pages = 1;
    for (unsigned i = 1; i < FILE_PAGES; i++) {
        frame_put(file_frames[i]);
        file_frames[i] = NULL;
    }
    vm_source_cut(&file, 1);
    good = good && load(parent, SHARED + PAGE(1)) == ~0ull && load(child, SHARED + PAGE(1)) == ~0ull
           && load(child, SHARED) == SHARED && load(child, COPIED) == COPIED
           && load(child, COPIED + PAGE(1)) == ~0ull;
    good = end(good || diagnose("a page that was cut is still there"));
    model_file_pages = FILE_PAGES;
    file_fill();
    return good;
}

/* ---- T3 ----------------------------------------------------------------- */

/* Whoever copies a table takes the leaves' rights from both: the last owner of the old table asks
 * for each page again. */
static bool a_copied_table_leaves_nobody_rights(void)
{
    bool good = two() && store(child, DATA, 1);
    good = good && store(parent, DATA + PAGE(1), 2) && load(child, DATA + PAGE(1)) == DATA + PAGE(1)
           && push(parent, STACK, 3) && pop(child, STACK) == STACK
           && store(child, DATA + PAGE(2), 4) && load(parent, DATA + PAGE(2)) == DATA + PAGE(2);
    return end(good || diagnose("a right was left"));
}

/* The last one that points to a table owns it by one bit and copies nothing. */
static bool the_last_sharer_owns_by_one_bit(void)
{
    static struct dump before, after;
    if (!two_with_dump(&before))
        return false;
    mm_put(child);
    bool good = store(parent, DATA, 1) && store(parent, FAR, 1);
    dump_take(parent, &after);
    good = good && before.count == after.count;
    for (unsigned i = 0; good && i < before.count; i++)
        good = pte_pfn(before.entry[i].pte) == pte_pfn(after.entry[i].pte)
               && pte_write(before.entry[i].pte) == pte_write(after.entry[i].pte);
    mm_put(parent);
    return good || diagnose("something was copied");
}

static int store_deep(void) { return store(child, FAR, 1) ? 0 : -ENOMEM; }
static int push_deep(void) { return push(child, STACK, 1) ? 0 : -ENOMEM; }
static int unmap_a_part(void) { return mm_unmap(child, BESIDE + PAGE(1), 3 * MIB, NULL); }
static int protect_a_part(void) { return mm_protect(child, DATA + PAGE(1), PAGE(2), 0, NULL); }
static int discard_a_part(void) { return mm_discard(child, BESIDE, 3 * MIB, NULL); }
static int write_by_gup(void)
{
    uint64_t value = 1;
    return mm_access(child, HUGE, &value, 8, GUP_WRITE) == 8 ? 0 : -ENOMEM;
}

/* Fail the n-th allocation of act, on a new pair. What act came to in *err. */
static bool survives_failure(int (*act)(void), unsigned n, int *err)
{
    static struct dump before, after;
    if (!two())
        return false;
    dump_take(parent, &before);
    failpoint_arm(n);
    *err = act();
    failpoint_arm(0);
    dump_take(parent, &after);
    return end(dump_keeps(&before, &after) && consistent(parent, child, NULL, NULL)
               && (!*err || act() == 0));
}

/* For every n there is: the other side has what it had, and with memory the same act works. */
static bool survives_all_failures(int (*act)(void), unsigned least)
{
    int err = -ENOMEM;
    unsigned n = 0;
    while (err && survives_failure(act, n + 1, &err))
        n++;
    return (!err && n >= least) || diagnose("%u failures, then %d", n, err);
}

static bool owning_survives_the_failure_of_every_allocation(void)
{
    static const struct {
        const char *name;
        int (*act)(void);
        unsigned failures; /* at least: the tables that are copied */
    } acts[] = {
        { "store", store_deep, 3 },       { "push", push_deep, 3 },
        { "unmap", unmap_a_part, 4 },     { "protect", protect_a_part, 3 },
        { "discard", discard_a_part, 3 }, { "gup", write_by_gup, 2 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
        if (!survives_all_failures(acts[i].act, acts[i].failures))
            return diagnose("%s", acts[i].name);
    }
    return true;
}

/* ---- T4 ----------------------------------------------------------------- */

/* A copied table counts the frames it maps: they outlive the table that they came from. */
static bool a_copied_table_holds_its_frames(void)
{
    bool good = two() && store(child, DATA, 1);
    if (!good)
        return false;
    mm_put(parent);
    good = load(child, DATA + PAGE(1)) == DATA + PAGE(1) && pop(child, STACK) == STACK
           && load(child, DATA) == 1 && consistent(child, NULL, NULL, NULL);
    mm_put(child);
    return good || diagnose("a frame is gone");
}

/* ---- T5, T6 ------------------------------------------------------------- */

static bool a_whole_table_is_dropped_unseen(void)
{
    bool good = two() && store(child, HEAP, 1); /* owns down to level 2 */
    uint64_t last = BESIDE + 2 * MIB - PAGE(1);
    good = good && sharers(parent, BESIDE, 1) == 2 && mm_unmap(child, BESIDE, 2 * MIB, NULL) == 0
           && sharers(parent, BESIDE, 1) == 1 && load(parent, BESIDE) == BESIDE
           && load(parent, last) == last && load(child, BESIDE) == ~0ull;
    /* a part of the next one: the child copies it, and keeps the rest */
    last = BESIDE + 4 * MIB - PAGE(1);
    good = good && mm_unmap(child, BESIDE + 2 * MIB, PAGE(1), NULL) == 0
           && load(child, BESIDE + 2 * MIB) == ~0ull && load(child, last) == last
           && load(parent, BESIDE + 2 * MIB) == BESIDE + 2 * MIB;
    return end(good || diagnose("more or less went than was unmapped"));
}

static bool seen_early;
static void the_parent_stores(enum moment moment)
{
    uint64_t value = 0;
    if (moment != FLUSH_AHEAD)
        return;
    (void)!store(parent, BESIDE + PAGE(1), 7);
    if (cpu_peek(child, BESIDE + PAGE(1), &value) && value == 7)
        seen_early = true;
}

/* The parent stores while the child's CPUs may still walk the table that the child has dropped. */
static bool a_dropped_table_goes_back_after_the_flush(void)
{
    seen_early = false;
    bool good = two() && store(child, HEAP, 1) && load(child, BESIDE) == BESIDE;
    fake_interlude = the_parent_stores;
    good = good && mm_unmap(child, BESIDE, 4 * MIB, NULL) == 0;
    fake_interlude = NULL;
    return end((good && !seen_early) || diagnose("the child's CPU sees the parent's store"));
}

/* After a copy the CPUs must walk the copy: the old table is another's now. */
static bool an_own_copy_is_walked_at_once(void)
{
    bool good = two() && load(child, DATA + PAGE(1)) == DATA + PAGE(1) && store(child, DATA, 1)
                && store(parent, DATA + PAGE(5), 5) && store(parent, DATA + PAGE(1), 6);
    return end(
        (good && load(child, DATA + PAGE(5)) == 0 && load(child, DATA + PAGE(1)) == DATA + PAGE(1))
        || diagnose("the child's CPU walks the parent's table"));
}

/* Nor one that has been freed, and perhaps made a table again. */
static bool no_cpu_walks_a_freed_table(void)
{
    bool good = two() && load(child, BESIDE) == BESIDE;
    mm_put(parent);
    good = good && mm_unmap(child, DATA, 16 * MIB, NULL) == 0 && map(child, FAR + MIB, PAGE(8), RW)
           && map(child, BESIDE, 4 * MIB, RW);
    for (unsigned i = 0; good && i < 8; i++)
        good = store(child, FAR + MIB + PAGE(i), i);
    good = good && load(child, BESIDE) == 0 && load(child, BESIDE + PAGE(1)) == 0
           && consistent(child, NULL, NULL, NULL);
    mm_put(child);
    return good || diagnose("a freed table is walked");
}

int main(void)
{
    static const struct twin twins[] = {
        { "fork_changes_the_roots_alone",
          fork_changes_the_roots_alone,
          { "table_stays_writable", "sharer_forgotten" } },
        { "stores_stay_on_their_side",
          stores_stay_on_their_side,
          { "table_stays_writable", "table_taken", "no_flush" } },
        { "a_cut_takes_pages_from_all_that_share",
          a_cut_takes_pages_from_all_that_share,
          { "cut_flush_own", "stale_cut" } },
        { "a_copied_table_leaves_nobody_rights",
          a_copied_table_leaves_nobody_rights,
          { "leaf_stays_writable", "fork_keeps_dirty", "table_taken" } },
        { "the_last_sharer_owns_by_one_bit",
          the_last_sharer_owns_by_one_bit,
          { "sharer_forgotten", "shared_table_freed" } },
        { "owning_survives_the_failure_of_every_allocation",
          owning_survives_the_failure_of_every_allocation,
          { "sharer_lost" } },
        { "a_copied_table_holds_its_frames", a_copied_table_holds_its_frames, { "ref_forgotten" } },
        { "a_whole_table_is_dropped_unseen",
          a_whole_table_is_dropped_unseen,
          { "shared_table_freed", "part_dropped" } },
        { "a_dropped_table_goes_back_after_the_flush",
          a_dropped_table_goes_back_after_the_flush,
          { "put_before_flush" } },
        { "an_own_copy_is_walked_at_once", an_own_copy_is_walked_at_once, { "no_flush" } },
        { "no_cpu_walks_a_freed_table", no_cpu_walks_a_freed_table, { "no_flush" } },
    };
    fake_start(ARENA_BYTES);
    file_create();
    return run_twins(twins, ARRAY_SIZE(twins));
}
