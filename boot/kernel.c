/* SPDX-License-Identifier: MIT */
/* The kernel's ELF file: checked, for nothing in it is trusted, and put into memory. */
#include <elf.h>

#include "loader.h"

#define KERNEL_NAME  L"\\penumbra\\kernel.elf"
#define TWO_MIB      0x200000ull
#define KERNEL_LIMIT (64ull << 20)

static const Elf64_Phdr *header(const struct boot_range *file, unsigned index)
{
    const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)file->start;
    return (const Elf64_Phdr *)(file->start + ehdr->e_phoff) + index;
}

/* What is wrong with the file header, or NULL. */
static const CHAR16 *header_fault(const struct boot_range *file)
{
    const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)file->start;
    if (file->bytes < sizeof(*ehdr))
        return L"truncated: shorter than an ELF header";
    if (CompareMem(ehdr->e_ident, ELFMAG, SELFMAG) != 0)
        return L"not an ELF file";
    if (ehdr->e_ident[EI_CLASS] != ELFCLASS64 || ehdr->e_ident[EI_DATA] != ELFDATA2LSB)
        return L"wrong ELF class: need 64-bit little endian";
    if (ehdr->e_machine != EM_X86_64)
        return L"made for another machine than x86-64";
    if (ehdr->e_type != ET_EXEC || ehdr->e_phentsize != sizeof(Elf64_Phdr) || ehdr->e_phnum == 0)
        return L"not an executable with program headers";
    if (ehdr->e_phoff > file->bytes
        || ehdr->e_phnum * sizeof(Elf64_Phdr) > file->bytes - ehdr->e_phoff)
        return L"truncated: program headers lie beyond its end";
    return NULL;
}

/* Check the segments and find the addresses they span. */
static const CHAR16 *segments_fault(const struct boot_range *file, UINT64 *low, UINT64 *high)
{
    const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)file->start;
    BOOLEAN entry_inside = FALSE;
    *low = ~0ull;
    *high = 0;
    for (unsigned i = 0; i < ehdr->e_phnum; i++) {
        const Elf64_Phdr *segment = header(file, i);
        if (segment->p_type != PT_LOAD)
            continue;
        if (segment->p_offset > file->bytes || segment->p_filesz > file->bytes - segment->p_offset)
            return L"truncated: a segment lies beyond its end";
        if (segment->p_filesz > segment->p_memsz
            || segment->p_vaddr + segment->p_memsz < segment->p_vaddr)
            return L"a segment's sizes make no sense";
        *low = segment->p_vaddr < *low ? segment->p_vaddr : *low;
        *high = segment->p_vaddr + segment->p_memsz > *high ? segment->p_vaddr + segment->p_memsz
                                                            : *high;
        if (ehdr->e_entry >= segment->p_vaddr
            && ehdr->e_entry - segment->p_vaddr < segment->p_filesz)
            entry_inside = TRUE;
    }
    if (*low >= *high)
        return L"has nothing to load";
    *low &= ~(TWO_MIB - 1);
    if (*high - *low > KERNEL_LIMIT)
        return L"needs more than 64 MiB";
    return entry_inside ? NULL : L"its entry point lies outside its segments";
}

/* Allocate memory aligned to 2 MiB: allocate 2 MiB more than needed, and give the rest back. */
static UINT64 aligned_pages(UINT64 bytes)
{
    UINTN pages = bytes / EFI_PAGE_SIZE, slack = TWO_MIB / EFI_PAGE_SIZE;
    UINT64 start = loader_pages(KERNEL_NAME, pages + slack);
    UINT64 base = (start + TWO_MIB - 1) & ~(TWO_MIB - 1);
    UINTN before = (base - start) / EFI_PAGE_SIZE;
    if (before)
        uefi_call_wrapper(BS->FreePages, 2, start, before);
    if (slack - before)
        uefi_call_wrapper(BS->FreePages, 2, base + bytes, slack - before);
    return base;
}

UINT64 kernel_load(struct boot_range file, struct boot_info *info)
{
    UINT64 low, high;
    const CHAR16 *fault = header_fault(&file);
    if (!fault)
        fault = segments_fault(&file, &low, &high);
    if (fault)
        loader_fail(KERNEL_NAME, fault);

    info->kernel.bytes = (high - low + TWO_MIB - 1) & ~(TWO_MIB - 1);
    info->kernel.start = aligned_pages(info->kernel.bytes);
    ZeroMem((void *)info->kernel.start, info->kernel.bytes);
    const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)file.start;
    for (unsigned i = 0; i < ehdr->e_phnum; i++) {
        const Elf64_Phdr *segment = header(&file, i);
        if (segment->p_type == PT_LOAD)
            CopyMem((void *)(info->kernel.start + (segment->p_vaddr - low)),
                    (void *)(file.start + segment->p_offset), segment->p_filesz);
    }
    return info->kernel.start + (ehdr->e_entry - low);
}
