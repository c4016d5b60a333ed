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
bool trace_enabled;
uint64_t fake_seed = 1;
bool fake_threads;
_Thread_local unsigned fake_cpu;
void (*fake_interlude)(enum moment moment);

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

int arch_current_pid(void) { return 2; } /* not 1: planted defects spare process 1 */
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
uint64_t arch_cpus_online(void) { return 1; }
void arch_page_zero(void *page) { memset(page, 0, PAGE_SIZE); }
void arch_page_copy(void *to, const void *from) { memcpy(to, from, PAGE_SIZE); }
void arch_mm_load(struct arch_mm *arch, struct mm *mm) { (void)arch, (void)mm; }
void arch_mm_idle(void) {}

/* The kernel's half has one entry, so freeing a root that still holds it is noticed. */
void kmap_fill_root(uint64_t *root) { root[PT_ENTRIES - 1] = 0x1003; }
void kmap_clear_root(uint64_t *root) { root[PT_ENTRIES - 1] = 0; }
paddr_t kmap_root(void) { return paddr(0); }

uint64_t fake_random(uint64_t limit)
{
    fake_seed ^= fake_seed << 13;
    fake_seed ^= fake_seed >> 7;
    fake_seed ^= fake_seed << 17;
    return (fake_seed >> 11) % limit;
}

static void interlude(enum moment moment)
{
    void (*act)(enum moment) = fake_interlude;
    if (!act)
        return;
    fake_interlude = NULL; /* not within itself */
    fake_cpu++;
    act(moment);
    fake_cpu--;
    fake_interlude = act;
}

/* Now and then another CPU reads or stores through the entry just before the exchange. */
bool arch_entry_cmpxchg(uint64_t *entry, uint64_t old, uint64_t new)
{
    if (fake_random(8) == 0)
        *entry |= *entry & PTE_W ? PTE_A | PTE_D : PTE_A;
    bool done = __atomic_compare_exchange_n(entry, &old, new, false, __ATOMIC_SEQ_CST,
                                            __ATOMIC_SEQ_CST);
    if (done)
        interlude(ENTRY_REPLACED);
    return done;
}

void fake_start(uint64_t bytes)
{
    fake_memory = mmap(NULL, RAM_START + bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fake_memory == MAP_FAILED)
        panic("no memory for the arena");
    /* the first MiB belongs to the firmware */
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
    pte_t leaf;                  /* the leaf as the walk found it, with A and D */
    int level;
    bool upper_w; /* all entries above the leaf had W=1 */
};
static struct tlb_entry tlb[TLB_SLOTS];

/* A paging-structure cache: an entry that points to a table, as a walk found it. */
struct upper_entry {
    uint64_t root, start, bytes; /* bytes 0: unused */
    uint64_t table;              /* physical address */
    int level;                   /* of the entry */
    bool upper_w;                /* the entry and all above it had W=1 */
};
static struct upper_entry uppers[TLB_SLOTS];

/* Drop [va, va + len_bytes) of one root, and, as INVLPG and a load of CR3 do, all of its upper
 * entries. */
static void tlb_drop(uint64_t root, uint64_t va, uint64_t len_bytes)
{
    for (size_t i = 0; i < TLB_SLOTS; i++) {
        bool inside = !len_bytes
                      || (tlb[i].start < va + len_bytes && va < tlb[i].start + tlb[i].bytes);
        if (tlb[i].root == root && inside)
            tlb[i].bytes = 0;
        if (uppers[i].root == root)
            uppers[i].bytes = 0;
    }
}

void arch_tlb_flush(struct arch_mm *mm, uint64_t va, uint64_t len_bytes, bool tables)
{
    (void)tables;
    interlude(FLUSH_AHEAD);
    mm->generation++;
    tlb_drop(mm->root.v, va, len_bytes);
}

