/* SPDX-License-Identifier: MIT */
/* Proves: freeing a frame that a leaf still maps is noticed at that moment. */
#include "base/defect.h"

#define ARENA_BYTES (8ull << 20)
#define VA          0x10000000ull

/* A parent with one page forks, and its child ends. */
static bool child_comes_and_goes(void)
{
    struct map_request request = { .start = VA,
                                   .len = PAGE_SIZE,
                                   .flags = VM_READ | VM_WRITE,
                                   .fixed = true };
    uint64_t at, value = 1;
    struct mm *child, *parent = mm_create();
    if (!parent || mm_map(parent, &request, &at)
        || cpu_access(parent, VA, CPU_STORE, &value) != FAULT_OK_SPURIOUS
        || mm_fork(parent, FORK_LEAVES, &child))
        return false;
    mm_put(child);
    bool kept = cpu_access(parent, VA, CPU_LOAD, &value) == FAULT_OK_SPURIOUS && value == 1;
    mm_put(parent);
    return kept;
}

static void forget_a_reference(void)
{
    if (defect_set("ref_forgotten") == 0)
        (void)child_comes_and_goes();
}

int main(void)
{
    fake_start(ARENA_BYTES);
    plan(2);
    result("a_frame_outlives_its_leaves", child_comes_and_goes());
    result("a_frame_outlives_its_leaves notices ref_forgotten",
           panics_saying("is freed while 1 leaves map it", forget_a_reference));
    return suite_status();
}
