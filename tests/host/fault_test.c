/* SPDX-License-Identifier: MIT */
/* Proves: a fault that makes no progress is reported, one that a flush explains is not; and a
 * reserved bit is the kernel's fault, never the program's. */
#include "fake.h"

#define ARENA_BYTES (8ull << 20)
#define VA          0x10000000ull
#define TRIES       1000
#define TRIES_MAX   16 /* so many tries are fine */

/* An address space with a page at VA that was stored to. */
static struct mm *page_mapped(void)
{
    struct mm *mm = mm_create();
    struct map_request request = { .start = VA,
                                   .len = PAGE_SIZE,
                                   .flags = VM_READ | VM_WRITE,
                                   .fixed = true };
    uint64_t at, value = 1;
    return mm && mm_map(mm, &request, &at) == 0
                   && cpu_access(mm, VA, CPU_STORE, &value) == FAULT_OK_SPURIOUS
               ? mm
               : NULL;
}

static const struct fault store = { VA, FAULT_PRESENT | FAULT_WRITE | FAULT_USER, true, 0x401000 };

/* Raise the same fault again and again. *tries is how many times it was called resolved. */
static enum fault_outcome insist(struct mm *mm, const struct fault *fault, unsigned *tries)
{
    for (*tries = 0; *tries < TRIES; ++*tries) {
        enum fault_outcome outcome = mm_fault(mm, fault);
        if (!fault_resolved(outcome))
            return outcome;
    }
    return FAULT_OK_SPURIOUS;
}

static bool ends_as(const struct fault *fault, enum fault_outcome expect)
{
    struct mm *mm = page_mapped();
    unsigned tries;
    enum fault_outcome outcome = insist(mm, fault, &tries);
    mm_put(mm);
    if (outcome != expect)
        return diagnose("outcome %d after %u tries, expect %d", outcome, tries, expect);
    return tries <= TRIES_MAX || diagnose("%u tries", tries);
}

static bool no_progress_is_reported(void) { return ends_as(&store, FAULT_BAD_STUCK); }

static bool a_programs_supervisor_access_ends_it(void)
{
    struct fault load = { VA, FAULT_PRESENT, true, 0x401000 };
    return ends_as(&load, FAULT_BAD_SUPERVISOR);
}

static bool a_reserved_bit_is_the_kernels_fault(void)
{
    struct fault broken = store;
    broken.error |= FAULT_RESERVED;
    return ends_as(&broken, FAULT_BAD_RESERVED);
}

/* Another instruction, another page or a flush explains a spurious fault; each is counted. */
static bool explained_faults_go_on(void)
{
    struct mm *mm = page_mapped();
    uint64_t before = mm_spurious_total();
    bool good = true;
    for (unsigned i = 0; i < TRIES && good; i++) {
        struct fault other = store;
        other.rip += i & 1;
        good = mm_fault(mm, &other) == FAULT_OK_SPURIOUS;
        if (good && i % TRIES_MAX == 0)
            arch_tlb_flush(&mm->arch, VA, PAGE_SIZE, false);
    }
    for (unsigned i = 0; i < TRIES && good; i++) {
        good = mm_fault(mm, &store) == FAULT_OK_SPURIOUS;
        if (i % 2)
            arch_tlb_flush(&mm->arch, VA, PAGE_SIZE, false);
    }
    uint64_t counted = mm_spurious_total() - before;
    mm_put(mm);
    if (!good)
        return diagnose("ended after %lu", (unsigned long)counted);
    return counted == 2 * TRIES || diagnose("%lu counted", (unsigned long)counted);
}

static const struct twin twins[] = {
    { "a_fault_without_progress_is_reported", no_progress_is_reported, { "spurious_forever" } },
    { "a_programs_supervisor_access_ends_it",
      a_programs_supervisor_access_ends_it,
      { "spurious_forever" } },
    { "a_reserved_bit_is_the_kernels_fault", a_reserved_bit_is_the_kernels_fault, { NULL } },
    { "explained_spurious_faults_go_on", explained_faults_go_on, { NULL } },
};

int main(void)
{
    fake_start(ARENA_BYTES);
    return run_twins(twins, ARRAY_SIZE(twins));
}
