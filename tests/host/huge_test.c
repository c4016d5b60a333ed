/* SPDX-License-Identifier: MIT */
/* Proves: 1 GiB and 2 MiB leaves are split and copied, and every reference comes back; the walker
 * finds and repairs a state (e) that a CPU made. */
#include <string.h>

#include "base/defect.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"

#define ARENA_BYTES (2200ull << 20)
#define VA          0x80000000ull
#define TOUCHED     (VA + 77 * (2ull << 20) + 5 * PAGE_SIZE)
#define MIB_2       (2ull << 20)

static struct mm *map_huge(uint32_t size_flag, uint64_t bytes)
{
    struct mm *mm = mm_create();
    struct map_request request = { .start = VA,
                                   .len = bytes,
                                   .flags = VM_READ | VM_WRITE | size_flag,
                                   .fixed = true };
    uint64_t at;
    return mm && mm_map(mm, &request, &at) == 0 ? mm : NULL;
}

static bool store(struct mm *mm, uint64_t va, uint64_t value)
{
    return cpu_access(mm, va, CPU_STORE, &value) == FAULT_OK_SPURIOUS;
}
static uint64_t load(struct mm *mm, uint64_t va)
{
    uint64_t value = ~0ull;
    (void)!cpu_access(mm, va, CPU_LOAD, &value);
    return value;
}

static struct leaf_info leaf_at(struct mm *mm, uint64_t va)
{
    struct leaf_info leaf = { 0 };
    (void)!mm_next_leaf(mm, align_down(va, PAGE_SIZE), &leaf);
    return leaf;
}

static uint64_t free_frames(void)
{
    struct frame_stats stats;
    slab_reclaim();
    frame_stats(&stats);
    return stats.free;
}

static bool one_gib_leaf_splits_and_copies_2m(void)
{
    uint64_t before = free_frames();
    struct mm *child, *parent = map_huge(VM_HUGE_1G, 1ull << 30);
    if (!parent || !store(parent, TOUCHED, 1) || leaf_at(parent, VA).level != 3)
        return diagnose("no 1 GiB leaf");
    struct leaf_info whole = leaf_at(parent, VA);
    if (mm_fork(parent, FORK_LEAVES, &child) || leaf_at(child, VA).pfn != whole.pfn
        || leaf_at(child, VA).state != 'a')
        return diagnose("not shared");
    if (!store(child, TOUCHED, 2) || load(parent, TOUCHED) != 1 || load(child, TOUCHED) != 2)
        return diagnose("not copied");
    struct leaf_info copied = leaf_at(child, TOUCHED), beside = leaf_at(child, TOUCHED + MIB_2);
    if (copied.level != 2 || copied.state != 'w' || copied.refs != 1)
        return diagnose("the copy: level %d, state %c, %u users", copied.level, copied.state,
                        copied.refs);
    if (beside.level != 2 || beside.state != 'a' || beside.refs != 2
        || leaf_at(parent, VA).level != 3)
        return diagnose("the rest: level %d, state %c, %u users", beside.level, beside.state,
                        beside.refs);
    if (before - free_frames() > 512 * 512 + 512 + 64)
        return diagnose("%lu frames taken", (unsigned long)(before - free_frames()));
    mm_put(child);
    if (!store(parent, TOUCHED, 3) || leaf_at(parent, VA).level != 3
        || leaf_at(parent, VA).state != 'w')
        return diagnose("the last owner does not take the whole leaf back");
    mm_put(parent);
    return free_frames() == before;
}

static bool two_mib_leaf_splits_when_no_block_is_free(void)
{
    uint64_t before = free_frames();
    struct mm *child, *parent = map_huge(VM_HUGE_2M, MIB_2);
    if (!parent || !store(parent, VA + 5 * PAGE_SIZE, 1) || mm_fork(parent, FORK_LEAVES, &child))
        return diagnose("no 2 MiB leaf");
    /* hold every block, then give back every second frame: plenty of memory, none of it in one
     * piece */
    static struct frame *blocks[2048];
    unsigned count = 0;
    while (count < ARRAY_SIZE(blocks)
           && (blocks[count] = frame_alloc_block(FRAME_ANON, FRAME_ORDER_2M)))
        count++;
    for (unsigned i = 0; i < 512; i += 2)
        frame_put(blocks[0] + i);
    bool stored = store(child, VA + 5 * PAGE_SIZE, 2);
    struct leaf_info copied = leaf_at(child, VA + 5 * PAGE_SIZE),
                     beside = leaf_at(child, VA + 6 * PAGE_SIZE);
    for (unsigned i = 1; i < 512; i += 2)
        frame_put(blocks[0] + i);
    for (unsigned i = 1; i < count; i++)
        frame_put_many(blocks[i], 512);
    if (!stored || load(parent, VA + 5 * PAGE_SIZE) != 1 || load(child, VA + 5 * PAGE_SIZE) != 2)
        return diagnose("not copied");
    if (copied.level != 1 || copied.state != 'w' || beside.level != 1 || beside.state != 'a'
        || beside.refs != 2)
        return diagnose("level %d, state %c; beside it level %d, state %c", copied.level,
                        copied.state, beside.level, beside.state);
    mm_put(child);
    mm_put(parent);
    return free_frames() == before;
}

/* Do what a CPU without CET may do: set D in an entry whose W was cleared a moment ago. */
static void play_old_cpu(struct mm *mm, uint64_t va)
{
    uint64_t *table = frame_va(mm->root);
    for (int level = 4; level > 1; level--)
        table = arch_phys_to_virt(paddr(table[level_index(va, level)] & PTE_PFN_MASK));
    table[level_index(va, 1)] |= PTE_D;
}