void arch_tlb_flush_kernel(uint64_t va, uint64_t len_bytes)
{
    (void)va, (void)len_bytes;
    interlude(FLUSH_AHEAD);
    memset(tlb, 0, sizeof(tlb));
    memset(uppers, 0, sizeof(uppers));
}

/* No CPU has this address space in CR3 any more: loading another one has flushed. */
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

/* Does a present leaf allow a user access? upper_w: all entries above it have W=1. */
static bool leaf_permits(pte_t leaf, bool upper_w, enum cpu_access access)
{
    if (!(leaf.raw & PTE_U))
        return false;
    if (access_is_shstk(access))
        return upper_w && pte_shstk(leaf);
    if (access == CPU_STORE)
        return upper_w && pte_hw_write(leaf);
    return access != CPU_FETCH || pte_exec(leaf);
}

static pte_t *entry_of(uint64_t table, uint64_t va, int level)
{
    if (pfn_to_frame(table >> PAGE_SHIFT)->kind != FRAME_TABLE)
        panic("a walk through %#lx, which is not a table any more", (unsigned long)table);
    return (pte_t *)arch_phys_to_virt(paddr(table)) + level_index(va, level);
}

/* A CPU with stale caches begins its walk below the lowest upper entry that it has cached. */
static uint64_t walk_start(uint64_t root, uint64_t va, int *level, bool *upper_w)
{
    uint64_t table = root;
    *level = 4;
    *upper_w = true;
    for (size_t i = 0; i < TLB_SLOTS; i++) {
        const struct upper_entry *upper = &uppers[i];
        if (!upper->bytes || upper->root != root || va - upper->start >= upper->bytes
            || upper->level > *level)
            continue;
        table = upper->table;
        *level = upper->level - 1;
        *upper_w = upper->upper_w;
    }
    return table;
}

/* Walk the tables as the hardware does. Returns the leaf's entry and sets *level, or returns NULL
 * when an entry on the way is not present. */
static pte_t *walk(uint64_t root, uint64_t va, int *level, bool *upper_w)
{
    uint64_t table = walk_start(root, va, level, upper_w);
    for (;; --*level) {
        pte_t *entry = entry_of(table, va, *level);
        if (!pte_present(*entry))
            return NULL;
        if (!pte_is_table(*entry, *level))
            return entry;
        if (!(entry->raw & PTE_U))
            panic("a table's entry lacks U");
        *upper_w &= pte_hw_write(*entry);
        table = entry->raw & PTE_PFN_MASK;
        uppers[fake_random(TLB_SLOTS)] = (struct upper_entry){
            root, align_down(va, level_bytes(*level)), level_bytes(*level), table, *level, *upper_w
        };
    }
}

/* A page fault drops all that the CPU has cached for the address. */
static uint32_t walk_failed(uint64_t root, uint64_t va, uint32_t error)
{
    for (size_t i = 0; i < TLB_SLOTS; i++) {
        if (uppers[i].root == root && va - uppers[i].start < uppers[i].bytes)
            uppers[i].bytes = 0;
    }
    return error;
}

/* Translate for one access. Returns 0 and sets *at, or returns the page fault's error code. */
static uint32_t translate(struct mm *mm, uint64_t va, enum cpu_access access, char **at)
{
    uint64_t root = frame_pa(mm->root).v;
    struct tlb_entry *cached = tlb_find(root, va);
    uint32_t error = FAULT_USER | (access_is_shstk(access) ? FAULT_SHSTK : 0)
                     | (access == CPU_FETCH ? FAULT_FETCH : 0)
                     | (access_writes(access) ? FAULT_WRITE : 0);
    bool sets_d = access == CPU_STORE;
    if (!cached || !leaf_permits(cached->leaf, cached->upper_w, access)
        || (sets_d && !pte_hw_dirty(cached->leaf))) {
        if (cached)
            cached->bytes = 0; /* a fault drops the translation, and so does a walk that sets D */
        int level;
        bool upper_w;
        pte_t *entry = walk(root, va, &level, &upper_w);
        if (!entry)
            return walk_failed(root, va, error);
        if (!leaf_permits(*entry, upper_w, access))
            return walk_failed(root, va, error | FAULT_PRESENT);
        entry->raw |= PTE_A | (sets_d ? PTE_D : 0);
        cached = &tlb[fake_random(TLB_SLOTS)];
        *cached = (struct tlb_entry){
            root, align_down(va, level_bytes(level)), level_bytes(level), *entry, level, upper_w
        };
    }
    *at = (char *)arch_phys_to_virt(
        paddr((pte_pfn(cached->leaf) << PAGE_SHIFT) + (va - cached->start)));
    return 0;
}

