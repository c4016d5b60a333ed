/* SPDX-License-Identifier: MIT */
/*
 * Out of 5-level paging, which some firmware has on. CR4.LA57 changes only while paging is off, and
 * paging goes off only outside 64-bit mode (Intel SDM vol. 3, "Paging Mode Enabling"). So code
 * below 4 GiB goes to 32-bit mode, switches paging off, clears LA57, switches paging on again with
 * a root of four levels, and goes back to 64-bit mode.
 */
#include "loader.h"

#define CR4_LA57     (1ull << 12)
#define ADDRESS_MASK 0x000ffffffffff000ull
#define NAME         L"5-level paging"

/*
 * To be copied to memory below 4 GiB. In: rdi info, rsi entry, rdx stack top, rcx root, all below
 * 4 GiB, for the upper halves of registers do not outlive 32-bit mode; interrupts off. Ends at the
 * entry with rdi, rsp and rbp as jump() in handover.c sets them.
 */
extern const char level5_start[], level5_end[];
__asm__(".pushsection .text\n"
        "level5_start:\n"
        "       mov     %rdx, %rsp\n"
        "       lea     level5_gdt(%rip), %rax\n"
        "       mov     %rax, level5_gdtr + 2(%rip)\n"
        "       lgdt    level5_gdtr(%rip)\n"
        "       mov     $0x18, %eax\n"
        "       mov     %eax, %ss\n"
        "       mov     %eax, %ds\n"
        "       mov     %cr4, %rax\n"
        "       and     $~0x20000, %rax\n" /* with PCIDE set, paging cannot go off */
        "       mov     %rax, %cr4\n"
        "       lea     level5_64(%rip), %rbp\n"
        "       lea     level5_32(%rip), %rax\n"
        "       push    $0x08\n"
        "       push    %rax\n"
        "       lretq\n"
        ".code32\n"
        "level5_32:\n"
        "       mov     %cr0, %eax\n"
        "       and     $0x7fffffff, %eax\n"
        "       mov     %eax, %cr0\n"
        "       mov     %cr4, %ebx\n"
        "       and     $~0x1000, %ebx\n"
        "       mov     %ebx, %cr4\n"
        "       mov     %ecx, %cr3\n"
        "       or      $0x80000000, %eax\n"
        "       mov     %eax, %cr0\n"
        "       push    $0x10\n"
        "       push    %ebp\n"
        "       lret\n"
        ".code64\n"
        "level5_64:\n"
        "       mov     %edi, %edi\n"
        "       mov     %esi, %esi\n"
        "       mov     %edx, %esp\n"
        "       xor     %ebp, %ebp\n"
        "       jmp     *%rsi\n"
        ".balign 8\n"
        "level5_gdt:\n"
        "       .quad   0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff\n"
        "level5_gdtr:\n"
        "       .word   31\n"
        "       .quad   0\n"
        "level5_end:\n"
        ".popsection\n");

struct level5_exit level5_prepare(void)
{
    UINT64 cr4, cr3;
    __asm__ volatile("mov %%cr4, %0; mov %%cr3, %1" : "=r"(cr4), "=r"(cr3));
    if (!(cr4 & CR4_LA57))
        return (struct level5_exit){ 0, 0 };
    /* the lower half of what five levels map is what entry 0 of their root leads to */
    const UINT64 *root = (const UINT64 *)(cr3 & ADDRESS_MASK);
    struct level5_exit way = { loader_pages(NAME, 1), loader_pages(NAME, 1) };
    CopyMem((void *)way.code, (void *)level5_start, (UINTN)(level5_end - level5_start));
    CopyMem((void *)way.root, (void *)(root[0] & ADDRESS_MASK), EFI_PAGE_SIZE);
    Print(L"penumbra: loader: starting with 5-level paging, which the firmware has on: leaving "
          L"it\r\n");
    return way;
}
