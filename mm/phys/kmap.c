/* SPDX-License-Identifier: MIT */
/* The kernel's half of every address space. */
#include "mm/phys/kmap.h"

#include "arch/x86/pgtable.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/string.h"
#include "mm/phys/frame.h"
#include "mm/phys/ram.h"

#define ROOT_LEVEL   4
#define KERNEL_SLOTS 32 /* root entries in use in the kernel's half */
#define STACK_SLOTS  32768
#define STACK_STOCK  16
#define STACK_PAGES  (KSTACK_BYTES / PAGE_SIZE)
#define PTE_PAT_WC   PTE_PAT_4K /* PAT entry 4: arch/x86/cpu/control.c */

extern char __kernel_start[], __rodata_start[], __data_start[], __kernel_end[];

static struct frame *root_frame; /* [I] */
/* [I] the part that every root shares */
static struct {
    unsigned index;
    uint64_t entry;
} kernel_slots[KERNEL_SLOTS];
static unsigned kernel_slot_count; /* [I] */

/* guards the tables below the root, and the rest of the state */
static struct spinlock kmap_lock = SPINLOCK_INIT(LOCK_KMAP);
static uint64_t device_next = DEVICE_BASE;
static uint64_t stack_slots[STACK_SLOTS / 64]; /* bit set: in use */
static uint64_t stack_stock[STACK_STOCK];
static unsigned stack_stock_count;

/* ---- Entries ------------------------------------------------------------ */

static pte_t *entries_of(pte_t table_entry)
{
    return arch_phys_to_virt(paddr(pte_pfn(table_entry) << PAGE_SHIFT));
}

/* The entry for va at level. Missing tables are made. NULL: out of memory. */
static pte_t *entry_own(uint64_t va, int level, struct frame **table)
{
    struct frame *at = root_frame;
    for (int l = ROOT_LEVEL;; l--) {
        pte_t *entry = (pte_t *)frame_va(at) + level_index(va, l);
        if (l == level) {
            *table = at;
            return entry;
        }
        if (pte_none(*entry)) {
            struct frame *below = frame_alloc_zeroed(FRAME_TABLE);
            if (!below)
                return NULL;
            at->count++;
            *entry = pte_mktable(frame_pfn(below), false);
        }
        ASSERT(pte_is_table(*entry, l));
        at = pfn_to_frame(pte_pfn(*entry));
    }
}

/* Put a kernel leaf into an empty entry. */
static bool leaf_set(uint64_t va, uint64_t pfn, pgprot_t prot, int level)
{
    struct frame *table;
    pte_t *entry = entry_own(va, level, &table);
    if (!entry)
        return false;
    pte_t pte = pte_mkyoung(mk_leaf(pfn, prot, level));
    if (pte_hw_write(pte))
        pte = pte_mkdirty(pte);
    ASSERT(pte_none(*entry) && pte_check_kernel(pte));
    *entry = pte;
    table->count++;
    return true;
}

/* Map [pa, pa + bytes) at va with the largest leaves up to max_level that fit. */
static bool range_map(uint64_t va, uint64_t pa, uint64_t bytes, pgprot_t prot, int max_level)
{
    while (bytes) {
        int level = max_level;
        while (level > 1
               && (!is_aligned(va | pa, level_bytes(level)) || bytes < level_bytes(level)))
            level--;
        if (!leaf_set(va, pa >> PAGE_SHIFT, prot, level))
            return false;
        va += level_bytes(level);
        pa += level_bytes(level);
        bytes -= level_bytes(level);
    }
    return true;
}

/* Take a 4 KiB leaf away and return its frame; the table goes when it was the last. */
static struct frame *leaf_clear(uint64_t va)
{
    struct frame *table, *above;
    pte_t *entry = entry_own(va, 1, &table);
    struct frame *frame = pfn_to_frame(pte_pfn(*entry));
    *entry = (pte_t){ 0 };
    arch_tlb_flush_kernel(va, PAGE_SIZE);
    if (--table->count == 0) {
        *entry_own(va, 2, &above) = (pte_t){ 0 };
        above->count--;
        arch_tlb_flush_kernel(va, PAGE_SIZE);
        frame_put(table);
    }
    return frame;
}

