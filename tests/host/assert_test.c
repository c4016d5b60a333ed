/* SPDX-License-Identifier: MIT */
/* Proves: who breaks a precondition that types cannot state is stopped there, before an entry is
 * touched. */
#include "mm/table/table.h"
#include "mm/vma/vma.h"

#define ARENA_BYTES (8ull << 20)
#define VA          0x10000000ull

/* An address space with one page at VA, which was read but never stored to. */
static struct mm *page_read(void)
{
    struct mm *mm = mm_create();
    struct map_request request = { .start = VA,
                                   .len = PAGE_SIZE,
                                   .flags = VM_READ | VM_WRITE,
                                   .fixed = true };
    uint64_t at, value;
    bool good = mm && mm_map(mm, &request, &at) == 0
                && cpu_access(mm, VA, CPU_LOAD, &value) == FAULT_OK_SPURIOUS;
    return good ? mm : NULL;
}

/* A store to a page of shared memory whose entry lacks W: such entries have all rights at once. */
static void own_shared_memory(void)
{
    struct mm *mm = page_read();
    uint64_t value = 1;
    if (!mm)
        return;
    vma_find(mm, VA)->flags |= VM_SHARED;
    (void)cpu_access(mm, VA, CPU_STORE, &value);
}

static void look(const struct slot *slot, pte_t pte, void *context)
{
    (void)slot, (void)pte, (void)context;
}

static void visit(struct mm *mm, uint64_t start, uint64_t end)
{
    write_lock(&mm->lock);
    tables_visit(mm, start, end, look, NULL);
    write_unlock(&mm->lock);
}

static void visit_nothing(void)
{
    struct mm *mm = page_read();
    if (mm)
        visit(mm, VA, VA);
}

static void visit_backwards(void)
{
    struct mm *mm = page_read();
    if (mm)
        visit(mm, VA + PAGE_SIZE, VA);
}

/* Without the mistake nothing panics. */
static bool the_same_done_right(void)
{
    struct mm *mm = page_read();
    uint64_t value = 1;
    if (!mm)
        return false;
    visit(mm, VA, VA + PAGE_SIZE);
    bool good = cpu_access(mm, VA, CPU_STORE, &value) == FAULT_OK_SPURIOUS;
    mm_put(mm);
    return good;
}

int main(void)
{
    fake_start(ARENA_BYTES);
    plan(4);
    result("preconditions_kept_do_not_panic", the_same_done_right());
    result("shared_memory_is_never_made_ones_own",
           panics_saying("fault_own: assertion failed", own_shared_memory));
    result("an_empty_range_is_not_visited",
           panics_saying("span_begin: assertion failed", visit_nothing));
    result("a_range_is_not_visited_backwards",
           panics_saying("span_begin: assertion failed", visit_backwards));
    return suite_status();
}
