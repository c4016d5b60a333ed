/* SPDX-License-Identifier: MIT */
/* Proves: an entry that a CPU changes between the kernel's read and its store stays as the CPU left
 * it, and the setter says so. */
#include "mm/table/table.h"
#include "mm/vma/vma.h"

#define ARENA_BYTES (8ull << 20)
#define VA          0x10000000ull

static struct mm *mm;

/* A page that is writable and clean: a store to it faults no more, and sets D. */
static bool page_make(void)
{
    struct map_request request = { .start = VA,
                                   .len = PAGE_SIZE,
                                   .flags = VM_READ | VM_WRITE,
                                   .fixed = true };
    uint64_t at, value = 1;
    struct slot slot;
    struct flush flush;
    pte_t old;
    mm = mm_create();
    if (!mm || mm_map(mm, &request, &at)
        || cpu_access(mm, VA, CPU_STORE, &value) != FAULT_OK_SPURIOUS
        || !slot_find(mm, VA, &slot, &at))
        return diagnose("no page");
    flush_begin(&flush, mm);
    do
        old = slot_read(&slot);
    while (!slot_set(&slot, vma_find(mm, VA), old, pte_mkclean(old), TRACE_PROTECT, &flush));
    slot_release(&slot);
    flush_end(&flush);
    return true;
}

/* Between the read and the store another CPU stores to the page. */
static bool store_comes_between(bool (*set)(const struct slot *, const struct vma *, pte_t, pte_t,
                                            enum trace_why, struct flush *))
{
    uint64_t at, value = 2;
    struct slot slot;
    struct flush flush;
    if (!page_make() || !slot_find(mm, VA, &slot, &at))
        return false;
    flush_begin(&flush, mm);
    pte_t old = slot_read(&slot);
    bool stored = cpu_access(mm, VA, CPU_STORE, &value) == FAULT_OK_SPURIOUS;
    pte_t after = slot_read(&slot);
    bool changed = set(&slot, vma_find(mm, VA), old, pte_wrprotect(old), TRACE_PROTECT, &flush);
    bool kept = slot_read(&slot).raw == after.raw;
    slot_release(&slot);
    flush_end(&flush);
    mm_put(mm);
    return stored && !pte_dirty(old) && pte_dirty(after) && !changed && kept;
}

static bool store_beside_set(void) { return store_comes_between(slot_set); }

/* slot_move() has a way of its own where several tasks run the address space. */
static bool move_of_many(const struct slot *slot, const struct vma *vma, pte_t old, pte_t new,
                         enum trace_why why, struct flush *flush)
{
    mm_hold(mm);
    bool changed = slot_move(slot, vma, old, new, why, flush);
    mm_put(mm);
    return changed;
}
static bool store_beside_move(void) { return store_comes_between(move_of_many); }

int main(void)
{
    static const struct twin twins[] = {
        { "a_store_beside_a_set_is_kept", store_beside_set, { "plain_store" } },
        { "a_store_beside_a_move_is_kept", store_beside_move, { "plain_store" } },
    };
    fake_start(ARENA_BYTES);
    return run_twins(twins, ARRAY_SIZE(twins));
}