/* ---- The final table ---------------------------------------------------- */

static void must(bool done)
{
    if (!done)
        panic("no memory for the kernel's page tables");
}

static int direct_level_max(void) { return arch_has_1g_pages() ? 3 : 2; }

/* Map [start, end) without the kernel image, which image_map() maps page by page. */
static void direct_map_run(const struct boot_info *info, uint64_t start, uint64_t end)
{
    uint64_t image = info->kernel.start, image_end = image + info->kernel.bytes;
    if (start < image)
        must(range_map(DIRECT_MAP_BASE + start, start, min_u64(end, image) - start,
                       PGPROT_KERNEL_RW, direct_level_max()));
    if (end > image_end) {
        uint64_t from = max_u64(start, image_end);
        must(range_map(DIRECT_MAP_BASE + from, from, end - from, PGPROT_KERNEL_RW,
                       direct_level_max()));
    }
}

/* RAM that the allocator owns or that holds ACPI's tables; no runtime services, no devices. */
static void direct_map_build(const struct boot_info *info)
{
    struct ram_run run = { 0, 0 };
    while (ram_next(info, RAM_FREE | RAM_TABLES, run.end, &run))
        direct_map_run(info, run.start, run.end);
}

/* The image at its linked addresses, and its pages in the direct map: text and rodata are
 * read-only there as well. */
static void image_map(const struct boot_info *info)
{
    uint64_t text = (uint64_t)__kernel_start, rodata = (uint64_t)__rodata_start,
             data = (uint64_t)__data_start;
    uint64_t end = align_up((uint64_t)__kernel_end, PAGE_SIZE), base = info->kernel.start;
    must(range_map(text, base, rodata - text, PGPROT_KERNEL_RX, 1));
    must(range_map(rodata, base + (rodata - text), data - rodata, PGPROT_KERNEL_R, 1));
    must(range_map(data, base + (data - text), end - data, PGPROT_KERNEL_RW, 1));
    must(range_map(DIRECT_MAP_BASE + base, base, data - text, PGPROT_KERNEL_R, 1));
    must(range_map(DIRECT_MAP_BASE + base + (data - text), base + (data - text),
                   info->kernel.bytes - (data - text), PGPROT_KERNEL_RW, 1));
}

/* Remember the root's entries. The root of every address space gets them as well. */
static void kernel_slots_collect(void)
{
    const uint64_t *root = frame_va(root_frame);
    for (unsigned i = PT_ENTRIES / 2; i < PT_ENTRIES; i++) {
        if (!root[i])
            continue;
        ASSERT(kernel_slot_count < KERNEL_SLOTS);
        kernel_slots[kernel_slot_count].index = i;
        kernel_slots[kernel_slot_count].entry = root[i];
        kernel_slot_count++;
    }
}

void kmap_init(const struct boot_info *info)
{
    root_frame = frame_alloc_zeroed(FRAME_TABLE);
    must(root_frame != NULL);
    direct_map_build(info);
    image_map(info);
    struct frame *unused;
    /* the tables of the regions that fill up later */
    must(entry_own(KSTACK_BASE, 2, &unused) != NULL);
    must(entry_own(DEVICE_BASE, 2, &unused) != NULL);
    kernel_slots_collect();
    arch_mm_load_kernel(kmap_root());
}

paddr_t kmap_root(void) { return frame_pa(root_frame); }

void kmap_fill_root(uint64_t *root_entries)
{
    for (unsigned i = 0; i < kernel_slot_count; i++)
        root_entries[kernel_slots[i].index] = kernel_slots[i].entry;
}

void kmap_clear_root(uint64_t *root_entries)
{
    for (unsigned i = 0; i < kernel_slot_count; i++)
        root_entries[kernel_slots[i].index] = 0;
}

/* ---- Devices ------------------------------------------------------------ */

