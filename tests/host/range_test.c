/* SPDX-License-Identifier: MIT */
/* Proves: work on a long range is done in steps, other threads get the address space between two
 * steps, and what they do there is kept. */
#include "base/failpoint.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"

#define ARENA_BYTES (256ull << 20)
#define VA          0x80000000ull
#define LONG_BYTES  (64ull << 20)
#define TIB         (1ull << 40)
#define RW          (VM_READ | VM_WRITE)

static struct mm *mm;
static unsigned breaths;
static bool was_locked;

static void breathe(void)
{
    breaths++;
    was_locked |= __atomic_load_n(&mm->lock.count, __ATOMIC_RELAXED) != 0;
}

static bool map(uint64_t start, uint64_t bytes, uint32_t flags)
{
    struct map_request request = { .start = start, .len = bytes, .flags = flags, .fixed = true };
    uint64_t at;
    return mm_map(mm, &request, &at) == 0;
}

static enum fault_outcome touch(uint64_t va, enum cpu_access access)
{
    uint64_t value = 1;
    return cpu_access(mm, va, access, &value);
}

/* An address space with LONG_BYTES at VA, every page of them stored to. */
static bool begin(void)
{
    mm = mm_create();
    breaths = 0;
    was_locked = false;
    bool good = mm && map(VA, LONG_BYTES, RW);
    for (uint64_t va = VA; good && va < VA + LONG_BYTES; va += PAGE_SIZE)
        good = touch(va, CPU_STORE) == FAULT_OK_SPURIOUS;
    return good || diagnose("no memory");
}

static bool end(bool good)
{
    mm_put(mm);
    return good && breaths >= 3 && !was_locked
               ? true
               : diagnose("good %d, %u breaths, locked %d", good, breaths, was_locked);
}

/* Another thread maps the first page that is free again. */
static void breathe_and_map(void)
{
    breathe();
    if (breaths == 1)
        (void)(map(VA, PAGE_SIZE, RW) && touch(VA, CPU_STORE));
}

static bool unmap_in_steps(void)
{
    if (!begin())
        return false;
    int err = mm_unmap(mm, VA, LONG_BYTES, breathe_and_map);
    return end(err == 0 && mm_resident(mm, true) == 1 && touch(VA, CPU_LOAD) == FAULT_OK_SPURIOUS
               && touch(VA + PAGE_SIZE, CPU_LOAD) == FAULT_BAD_NO_VMA
               && touch(VA + LONG_BYTES - PAGE_SIZE, CPU_LOAD) == FAULT_BAD_NO_VMA);
}

static bool discard_in_steps(void)
{
    if (!begin())
        return false;
    int err = mm_discard(mm, VA, LONG_BYTES, breathe);
    return end(err == 0 && mm_resident(mm, true) == 0 && touch(VA, CPU_LOAD) == FAULT_OK_SPURIOUS);
}

static bool brk_shrinks_in_steps(void)
{
    if (!begin())
        return false;
    mm_brk_init(mm, VA + LONG_BYTES);
    uint64_t top = VA + 2 * LONG_BYTES;
    bool grown = mm_brk(mm, top, breathe) == top;
    for (uint64_t va = VA + LONG_BYTES; grown && va < top; va += PAGE_SIZE)
        grown = touch(va, CPU_STORE) == FAULT_OK_SPURIOUS;
    uint64_t now = mm_brk(mm, VA + LONG_BYTES + 1, breathe);
    return end(grown && now == VA + LONG_BYTES + 1
               && mm_resident(mm, true) == LONG_BYTES / PAGE_SIZE + 1);
}

static bool protected(uint64_t from, uint64_t to)
{
    for (uint64_t va = from; va < to; va += PAGE_SIZE) {
        if (touch(va, CPU_STORE) != FAULT_BAD_PROTECTION)
            return false;
    }
    return touch(from, CPU_LOAD) == FAULT_OK_SPURIOUS;
}

/* The number of VMAs. */
static unsigned vmas(void)
{
    unsigned count = 0;
    list_for_each (link, &mm->vmas)
        count++;
    return count;
}

static bool protect_in_steps(void)
{
    if (!begin())
        return false;
    int err = mm_protect(mm, VA, LONG_BYTES, VM_READ, breathe);
    return end(err == 0 && protected(VA, VA + LONG_BYTES) && vmas() == 1);
}

/* From the second step on allocations fail: all the rest is one step. */
static void breathe_once(void)
{
    breathe();
    failpoint_arm(1);
}

static bool protect_ends_without_memory(void)
{
    if (!begin())
        return false;
    int err = mm_protect(mm, VA, LONG_BYTES, VM_READ, breathe_once);
    bool one = breaths == 1;
    failpoint_arm(0);
    breaths = 3;
    return end(err == 0 && one && protected(VA, VA + LONG_BYTES) && vmas() == 1);
}

/* Another thread makes a hole in the range ahead. */
static void breathe_and_unmap(void)
{
    breathe();
    (void)!mm_unmap(mm, VA + LONG_BYTES - PAGE_SIZE, PAGE_SIZE, NULL);
}

static bool protect_meets_a_new_hole(void)
{
    if (!begin())
        return false;
    int err = mm_protect(mm, VA, LONG_BYTES, VM_READ, breathe_and_unmap);
    breaths += 2; /* the first step is also the last */
    return end(err == -ENOMEM && protected(VA, VA + PAGE_SIZE));
}

