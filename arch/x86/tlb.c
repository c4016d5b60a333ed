/* SPDX-License-Identifier: MIT */
/* Address-space loading and TLB flushes. One CPU runs for now, so "every CPU that runs it" is this one or none. */
#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"
#include "arch/x86/pgtable.h"
#include "arch/x86/x86.h"

/* Beyond this many pages one reload of CR3 is cheaper than INVLPG for each. */
#define FLUSH_PAGES_MAX 32

void arch_mm_load(paddr_t root, struct mm *mm)
{
    uint64_t irq = arch_irq_save();
    percpu()->mm = mm;
    write_cr3(root.v);
    arch_irq_restore(irq);
}

void arch_tlb_flush(paddr_t root, uint64_t va, uint64_t len_bytes)
{
    if ((read_cr3() & PTE_PFN_MASK) != root.v)
        return;
    if (len_bytes == 0 || len_bytes > FLUSH_PAGES_MAX * PAGE_SIZE) {
        write_cr3(root.v);
        return;
    }
    for (uint64_t end = va + len_bytes; va < end; va += PAGE_SIZE)
        invlpg(va);
}

void arch_tlb_flush_kernel(uint64_t va, uint64_t len_bytes)
{
    if (len_bytes == 0 || len_bytes > FLUSH_PAGES_MAX * PAGE_SIZE) {
        uint64_t cr4 = read_cr4();
        write_cr4(cr4 & ~CR4_PGE);              /* drops global entries too */
        write_cr4(cr4);
        return;
    }
    for (uint64_t end = va + len_bytes; va < end; va += PAGE_SIZE)
        invlpg(va);
}