void *kmap_device(paddr_t pa, uint64_t bytes, enum kmap_cache cache)
{
    static const uint64_t cache_bits[] = {
        [KMAP_UNCACHED] = PTE_PCD | PTE_PWT,
        [KMAP_WRITE_COMBINING] = PTE_PAT_WC,
        [KMAP_CACHED] = 0,
    };
    uint64_t offset = pa.v & (PAGE_SIZE - 1), len = align_up(offset + bytes, PAGE_SIZE);
    pgprot_t prot = { PGPROT_KERNEL_RW.raw | cache_bits[cache] };
    spin_lock(&kmap_lock);
    uint64_t va = device_next;
    device_next += len + PAGE_SIZE; /* an unmapped page between */
    bool done = range_map(va, pa.v - offset, len, prot, 1);
    spin_unlock(&kmap_lock);
    return done ? (void *)(va + offset) : NULL;
}

/* ---- Kernel stacks ------------------------------------------------------ */

/* Find a free stack slot and mark it used; -1 when all are used. kmap_lock is held. */
static int64_t stack_slot_take(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(stack_slots); i++) {
        if (~stack_slots[i]) {
            unsigned bit = (unsigned)__builtin_ctzll(~stack_slots[i]);
            stack_slots[i] |= 1ull << bit;
            return (int64_t)(i * 64 + bit);
        }
    }
    return -1;
}

/* Unmap and free the highest pages of a slot, and the slot. kmap_lock is held. */
static void stack_drop(uint64_t top, uint64_t pages)
{
    for (uint64_t i = 1; i <= pages; i++)
        frame_put(leaf_clear(top - i * PAGE_SIZE));
    uint64_t slot = (top - KSTACK_BASE) / KSTACK_SLOT - 1;
    stack_slots[slot / 64] &= ~(1ull << slot % 64);
}

/* Map a stack in a slot of its own; 0 when memory is out. kmap_lock is held. */
static uint64_t stack_make(void)
{
    int64_t slot = stack_slot_take();
    if (slot < 0)
        return 0;
    uint64_t top = KSTACK_BASE + (uint64_t)(slot + 1) * KSTACK_SLOT;
    for (uint64_t i = 1; i <= STACK_PAGES; i++) {
        struct frame *frame = frame_alloc(FRAME_KERNEL);
        if (!frame || !leaf_set(top - i * PAGE_SIZE, frame_pfn(frame), PGPROT_KERNEL_RW, 1)) {
            if (frame)
                frame_put(frame);
            stack_drop(top, i - 1);
            return 0;
        }
        /* QEMU is slow on a page that holds the firmware's code (docs/platform.md) */
        arch_page_zero(frame_va(frame));
    }
    return top;
}

uint64_t kmap_stack_alloc(void)
{
    spin_lock(&kmap_lock);
    uint64_t top = stack_stock_count ? stack_stock[--stack_stock_count] : stack_make();
    spin_unlock(&kmap_lock);
    return top;
}

void kmap_stack_free(uint64_t top)
{
    spin_lock(&kmap_lock);
    if (stack_stock_count < STACK_STOCK)
        stack_stock[stack_stock_count++] = top;
    else
        stack_drop(top, STACK_PAGES);
    spin_unlock(&kmap_lock);
}

void kmap_stack_reclaim(void)
{
    spin_lock(&kmap_lock);
    while (stack_stock_count)
        stack_drop(stack_stock[--stack_stock_count], STACK_PAGES);
    spin_unlock(&kmap_lock);
}

/* ---- Looking ------------------------------------------------------------ */

uint64_t kmap_lookup(paddr_t root, uint64_t va, int *level)
{
    const pte_t *table = arch_phys_to_virt(root);
    for (int l = ROOT_LEVEL; l >= 1; l--) {
        pte_t pte = table[level_index(va, l)];
        if (!pte_is_table(pte, l)) {
            *level = l;
            return pte_present(pte) ? pte.raw : 0;
        }
        table = entries_of(pte);
    }
    return 0;
}
