/* SPDX-License-Identifier: MIT */
/*
 * The firmware's runtime services, of which only ResetSystem() is used. They are mapped nowhere but
 * in a page table of their own, at identity addresses, entered with interrupts off. Where the
 * firmware says which pages are code (EFI_MEMORY_ATTRIBUTES_TABLE) that table is W^X; where not,
 * runtime code is writable and executable there: the one exception to the rule. A fault inside ends
 * the call (trap.c), and the caller tries the next way.
 */
#include "arch/x86/pc/efi.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/pgtable.h"
#include "base/log.h"
#include "boot_info.h"
#include "mm/phys/frame.h"
#include "mm/phys/kmap.h"
#include "mm/phys/ram.h"

#define EFI_MEMORY_XP        (1ull << 14)
#define EFI_MEMORY_RO        (1ull << 17)
#define SYSTEM_TABLE_RUNTIME 88 /* byte offsets, UEFI 2.10 */
#define RUNTIME_RESET_SYSTEM 104

static uint64_t system_table; /* [I] */
/* [I] Made at start: at the end other CPUs may have been stopped while they held any lock. NULL:
 * there is none. */
static struct frame *runtime_root;

uint64_t efi_saved_rsp;
static volatile bool in_call;

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

/* UEFI 2.10, "EFI_MEMORY_ATTRIBUTES_TABLE": memory descriptors behind a header. */
struct attributes {
    uint32_t version, count, descriptor_bytes, reserved;
    char descriptors[];
};

/* The loader's copy of it; NULL when there is none, or its sizes make no sense. */
static const struct attributes *attributes_find(const struct boot_info *info)
{
    uint64_t bytes = info->efi_attributes.bytes;
    const struct attributes *table = arch_phys_to_virt(paddr(info->efi_attributes.start));
    if (bytes < sizeof(*table) || table->descriptor_bytes < sizeof(struct boot_memory)
        || (uint64_t)table->count * table->descriptor_bytes > bytes - sizeof(*table))
        return NULL;
    return table;
}

/* What the table says about one page: false when it says nothing. */
static bool attributes_prot(const struct attributes *table, uint64_t pa, pgprot_t *prot)
{
    for (uint32_t i = 0; table && i < table->count; i++) {
        const struct boot_memory *memory = (const void *)(table->descriptors
                                                          + (uint64_t)i * table->descriptor_bytes);
        if (pa < memory->start || (pa - memory->start) / PAGE_SIZE >= memory->page_count)
            continue;
        *prot = memory->attributes & EFI_MEMORY_XP   ? PGPROT_KERNEL_RW
                : memory->attributes & EFI_MEMORY_RO ? PGPROT_KERNEL_RX
                                                     : (pgprot_t){ PTE_P | PTE_W };
        return true;
    }
    return false;
}

/* Map one descriptor's pages, and count them and those that the table knows. False when memory is
 * out. */
static bool region_map(uint64_t *root, const struct boot_memory *memory,
                       const struct attributes *table, unsigned counts[2])
{
    for (uint64_t i = 0; i < memory->page_count; i++) {
        uint64_t pa = memory->start + i * PAGE_SIZE;
        pgprot_t prot = memory->type == BOOT_MEMORY_RUNTIME_CODE ? (pgprot_t){ PTE_P | PTE_W }
                                                                 : PGPROT_KERNEL_RW;
        counts[1] += attributes_prot(table, pa, &prot);
        counts[0]++;
        if (!page_map(root, pa, prot))
            return false;
    }
    return true;
}

/* The runtime services' page table: all runtime regions, and the kernel's own half for the stack.
 * NULL when memory is out. */
static struct frame *runtime_table(const struct boot_info *info)
{
    struct frame *root = frame_alloc_zeroed(FRAME_TABLE);
    if (!root)
        return NULL;
    kmap_fill_root(frame_va(root));
    const struct attributes *table = attributes_find(info);
    const struct boot_memory *memory = NULL;
    unsigned counts[2] = { 0, 0 };
    while ((memory = boot_memory_next(info, memory))) {
        bool runtime = memory->type == BOOT_MEMORY_RUNTIME_CODE
                       || memory->type == BOOT_MEMORY_RUNTIME_DATA;
        if (runtime && !region_map(frame_va(root), memory, table, counts))
            return NULL;
    }
    log_line("efi: %u runtime pages, %u of them with the firmware's own permissions", counts[0],
             counts[1]);
    return root;
}

void efi_init(const struct boot_info *info)
{
    system_table = info->efi_system_table;
    runtime_root = system_table ? runtime_table(info) : NULL;
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
            in_call = true;
            efi_call(reset, reset_type, 0, 0, 0);
            in_call = false;
        }
    }
    write_cr3(old_root);
    arch_irq_restore(irq);
}

bool efi_fault(struct trap_frame *frame)
{
    if (!in_call)
        return false;
    in_call = false;
    frame->rip = (uint64_t)efi_escape;
    frame->rsp = efi_saved_rsp;
    return true;
}