/* Unmapping 1 TiB that holds one page takes no more steps than that page needs. */
static bool an_empty_range_costs_no_steps(void)
{
    mm = mm_create();
    breaths = 0;
    bool good = map(VA, TIB, RW) && touch(VA + TIB - PAGE_SIZE, CPU_STORE) == FAULT_OK_SPURIOUS
                && mm_protect(mm, VA, TIB, VM_READ, breathe) == 0
                && mm_discard(mm, VA, TIB, breathe) == 0 && mm_unmap(mm, VA, TIB, breathe) == 0
                && list_empty(&mm->vmas);
    mm_put(mm);
    return (good && breaths <= 3) || diagnose("good %d, %u breaths", good, breaths);
}

/* Only unmapping the middle of a VMA needs memory. */
static bool ends_are_unmapped_without_memory(void)
{
    mm = mm_create();
    bool good = map(VA, 8 * PAGE_SIZE, RW);
    failpoint_arm(1);
    good &= mm_unmap(mm, VA, PAGE_SIZE, NULL) == 0;
    good &= mm_unmap(mm, VA + 7 * PAGE_SIZE, PAGE_SIZE, NULL) == 0;
    good &= mm_unmap(mm, VA + 3 * PAGE_SIZE, PAGE_SIZE, NULL) == -ENOMEM;
    failpoint_arm(0);
    struct vma *vma = container_of(mm->vmas.next, struct vma, link);
    good &= vmas() == 1 && vma->start == VA + PAGE_SIZE && vma->end == VA + 7 * PAGE_SIZE;
    mm_put(mm);
    return good;
}

/* A hole behind what could not be dropped does not hide that. */
static bool a_discard_without_memory_says_so(void)
{
    struct mm *parent = mm = mm_create(), *child;
    uint64_t value = 0;
    if (!map(VA, PAGE_SIZE, RW) || touch(VA, CPU_STORE) != FAULT_OK_SPURIOUS
        || !map(VA + 2 * PAGE_SIZE, PAGE_SIZE, RW) || mm_fork(parent, FORK_TABLES, &child))
        return diagnose("no memory");
    failpoint_arm(1);
    int without = mm_discard(child, VA, 3 * PAGE_SIZE, NULL);
    failpoint_arm(0);
    int with = mm_discard(child, VA, 3 * PAGE_SIZE, NULL);
    bool gone = cpu_access(child, VA, CPU_LOAD, &value) == FAULT_OK_SPURIOUS && value == 0;
    mm_put(child);
    mm_put(parent);
    return (without == -EAGAIN && with == -ENOMEM && gone)
           || diagnose("%d without memory, %d with, gone: %d", without, with, gone);
}

/* An address space that is full: everything that would make one more VMA fails and changes
 * nothing; whatever makes fewer works. */
static bool full(uint64_t middle)
{
    struct map_request request = { .len = PAGE_SIZE, .flags = RW };
    uint64_t at;
    return vmas() == VMAS_MAX && mm_map(mm, &request, &at) == -ENOMEM
           && mm_map_shstk(mm, 0, PAGE_SIZE, false, false, &at) == -ENOMEM
           && mm_unmap(mm, middle, PAGE_SIZE, NULL) == -ENOMEM
           && mm_protect(mm, middle, PAGE_SIZE, VM_READ, NULL) == -ENOMEM
           && mm_brk(mm, VA + PAGE_SIZE, NULL) == VA && vmas() == VMAS_MAX;
}

static bool there_is_a_limit_to_vmas(void)
{
    struct mm *child = NULL, *parent = mm = mm_create();
    bool good = map(VA + TIB, 3 * PAGE_SIZE, RW);
    mm_brk_init(mm, VA);
    for (unsigned i = 1; good && i < VMAS_MAX; i++)
        good = map(VA + TIB + (4 + i) * PAGE_SIZE, PAGE_SIZE, i % 2 ? RW : VM_READ);
    good = good && full(VA + TIB + PAGE_SIZE) && mm_fork(parent, FORK_LEAVES, &child) == 0;
    mm = child;
    good = good && full(VA + TIB + PAGE_SIZE)
           && mm_unmap(mm, VA + TIB + 5 * PAGE_SIZE, PAGE_SIZE, NULL) == 0 && map(VA, PAGE_SIZE, RW)
           && !map(VA + 2 * PAGE_SIZE, PAGE_SIZE, RW);
    if (child)
        mm_put(child);
    mm_put(parent);
    return good;
}

int main(void)
{
    fake_start(ARENA_BYTES);
    plan(10);
    result("unmap_in_steps", unmap_in_steps());
    result("discard_in_steps", discard_in_steps());
    result("brk_shrinks_in_steps", brk_shrinks_in_steps());
    result("protect_in_steps", protect_in_steps());
    result("protect_ends_without_memory", protect_ends_without_memory());
    result("protect_meets_a_new_hole", protect_meets_a_new_hole());
    result("an_empty_range_costs_no_steps", an_empty_range_costs_no_steps());
    result("ends_are_unmapped_without_memory", ends_are_unmapped_without_memory());
    result("there_is_a_limit_to_vmas", there_is_a_limit_to_vmas());
    result("a_discard_without_memory_says_so", a_discard_without_memory_says_so());
    return suite_status();
}
