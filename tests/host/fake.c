/* SPDX-License-Identifier: MIT */
/* The fake architecture, and what mm/ needs of base/ on the build machine. */
#include "fake.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/panic.h"
#include "base/trace.h"
#include "boot_info.h"
#include "mm/phys/kmap.h"

#define RAM_START 0x100000ull
#define TLB_SLOTS 64
#define TRIES_MAX 8

char *fake_memory;
bool quiet, trace_enabled;
uint64_t fake_seed = 1;
bool fake_threads;
_Thread_local unsigned fake_cpu;

/* ---- KTAP --------------------------------------------------------------- */

static unsigned number, failed;

void plan(unsigned tests) { printf("KTAP version 1\n1..%u\n", tests); }

void result(const char *name, bool passed)
{
    printf("%sok %u - %s\n", passed ? "" : "not ", ++number, name);
    fflush(stdout);
    failed += !passed;
}

int suite_status(void) { return failed != 0; }

bool diagnose(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!quiet) {
        printf("# ");
        vprintf(format, args);
        printf("\n");
    }
    va_end(args);
    return false;
}

/* ---- What base/ gives --------------------------------------------------- */

void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("# panic: ");
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    abort();
}

void log_line(const char *format, ...) { (void)format; }
void trace_record(enum trace_why why, int level, uint64_t va, uint64_t old, uint64_t new)
{
    (void)why, (void)level, (void)va, (void)old, (void)new;
}

/* ---- The architecture --------------------------------------------------- */

int arch_current_pid(void) { return 2; } /* not 1: planted defects spare that one */
unsigned arch_cpu_id(void) { return fake_cpu; }
void arch_pause(void)
{
    if (!fake_threads)
        panic("a lock is taken twice: nobody else runs here");
    sched_yield();
}
uint64_t arch_irq_save(void) { return 0; }
void arch_irq_restore(uint64_t state) { (void)state; }
uint64_t arch_early_map_end(void) { return ~0ull; }
void arch_page_zero(void *page) { memset(page, 0, PAGE_SIZE); }
void arch_page_copy(void *to, const void *from) { memcpy(to, from, PAGE_SIZE); }
void arch_mm_load(struct arch_mm *arch, struct mm *mm) { (void)arch, (void)mm; }
void arch_mm_idle(void) {}

/* The kernel's half: one entry, so that a root that is freed with it in is noticed. */
void kmap_fill_root(uint64_t *root) { root[511] = 0x1003; }
void kmap_clear_root(uint64_t *root) { root[511] = 0; }
paddr_t kmap_root(void) { return paddr(0); }

uint64_t fake_random(uint64_t limit)
{
    fake_seed ^= fake_seed << 13;
    fake_seed ^= fake_seed >> 7;
    fake_seed ^= fake_seed << 17;
    return (fake_seed >> 11) % limit;
}

/* Now and then another CPU of the same address space reads or stores through the entry just
 * before. */
