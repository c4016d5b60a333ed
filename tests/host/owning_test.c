/* SPDX-License-Identifier: MIT */
/* Proves: who changes a leaf below a shared table owns the way there first, at every level, for
 * data and shadow stacks; and what the CPU's bits say there. */
#include "steps.h"
#include "subject.h"

#define ARENA_BYTES (96 * MIB)
#define ELSEWHERE   (DATA + (1ull << 30)) /* in another table of level 2 */

/* ---- The decision ------------------------------------------------------- */

/* The reference that a dump in progress holds on a table makes it no more shared than it is. */
static bool a_held_table_is_still_ones_own(void)
{
    bool good = two();
    struct frame *table = good ? table_at(parent, DATA, 3) : NULL;
    if (!table)
        return false;
    mm_put(child);
    frame_get(table);
    good = store(parent, DATA, 1) && table_at(parent, DATA, 3) == table;
    frame_put(table);
    child = forked(parent);
    good = good && child && store(child, DATA, 2) && load(parent, DATA) == 1
           && table_at(parent, DATA, 3) == table && table_at(child, DATA, 3) != table;
    return end(good || diagnose("the table's frame count has decided"));
}

/* Rights that fork takes are gone from the TLB; rights that come back are found by one fault. */
static bool rights_go_at_once_and_come_back_at_a_fault(void)
{
    parent = subject();
    bool good = parent && store(parent, DATA, 1);
    child = forked(parent);
    good = good && child && store(parent, DATA, 2) && load(child, DATA) == 1
           && load(child, DATA + PAGE(1)) == DATA + PAGE(1);
    mm_put(parent);
    uint64_t spurious = mm_spurious_total();
    good = good && store(child, DATA + PAGE(1), 3) && mm_spurious_total() == spurious
           && consistent(child, NULL, NULL, NULL);
    mm_put(child);
    return good || diagnose("a right is late");
}

/* ---- Shadow stacks at every level --------------------------------------- */

/* The child owns what lies above this level, for the way to STACK. */
static bool owned_down_to(int level)
{
    bool good = level == 4   ? true
                : level == 3 ? map(child, ELSEWHERE, PAGE(1), RW) && store(child, ELSEWHERE, 1)
                             : store(child, HEAP, 1);
    struct leaf_info leaf;
    return good && mm_next_leaf(child, STACK, &leaf) && leaf.shared_level == level
           && leaf.sharers == 2;
}

static bool refuses_data(uint64_t va)
{
    struct frame_stats before, after;
    uint64_t value = 1;
    frame_stats(&before);
    enum fault_outcome outcome = cpu_access(child, va, CPU_STORE, &value);
    frame_stats(&after);
    return outcome == FAULT_BAD_SHSTK_STORE && before.free == after.free;
}

static bool is_owned_by(enum cpu_access access, int level)
{
    struct leaf_info leaf;
    uint64_t value = STACK + 1;
    bool good = two() && owned_down_to(level) && refuses_data(STACK)
                && sharers(child, STACK, level - 1) == 2
                && cpu_access(child, STACK, access, &value) == FAULT_OK_SPURIOUS
                && value == (access == CPU_SHSTK_LOAD ? STACK : STACK + 1)
                && mm_next_leaf(child, STACK, &leaf) && leaf.state == 'c' && leaf.shared_level == 0
                && refuses_data(STACK) && pop(parent, STACK) == STACK;
    return end(good || diagnose("access %d below level %d", access, level));
}

/* Below an entry with W=0, of whatever level, a shadow-stack access gets its own page and a store
 * of data nothing. */
static bool shadow_stacks_are_owned_at_every_level(void)
{
    bool good = true;
    for (int level = 4; good && level >= 2; level--)
        good = is_owned_by(CPU_SHSTK_LOAD, level) && is_owned_by(CPU_SHSTK_STORE, level);
    return good;
}

/* ---- T7 ----------------------------------------------------------------- */

static bool shared_mappings_stay_shared(void)
{
    bool good = two() && store(child, SHARED, 1) && load(parent, SHARED) == 1
                && store(parent, SHARED, 2) && load(child, SHARED) == 2
                && store(child, SHARED + PAGE(1), 3) && load(parent, SHARED + PAGE(1)) == 3;
    good = end(good || diagnose("a store to a shared mapping is lost"));
    file_fill();
    return good;
}

/* ---- T8 ----------------------------------------------------------------- */

