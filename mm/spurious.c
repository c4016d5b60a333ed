/* SPDX-License-Identifier: MIT */
/*
 * A spurious fault is normally harmless. Rights that grow are not flushed, so a CPU may still
 * refuse by an old translation an access that the entry allows by now. The CPU drops that
 * translation when it faults.
 *
 * But if the CPU refuses for a reason that the entry does not show, the instruction would fault for
 * ever. The two cases can be told apart: between two flushes of an address space the rights of an
 * entry only grow, in a few steps at most. So a longer row of spurious faults of one task at one
 * instruction and one page, with no flush in between, ends in a report.
 */
#include "mm/spurious.h"

#include "base/log.h"
#include "mm/planted.h"
#include "mm/table/table.h"

#define ROW_MAX 8

/* The last spurious faults of one CPU; only that CPU looks here. A task that moves to another CPU
 * begins a new row. */
struct row {
    int pid;
    uint64_t rip, page, flushes;
    unsigned count;
};
static struct row rows[CPUS_MAX];
static uint64_t total; /* atomic */

/* Does this fault continue the CPU's row? If not, it begins a new row. */
static bool row_goes_on(struct row *row, const struct row *now)
{
    if (row->pid == now->pid && row->rip == now->rip && row->page == now->page
        && row->flushes == now->flushes)
        return true;
    *row = *now;
    return false;
}

/* Log what the kernel knows: the entry, in which there is nothing to repair. */
static COLD void stuck_report(struct mm *mm, const struct fault *fault)
{
    struct slot slot;
    uint64_t next;
    pte_t pte = { 0 };
    if (slot_find(mm, fault->va, &slot, &next)) {
        pte = slot_read(&slot);
        slot_release(&slot);
    }
    log_line("fault: BUG: %u in a row at RIP %#lx, address %#lx, error code %#x; its entry %#lx "
             "allows the access",
             ROW_MAX, fault->rip, fault->va, fault->error, pte.raw);
}

enum fault_outcome fault_spurious(struct mm *mm, const struct fault *fault)
{
    struct row *row = &rows[arch_cpu_id()];
    struct row now = { arch_current_pid(), fault->rip, align_down(fault->va, PAGE_SIZE),
                       __atomic_load_n(&mm->arch.generation, __ATOMIC_RELAXED), 0 };
    __atomic_add_fetch(&total, 1, __ATOMIC_RELAXED);
    if (!row_goes_on(row, &now) || !planted_row(++row->count >= ROW_MAX))
        return FAULT_OK_SPURIOUS;
    row->count = 0;
    if (fault->from_user && !(fault->error & FAULT_USER))
        return FAULT_BAD_SUPERVISOR;
    stuck_report(mm, fault);
    return FAULT_BAD_STUCK;
}

uint64_t mm_spurious_total(void) { return __atomic_load_n(&total, __ATOMIC_RELAXED); }
