/* SPDX-License-Identifier: MIT */
/*
 * The walker: looks at every leaf of an address space for a broken invariant.
 *
 * The setter never stores a wrong value, but a CPU may make one: when W is cleared under a running
 * store, a CPU without CET may set D afterwards and leave W=0,D=1 on ordinary memory, state (e). A
 * CPU with CET never sets D in an entry with W=0 (Intel SDM vol. 3, "Accessed and Dirty Flags").
 */
#include "mm/table/check.h"

#include "base/log.h"
#include "mm/planted.h"
#include "mm/table/share.h"
#include "mm/vma/vma.h"

static uint64_t violations; /* since boot, atomic */

void check_count(void) { __atomic_add_fetch(&violations, planted_findings(1), __ATOMIC_RELAXED); }

void check_report(const struct slot *slot, bool shstk, pte_t pte)
{
    check_count();
    log_line("check: entry %#lx for %#lx breaks the invariant: %s", pte.raw, slot->va,
             shstk            ? "a shadow-stack page is writable, executable or doubly dirty"
             : pte_shstk(pte) ? "state (e), W=0 D=1 on ordinary memory"
                              : "COW together with W or D");
}

struct check {
    const struct vma *vma;
    struct flush *flush;
    unsigned found;
    bool shared; /* there is one in a shared table, where nothing may change */
};

/*
 * D moves to COW: ordinary memory is then copied or reused at its next store, a shadow stack at its
 * next access. A page that was writable where it must not be loses W the same way.
 */
static void leaf_check(const struct slot *slot, pte_t pte, void *context)
{
    struct check *check = context;
    check->shared |= !slot_is_own(slot) && !pte_check(pte, vma_is_shstk(check->vma));
    while (slot_is_own(slot) && !pte_check(pte, vma_is_shstk(check->vma))) {
        pte_t repaired = pte_wrprotect(pte);
        if (vma_is_shstk(check->vma))
            repaired.raw |= PTE_NX;
        if (slot_set(slot, check->vma, pte, repaired, TRACE_REPAIR, check->flush)) {
            check_report(slot, vma_is_shstk(check->vma), pte);
            check->found++;
        }
        pte = slot_read(slot);
    }
}

unsigned mm_check(struct mm *mm)
{
    unsigned found = 0;
    struct flush flush;
    flush_begin(&flush, mm);
    write_lock(&mm->lock);
    mm_for_each_vma(mm, vma)
    {
        struct check check = { vma, &flush, 0, false };
        tables_visit(mm, vma->start, vma->end, leaf_check, &check);
        if (check.shared && tables_own(mm, vma->start, vma->end) == 0)
            tables_visit(mm, vma->start, vma->end, leaf_check, &check);
        found += check.found;
    }
    found += tables_check(mm);
    flush_end(&flush);
    write_unlock(&mm->lock);
    return found;
}

uint64_t mm_check_total(void) { return __atomic_load_n(&violations, __ATOMIC_RELAXED); }
