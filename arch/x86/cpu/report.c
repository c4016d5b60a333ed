/* SPDX-License-Identifier: MIT */
/* What panic() shows of the machine: registers, backtrace, the page-table path of the faulting
 * address. The code here follows a pointer only where the current page table maps it. */
#include "arch/x86/cpu/report.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/idt.h"
#include "arch/x86/pgtable.h"
#include "base/log.h"
#include "base/symbols.h"

#define BACKTRACE_DEPTH 24
#define ROOT_LEVEL      4

static void registers_report(const struct trap_frame *f)
{
    log_line("  rip %016lx cs %02lx rflags %08lx rsp %016lx ss %02lx", f->rip, f->cs, f->rflags,
             f->rsp, f->ss);
    log_line("  rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
    log_line("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx", f->rsi, f->rdi, f->rbp, f->r8);
    log_line("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx", f->r9, f->r10, f->r11, f->r12);
    log_line("  r13 %016lx r14 %016lx r15 %016lx cr2 %016lx", f->r13, f->r14, f->r15, read_cr2());
    log_line("  cr3 %016lx cr4 %08lx cpu %u pid %d", read_cr3(), read_cr4(), percpu()->cpu_id,
             percpu()->pid);
}

static void address_report(uint64_t rip)
{
    uint64_t offset;
    const char *name = symbol_lookup(rip, &offset);
    if (name)
        log_line("  %016lx %s+%#lx", rip, name, offset);
    else
        log_line("  %016lx", rip);
}

/* ---- The current page table --------------------------------------------- */

/* The entry for va at one level of table. */
static pte_t entry_at(paddr_t table, uint64_t va, int level)
{
    return ((const pte_t *)arch_phys_to_virt(table))[level_index(va, level)];
}

static paddr_t root_current(void) { return paddr(read_cr3() & PTE_PFN_MASK); }

/* Walk down to the entry where the path to va ends. each(), unless NULL, is called with every
 * entry. */
static pte_t entry_walk(uint64_t va, void (*each)(pte_t entry, uint64_t va, int level))
{
    paddr_t table = root_current();
    for (int level = ROOT_LEVEL;; level--) {
        pte_t entry = entry_at(table, va, level);
        if (each)
            each(entry, va, level);
        if (!pte_is_table(entry, level))
            return entry;
        table = paddr(pte_pfn(entry) << PAGE_SHIFT);
    }
}

static void entry_report(pte_t entry, uint64_t va, int level)
{
    static const char *const names[] = { "", "pte", "pmd", "pud", "root" };
    log_line("  %-4s[%3u] %016lx%s%s%s%s%s%s", names[level], level_index(va, level), entry.raw,
             pte_present(entry) ? " P" : "", entry.raw & PTE_W ? " W" : "",
             entry.raw & PTE_U ? " U" : "", entry.raw & PTE_D ? " D" : "",
             entry.raw & PTE_COW ? " COW" : "", entry.raw & PTE_NX ? " NX" : "");
}

static void path_report(uint64_t va)
{
    log_line("page-table path of %016lx:", va);
    (void)entry_walk(va, entry_report);
}

/* ---- The stack ---------------------------------------------------------- */

/* May two words be read here? Only at kernel addresses that the current table maps. */
static bool stack_readable(uint64_t va)
{
    return va >= DIRECT_MAP_BASE && (va & 7) == 0 && (va & (PAGE_SIZE - 1)) <= PAGE_SIZE - 16
           && pte_present(entry_walk(va, NULL));
}

void backtrace_report(uint64_t rbp)
{
    for (int depth = 0; depth < BACKTRACE_DEPTH && stack_readable(rbp); depth++) {
        const uint64_t *words = (const uint64_t *)rbp;
        if (words[1] < KERNEL_BASE)
            return;
        address_report(words[1]);
        if (words[0] <= rbp)
            return;
        rbp = words[0];
    }
}

void arch_panic_report(void)
{
    const struct trap_frame *frame = percpu()->fault_frame;
    if (frame) {
        registers_report(frame);
        if (frame->vector == VECTOR_PF)
            path_report(read_cr2());
        log_line("backtrace:");
        address_report(frame->rip);
        backtrace_report(frame->rbp);
    } else {
        log_line("backtrace:");
        backtrace_report((uint64_t)__builtin_frame_address(0));
    }
}