static bool writes(uint64_t va, unsigned flags)
{
    uint64_t value = va + 1;
    return mm_access(child, va, &value, sizeof(value), flags | GUP_WRITE) == sizeof(value)
           && load(child, va) == va + 1;
}

/* Writes from outside: plain, a debugger's, a futex's, each through tables shared from the root. */
static bool writes_from_outside_own_the_path(void)
{
    static const struct {
        uint64_t va;
        unsigned flags;
    } ways[] = { { DATA, 0 },
                 { DATA, GUP_FORCE },
                 { STACK, GUP_FORCE },
                 { COPIED, 0 },
                 { HUGE, 0 } };
    bool good = true;
    for (size_t i = 0; good && i < ARRAY_SIZE(ways); i++) {
        uint64_t va = ways[i].va;
        good = two() && writes(va, ways[i].flags) && load(parent, va) == va;
        good = end(good || diagnose("%#lx, flags %u", (unsigned long)va, ways[i].flags));
    }
    uint32_t old = (uint32_t)DATA;
    good = good && two() && mm_cmpxchg(child, DATA, &old, 7) == 0
           && (uint32_t)load(child, DATA) == 7 && load(parent, DATA) == DATA;
    return end(good);
}

static bool mprotect_owns_the_path(void)
{
    bool good = two() && mm_protect(child, DATA, PAGE(2), VM_READ, NULL) == 0
                && !store(child, DATA, 1) && load(child, DATA) == DATA && store(parent, DATA, 2)
                && mm_protect(child, STACK, PAGE(1), 0, NULL) == 0 && pop(parent, STACK) == STACK
                && mm_protect(child, CLOSED, PAGE(1), RW, NULL) == 0
                && load(child, CLOSED) == CLOSED && load(parent, CLOSED) == ~0ull;
    return end(good || diagnose("the other side's rights have changed"));
}

/* What an old CPU made before the fork is below a shared table: the walker owns the way to it. */
static bool the_walker_repairs_in_a_table_of_its_own(void)
{
    bool good = two();
    uint64_t before = mm_check_total();
    pte_t *leaf = (pte_t *)frame_va(table_at(parent, DATA, 1)) + level_index(DATA, 1);
    leaf->raw = (leaf->raw & ~PTE_W) | PTE_D;
    (void)mm_check(child);
    good = good && mm_check_total() != before && sharers(child, DATA, 1) == 1
           && !pte_shstk(entry_at(child, DATA, 1)) && pte_cow(entry_at(child, DATA, 1));
    return end(good || diagnose("not repaired"));
}

/* ---- T10 ---------------------------------------------------------------- */

static bool the_walker_finds_a_shared_table_with_w(void)
{
    bool good = two();
    pte_t *entry = (pte_t *)frame_va(parent->root) + level_index(DATA, 4);
    uint64_t before = mm_check_total();
    entry->raw |= PTE_W;
    (void)mm_check(parent);
    good = good && mm_check_total() == before + 1;
    entry->raw &= ~PTE_W;
    return end(good || diagnose("not found"));
}

/* ---- Bits and gaps ------------------------------------------------------ */

/* The CPU sets A for all that share a table, but D never: a store comes with an own table. */
static bool accessed_is_for_all_and_dirty_for_one(void)
{
    bool good = two();
    pte_t *leaf = (pte_t *)frame_va(table_at(parent, DATA, 1)) + level_index(DATA + PAGE(1), 1);
    leaf->raw &= ~PTE_A;
    arch_tlb_flush_kernel(0, 0);
    good = good && load(child, DATA + PAGE(1)) == DATA + PAGE(1)
           && pte_young(entry_at(parent, DATA + PAGE(1), 1));
    /* a page of a shared mapping that was only read: W=1, D=0 */
    good = good && !pte_dirty(entry_at(parent, SHARED + PAGE(1), 1))
           && store(child, SHARED + PAGE(1), 1)
           && pte_hw_dirty(entry_at(child, SHARED + PAGE(1), 1))
           && !pte_dirty(entry_at(parent, SHARED + PAGE(1), 1));
    good = end(good || diagnose("a bit is on the wrong side"));
    file_fill();
    return good;
}

static unsigned looks, gaps;
static void look(enum moment moment)
{
    uint64_t value;
    (void)moment;
    arch_tlb_flush_kernel(0, 0);
    looks++;
    gaps += !cpu_peek(child, BESIDE, &value) || value != BESIDE;
}