/* Map a page at VA, store to it, and then allow only reading. */
static bool stored_then_protected(struct mm *mm)
{
    struct map_request request = { .start = VA,
                                   .len = PAGE_SIZE,
                                   .flags = VM_READ | VM_WRITE,
                                   .fixed = true };
    uint64_t at;
    return mm_map(mm, &request, &at) == 0 && store(mm, VA, 1)
           && mm_protect(mm, VA, PAGE_SIZE, VM_READ, NULL) == 0;
}

static bool the_walker_repairs_state_e(void)
{
    struct mm *mm = mm_create();
    uint64_t before = mm_check_total();
    if (!stored_then_protected(mm))
        return diagnose("no page");
    if (leaf_at(mm, VA).state != 'b' || mm_check(mm) != 0)
        return diagnose("state %c before", leaf_at(mm, VA).state);
    uint64_t raw = leaf_at(mm, VA).pte.raw;
    play_old_cpu(mm, VA);
    pte_t found = leaf_at(mm, VA).pte;
    bool seen = pte_shstk(found) && mm_check(mm) == 1 && mm_check_total() == before + 1;
    bool repaired = leaf_at(mm, VA).pte.raw == raw && mm_check(mm) == 0;
    mm_put(mm);
    return (seen && repaired) || diagnose("seen %d, repaired %d", seen, repaired);
}

/* The end of a process with such an entry is reported, though nothing is left to repair. */
static bool an_end_reports_state_e(void)
{
    struct mm *mm = mm_create();
    uint64_t before = mm_check_total();
    if (!stored_then_protected(mm))
        return diagnose("no page");
    play_old_cpu(mm, VA);
    mm_put(mm);
    return mm_check_total() == before + 1
           || diagnose("%lu found before, %lu after", (unsigned long)before,
                       (unsigned long)mm_check_total());
}

/* What mm_map() returns for 2 MiB with these flags. */
static int map_with(struct mm *mm, uint32_t flags, struct vm_source *source)
{
    struct map_request request = { .start = VA,
                                   .len = MIB_2,
                                   .flags = VM_READ | VM_WRITE | flags,
                                   .fixed = true,
                                   .source = source };
    uint64_t at;
    return mm_map(mm, &request, &at);
}

static bool growing_and_huge_mappings_are_private(void)
{
    static struct vm_source source; /* never read */
    struct mm *mm = mm_create();
    int both = map_with(mm, VM_GROWSDOWN | VM_HUGE_2M, NULL),
        shared = map_with(mm, VM_GROWSDOWN | VM_SHARED, NULL),
        file = map_with(mm, VM_GROWSDOWN, &source), huge_file = map_with(mm, VM_HUGE_2M, &source),
        one = map_with(mm, VM_GROWSDOWN, NULL);
    struct vma vma;
    char name[8];
    bool nothing_else = mm_next_vma(mm, 0, &vma, name, sizeof(name)) && vma.start == VA
                        && vma.end == VA + MIB_2;
    mm_put(mm);
    return (both == -EINVAL && shared == -EINVAL && file == -EINVAL && huge_file == -EINVAL
            && one == 0 && nothing_else)
           || diagnose("%d %d %d %d %d", both, shared, file, huge_file, one);
}

/*
 * A shadow stack lies below a VMA of huge leaves. The VMA's start has come down by one page, as
 * growth would move it: no store to that page may make the shadow stack writable.
 */
static bool no_leaf_reaches_out_of_its_vma(void)
{
    struct mm *mm = map_huge(VM_HUGE_2M, MIB_2);
    uint64_t at, stack = VA - MIB_2 + PAGE_SIZE, value = 1;
    if (!mm || mm_map_shstk(mm, stack, MIB_2 / 2, false, false, &at))
        return diagnose("no shadow stack");
    struct vma *huge = container_of(mm->vmas.prev, struct vma, link);
    huge->start -= PAGE_SIZE;
    bool below = store(mm, VA - PAGE_SIZE, 1), inside = store(mm, VA, 1);
    enum fault_outcome outcome = cpu_access(mm, stack, CPU_STORE, &value);
    struct leaf_info low = leaf_at(mm, VA - PAGE_SIZE), high = leaf_at(mm, VA);
    bool levels = low.va == VA - PAGE_SIZE && low.level == 1 && high.level == 2;
    mm_put(mm);
    return (below && inside && levels && outcome == FAULT_BAD_SHSTK_STORE)
           || diagnose("stored %d %d, levels %d %d, store to the shadow stack: %d", below, inside,
                       low.level, high.level, outcome);
}

static bool notices_walker_blind(bool (*test)(void))
{
    quiet = true;
    bool passed = defect_set("walker_blind") == 0 && test();
    quiet = false;
    return defect_set("none") == 0 && !passed;
}

int main(void)
{
    fake_start(ARENA_BYTES);
    plan(8);
    result("huge_1g_leaf_splits_and_copies_2m_host", one_gib_leaf_splits_and_copies_2m());
    result("huge_2m_leaf_splits_when_no_block_is_free",
           two_mib_leaf_splits_when_no_block_is_free());
    result("growing_and_huge_mappings_are_private", growing_and_huge_mappings_are_private());
    result("no_leaf_reaches_out_of_its_vma", no_leaf_reaches_out_of_its_vma());
    result("walker_repairs_state_e", the_walker_repairs_state_e());
    result("walker_repairs_state_e notices walker_blind",
           notices_walker_blind(the_walker_repairs_state_e));
    result("end_reports_state_e", an_end_reports_state_e());
    result("end_reports_state_e notices walker_blind",
           notices_walker_blind(an_end_reports_state_e));
    return suite_status();
}
