/* SPDX-License-Identifier: MIT */
/*
 * The firmware's runtime services, of which only ResetSystem() is used. They are mapped nowhere but
 * in a page table of their own, at identity addresses, entered with interrupts off. Where the
 * firmware says which pages are code (EFI_MEMORY_ATTRIBUTES_TABLE) that table is W^X; where not,
 * runtime code is writable and executable there: the one exception to the rule. A fault inside ends
 * the call (trap.c), and the caller tries the next way.
 */
#include "arch/x86/cpu/cpu.h"
#include "arch/x86/pgtable.h"
#include "arch/x86/x86.h"
#include "mm/frame.h"
#include "mm/kmap.h"

#define RUNTIME_REGIONS_MAX  32
#define EFI_MEMORY_XP        (1ull << 14)
#define EFI_MEMORY_RO        (1ull << 17)
#define SYSTEM_TABLE_RUNTIME 88 /* byte offsets, UEFI 2.10 */
#define RUNTIME_RESET_SYSTEM 104

static struct {
    uint64_t start, page_count;
    bool code;
} regions[RUNTIME_REGIONS_MAX];
static unsigned region_count;
static uint64_t system_table, attributes_table;
/* [I] made at start: at the end others may have been stopped with any lock held; NULL: none */
static struct frame *runtime_root;

uint64_t efi_saved_rsp;
volatile bool efi_in_call;

/* Map one page at its own address. False when memory is out. */
static bool page_map(uint64_t *root, uint64_t pa, pgprot_t prot)
{
    uint64_t *table = root;
    for (int level = 4; level > 1; level--) {
        uint64_t *entry = table + level_index(pa, level);
        if (!*entry) {
            struct frame *below = frame_alloc_zeroed(FRAME_TABLE);
            if (!below)
                return false;
            *entry = pte_mktable(frame_pfn(below), false).raw;
        }
        table = arch_phys_to_virt(paddr(*entry & PTE_PFN_MASK));
    }
    pte_t pte = pte_mkyoung(mk_pte(pa >> PAGE_SHIFT, prot));
    table[level_index(pa, 1)] = (pte_hw_write(pte) ? pte_mkdirty(pte) : pte).raw & ~PTE_G;
    return true;
}

static bool range_map(uint64_t *root, uint64_t start, uint64_t page_count, pgprot_t prot)
{
    for (uint64_t i = 0; i < page_count; i++) {
        if (!page_map(root, start + i * PAGE_SIZE, prot))
            return false;
    }
    return true;
}

/* UEFI 2.10, "EFI_MEMORY_ATTRIBUTES_TABLE": a header of four 32-bit words, then memory
 * descriptors. */
static bool attributes_apply(uint64_t *root)
{
    const uint32_t *table = arch_phys_to_virt(paddr(attributes_table));
    uint32_t count = table[1], bytes = table[2];
    const char *at = (const char *)(table + 4);
    for (uint32_t i = 0; i < count && bytes >= sizeof(struct boot_memory); i++, at += bytes) {
        const struct boot_memory *memory = (const void *)at;
        pgprot_t prot = memory->attributes & EFI_MEMORY_XP   ? PGPROT_KERNEL_RW
                        : memory->attributes & EFI_MEMORY_RO ? PGPROT_KERNEL_RX
                                                             : (pgprot_t){ PTE_P | PTE_W };
        if (!range_map(root, memory->start, memory->page_count, prot))
            return false;
    }
    return true;
}

/* The runtime services' page table: all runtime regions, and the kernel's own half for the
 * stack. NULL on failure. */
static struct frame *runtime_table(void)
{
    struct frame *root = frame_alloc_zeroed(FRAME_TABLE);
    if (!root)
        return NULL;
    uint64_t *entries = frame_va(root);
    kmap_fill_root(entries);
    for (unsigned i = 0; i < region_count; i++) {
        pgprot_t prot = regions[i].code ? (pgprot_t){ PTE_P | PTE_W } : PGPROT_KERNEL_RW;
        if (!range_map(entries, regions[i].start, regions[i].page_count, prot))
            return NULL;
    }
    int level;
    bool readable = attributes_table
                    && kmap_lookup(frame_pa(root), DIRECT_MAP_BASE + attributes_table, &level);
    return readable && !attributes_apply(entries) ? NULL : root;
}

void efi_init(const struct boot_info *info)
{
    const char *at = arch_phys_to_virt(paddr(info->memory_map.start)),
               *end = at + info->memory_map.bytes;
    for (; at + info->descriptor_bytes <= end; at += info->descriptor_bytes) {
        const struct boot_memory *memory = (const void *)at;
        bool code = memory->type == BOOT_MEMORY_RUNTIME_CODE;
        if ((!code && memory->type != BOOT_MEMORY_RUNTIME_DATA)
            || region_count == RUNTIME_REGIONS_MAX)
            continue;
        regions[region_count].start = memory->start;
        regions[region_count].page_count = memory->page_count;
        regions[region_count].code = code;
        region_count++;
    }
    system_table = info->efi_system_table;
    attributes_table = info->efi_memory_attributes;
    runtime_root = system_table ? runtime_table() : NULL;
}

void efi_reset(unsigned reset_type)
{
    if (!runtime_root)
        return;
    uint64_t irq = arch_irq_save(), old_root = read_cr3();
    paddr_t root = frame_pa(runtime_root);
    write_cr3(root.v);
    int level;
    if (kmap_lookup(root, system_table, &level)) {
        uint64_t runtime = *(const uint64_t *)(system_table + SYSTEM_TABLE_RUNTIME);
        if (kmap_lookup(root, runtime, &level)) {
            uint64_t reset = *(const uint64_t *)(runtime + RUNTIME_RESET_SYSTEM);
            efi_in_call = true;
            efi_call(reset, reset_type, 0, 0, 0);
            efi_in_call = false;
        }
    }
    write_cr3(old_root);
    arch_irq_restore(irq);
}