/* Another thread with an empty TLB reads all the while, and never finds the page absent. */
static bool no_reader_finds_a_gap(void)
{
    looks = gaps = 0;
    bool good = two();
    fake_interlude = look;
    good = good && push(child, STACK, 1) && store(child, BESIDE + PAGE(1), 1)
           && mm_protect(child, BESIDE + PAGE(1), PAGE(1), VM_READ, NULL) == 0
           && mm_unmap(child, BESIDE + 2 * MIB, 2 * MIB, NULL) == 0;
    fake_interlude = NULL;
    return end((good && looks > 10 && !gaps) || diagnose("%u looks, %u gaps", looks, gaps));
}

/* ---- Trees of forks ----------------------------------------------------- */

static const uint64_t own_page[4] = { DATA, FAR, HUGE, BESIDE };

/* Four processes, two forks deep; each stores to a page of its own. */
static bool four(struct mm *of[4])
{
    of[0] = subject();
    of[1] = of[0] ? forked(of[0]) : NULL;
    of[2] = of[1] ? forked(of[0]) : NULL;
    of[3] = of[2] ? forked(of[1]) : NULL;
    bool good = of[3];
    for (unsigned i = 0; good && i < 4; i++)
        good = store(of[i], own_page[i], i) && push(of[i], STACK, i);
    return good;
}

static bool sees_its_own(struct mm *mm, unsigned self)
{
    bool good = pop(mm, STACK) == self && load(mm, DATA + PAGE(1)) == DATA + PAGE(1);
    for (unsigned i = 0; good && i < 4; i++)
        good = load(mm, own_page[i]) == (i == self ? i : own_page[i]);
    return good || diagnose("process %u does not see its own", self);
}

static bool ends_in_order(const unsigned order[4])
{
    struct mm *of[4];
    bool good = four(of);
    for (unsigned i = 0; good && i < 4; i++) {
        for (unsigned j = i; good && j < 4; j++)
            good = sees_its_own(of[order[j]], order[j]);
        good = good && consistent(of[0], of[1], of[2], of[3]);
        mm_put(of[order[i]]);
        of[order[i]] = NULL;
    }
    return good;
}

/* The harness counts the frames. */
static bool a_tree_of_forks_ends_in_any_order(void)
{
    unsigned orders = 0;
    for (unsigned code = 0; code < 256; code++) {
        unsigned order[4], seen = 0;
        for (unsigned i = 0; i < 4; i++) {
            order[i] = code >> 2 * i & 3;
            seen |= 1u << order[i];
        }
        if (seen != 15)
            continue;
        orders++;
        if (!ends_in_order(order))
            return diagnose("order %u%u%u%u", order[0], order[1], order[2], order[3]);
    }
    return orders == 24;
}

int main(void)
{
    static const struct twin twins[] = {
        { "a_held_table_is_still_ones_own",
          a_held_table_is_still_ones_own,
          { "refs_for_sharers" } },
        { "rights_go_at_once_and_come_back_at_a_fault",
          rights_go_at_once_and_come_back_at_a_fault,
          { "no_flush" } },
        { "shadow_stacks_are_owned_at_every_level",
          shadow_stacks_are_owned_at_every_level,
          { "refusals_off", "table_stays_writable", "share_frame", "fork_keeps_dirty" } },
        { "shared_mappings_stay_shared", shared_mappings_stay_shared, { "shared_mapping_closed" } },
        { "writes_from_outside_own_the_path", writes_from_outside_own_the_path, { "gup_unowned" } },
        { "mprotect_owns_the_path", mprotect_owns_the_path, { "protect_unowned", "table_taken" } },
        { "the_walker_repairs_in_a_table_of_its_own",
          the_walker_repairs_in_a_table_of_its_own,
          { "walker_blind", "protect_unowned" } },
        { "the_walker_finds_a_shared_table_with_w",
          the_walker_finds_a_shared_table_with_w,
          { "walker_blind" } },
        { "accessed_is_for_all_and_dirty_for_one",
          accessed_is_for_all_and_dirty_for_one,
          { "table_stays_writable", "table_taken" } },
        { "no_reader_finds_a_gap", no_reader_finds_a_gap, { "table_absent" } },
        { "a_tree_of_forks_ends_in_any_order",
          a_tree_of_forks_ends_in_any_order,
          { "sharer_forgotten", "shared_table_freed", "ref_forgotten" } },
    };
    fake_start(ARENA_BYTES);
    file_create();
    return run_twins(twins, ARRAY_SIZE(twins));
}