bool arch_entry_cmpxchg(uint64_t *entry, uint64_t old, uint64_t new)
{
    if (fake_random(8) == 0)
        *entry |= *entry & PTE_W ? PTE_A | PTE_D : PTE_A;
    return __atomic_compare_exchange_n(entry, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void fake_start(uint64_t bytes)
{
    fake_memory = mmap(NULL, RAM_START + bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fake_memory == MAP_FAILED)
        panic("no memory for the arena");
    /* the first MiB is the firmware's */
    struct boot_memory *ram = (struct boot_memory *)fake_memory;
    *ram = (struct boot_memory){ .type = BOOT_MEMORY_CONVENTIONAL,
                                 .start = RAM_START,
                                 .page_count = bytes / PAGE_SIZE };
    struct boot_info info = { .memory_map = { 0, sizeof(*ram) }, .descriptor_bytes = sizeof(*ram) };
    frame_init(&info);
    frame_init_high(&info);
    mm_init();
}

/* ---- The CPU ------------------------------------------------------------ */

struct tlb_entry {
    uint64_t root, start, bytes; /* bytes 0: unused */
    pte_t leaf;                  /* as it was walked, D and A included */
    int level;
};
static struct tlb_entry tlb[TLB_SLOTS];

void arch_tlb_flush(struct arch_mm *mm, uint64_t va, uint64_t len_bytes, bool tables)
{
    (void)tables;
    mm->generation++;
    for (size_t i = 0; i < TLB_SLOTS; i++) {
        bool inside = !len_bytes
                      || (tlb[i].start < va + len_bytes && va < tlb[i].start + tlb[i].bytes);
        if (tlb[i].root == mm->root.v && inside)
            tlb[i].bytes = 0;
    }
}

/* No CPU has it in CR3 any more: loading another one has flushed. */
void arch_mm_forget(struct arch_mm *mm) { arch_tlb_flush(mm, 0, 0, true); }

static struct tlb_entry *tlb_find(uint64_t root, uint64_t va)
{
    for (size_t i = 0; i < TLB_SLOTS; i++) {
        if (tlb[i].bytes && tlb[i].root == root && va - tlb[i].start < tlb[i].bytes)
            return &tlb[i];
    }
    return NULL;
}

static bool access_is_shstk(enum cpu_access access)
{
    return access == CPU_SHSTK_LOAD || access == CPU_SHSTK_STORE;
}
static bool access_writes(enum cpu_access access)
{
    return access == CPU_STORE || access == CPU_SHSTK_STORE;
}

/* Does a present leaf, below tables that all have W=1, allow a user access? */
static bool leaf_permits(pte_t leaf, enum cpu_access access)
{
    if (!(leaf.raw & PTE_U))
        return false;
    if (access_is_shstk(access))
        return pte_shstk(leaf);
    if (access == CPU_STORE)
        return pte_hw_write(leaf);
    return access != CPU_FETCH || pte_exec(leaf);
}

/* Walk the tables as the hardware does: the entry of the leaf and its level, NULL when something
 * is not present. */
static pte_t *walk(struct mm *mm, uint64_t va, int *level)
{
    uint64_t pa = frame_pa(mm->root).v;
    for (*level = 4;; --*level) {
        pte_t *entry = (pte_t *)arch_phys_to_virt(paddr(pa)) + level_index(va, *level);
        if (!pte_present(*entry))
            return NULL;
        if (!pte_is_table(*entry, *level))
            return entry;
        if (!pte_hw_write(*entry) || !(entry->raw & PTE_U))
            panic("a table's entry lacks W or U");
        pa = entry->raw & PTE_PFN_MASK;
    }
}

/* Translate for one access. 0 with the address, or the page fault's error code. */
static uint32_t translate(struct mm *mm, uint64_t va, enum cpu_access access, char **at)
{
    uint64_t root = frame_pa(mm->root).v;
    struct tlb_entry *cached = tlb_find(root, va);
    uint32_t error = FAULT_USER | (access_is_shstk(access) ? FAULT_SHSTK : 0)
                     | (access == CPU_FETCH ? FAULT_FETCH : 0)
                     | (access_writes(access) ? FAULT_WRITE : 0);
    bool sets_d = access == CPU_STORE;
    if (!cached || !leaf_permits(cached->leaf, access) || (sets_d && !pte_hw_dirty(cached->leaf))) {
        if (cached)
            cached->bytes = 0; /* a fault, or the walk that sets D, drops it */
        int level;
        pte_t *entry = walk(mm, va, &level);
        if (!entry)
            return error;
        if (!leaf_permits(*entry, access))
            return error | FAULT_PRESENT;
        entry->raw |= PTE_A | (sets_d ? PTE_D : 0);
        cached = &tlb[fake_random(TLB_SLOTS)];
        *cached = (struct tlb_entry){ root, align_down(va, level_bytes(level)), level_bytes(level),
                                      *entry, level };
    }
    *at = (char *)arch_phys_to_virt(
        paddr((pte_pfn(cached->leaf) << PAGE_SHIFT) + (va - cached->start)));
    return 0;
}

enum fault_outcome cpu_access(struct mm *mm, uint64_t va, enum cpu_access access, uint64_t *value)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        char *at;
        uint32_t error = translate(mm, va, access, &at);
        if (!error) {
            if (access_writes(access))
                memcpy(at, value, sizeof(*value));
            else
                memcpy(value, at, sizeof(*value));
            return FAULT_OK_SPURIOUS;
        }
        struct fault fault = { va, error, true, 0 };
        enum fault_outcome outcome = mm_fault(mm, &fault);
        if (!fault_resolved(outcome))
            return outcome;
    }
    panic("%d faults at %#lx and no progress", TRIES_MAX, (unsigned long)va);
}

bool tlb_is_coherent(struct mm *mm)
{
    for (size_t i = 0; i < TLB_SLOTS; i++) {
        if (!tlb[i].bytes || tlb[i].root != frame_pa(mm->root).v)
            continue;
        int level;
        pte_t *entry = walk(mm, tlb[i].start, &level), leaf = tlb[i].leaf;
        uint64_t within = entry ? (tlb[i].start & (level_bytes(level) - 1)) >> PAGE_SHIFT : 0;
        if (!entry || pte_pfn(*entry) + within != pte_pfn(leaf)
            || (pte_hw_write(leaf) && !pte_hw_write(*entry))
            || (pte_shstk(leaf) && !pte_shstk(*entry)) || (pte_exec(leaf) && !pte_exec(*entry)))
            return diagnose("the TLB still has %#lx for %#lx, the table %#lx",
                            (unsigned long)leaf.raw, (unsigned long)tlb[i].start,
                            entry ? (unsigned long)entry->raw : 0ul);
    }
    return true;
}