enum fault_outcome cpu_access(struct mm *mm, uint64_t va, enum cpu_access access, uint64_t *value)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        char *at = NULL;
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

bool cpu_peek(struct mm *mm, uint64_t va, uint64_t *value)
{
    char *at;
    if (translate(mm, va, CPU_LOAD, &at))
        return false;
    memcpy(value, at, sizeof(*value));
    return true;
}

/* The entry of this level for va in the tables as they are, and whether all entries down to it, it
 * included, have W=1; NULL: none. */
static pte_t *entry_now(uint64_t root, uint64_t va, int to_level, bool *upper_w)
{
    uint64_t table = root;
    *upper_w = true;
    for (int level = 4;; level--) {
        pte_t *entry = entry_of(table, va, level);
        *upper_w &= pte_hw_write(*entry);
        if (level == to_level)
            return entry;
        if (!pte_is_table(*entry, level))
            return NULL;
        table = entry->raw & PTE_PFN_MASK;
    }
}

/* Does it lead where the tables lead, with no more rights? */
static bool upper_is_coherent(const struct upper_entry *upper)
{
    bool upper_w;
    pte_t *entry = entry_now(upper->root, upper->start, upper->level, &upper_w);
    if (entry && pte_is_table(*entry, upper->level) && upper_w >= upper->upper_w
        && (entry->raw & PTE_PFN_MASK) == upper->table)
        return true;
    return diagnose("a CPU still walks table %#lx of level %d for %#lx",
                    (unsigned long)upper->table, upper->level - 1, (unsigned long)upper->start);
}

static bool leaf_is_coherent(const struct tlb_entry *cached)
{
    int level = cached->level;
    bool above = true, upper_w;
    pte_t leaf = cached->leaf, *entry = entry_now(cached->root, cached->start, level, &upper_w);
    while (entry && pte_is_table(*entry, level)) /* a large leaf that was split since */
        entry = entry_now(cached->root, cached->start, --level, &upper_w);
    if (entry)
        (void)entry_now(cached->root, cached->start, level + 1, &above);
    uint64_t within = entry ? (cached->start & (level_bytes(level) - 1)) >> PAGE_SHIFT : 0;
    bool same = entry && pte_pfn(*entry) + within == pte_pfn(leaf)
                && pte_exec(leaf) <= pte_exec(*entry);
    bool rights = !cached->upper_w
                  || ((!pte_hw_write(leaf) || (above && pte_hw_write(*entry)))
                      && (!pte_shstk(leaf) || (above && pte_shstk(*entry))));
    return same && rights ? true
                          : diagnose("the TLB still has %#lx for %#lx, the table %#lx",
                                     (unsigned long)leaf.raw, (unsigned long)cached->start,
                                     entry ? (unsigned long)entry->raw : 0ul);
}

bool tlb_is_coherent(struct mm *mm)
{
    uint64_t root = frame_pa(mm->root).v;
    for (size_t i = 0; i < TLB_SLOTS; i++) {
        if ((tlb[i].bytes && tlb[i].root == root && !leaf_is_coherent(&tlb[i]))
            || (uppers[i].bytes && uppers[i].root == root && !upper_is_coherent(&uppers[i])))
            return false;
    }
    return true;
}
