/* SPDX-License-Identifier: MIT */
/* The UEFI loader: reads kernel, initrd and command line from its own partition and hands over. */
#include "cmdline.h"
#include "loader.h"

#define KERNEL_PATH  L"\\penumbra\\kernel.elf"
#define INITRD_PATH  L"\\penumbra\\initrd.cpio"
#define CMDLINE_PATH L"\\penumbra\\cmdline.txt"
#define STACK_PAGES  4

static UINT64 read_tsc(void)
{
    UINT32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (UINT64)high << 32 | low;
}

static struct boot_range cmdline_read(EFI_HANDLE image)
{
    struct boot_range text = file_read(image, CMDLINE_PATH, TRUE);
    INT64 bytes = cmdline_clean((char *)text.start, text.bytes);
    if (bytes < 0)
        loader_fail(CMDLINE_PATH, L"is not text: save it as ASCII or UTF-8");
    if (bytes >= BOOT_CMDLINE_BYTES)
        loader_fail(CMDLINE_PATH, L"is longer than 4095 characters");
    text.bytes = (UINT64)bytes;
    return text;
}

static UINT32 cpuid_edx(UINT32 leaf)
{
    UINT32 a = leaf & 0x80000000u, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (a < leaf)
        return 0;
    a = leaf;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return d;
}

/* What the kernel cannot do without, told while there still is a firmware to go back to. */
static void cpu_check(void)
{
    if (!(cpuid_edx(0x80000001u) & 1u << 20))
        loader_fail(L"this CPU",
                    L"has no NX (no-execute pages), or the firmware's set-up hides it");
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
    UINT64 started = read_tsc();
    loader_begin(image, system_table);
    cpu_check();

    struct boot_info *info = (struct boot_info *)loader_pages(L"boot information", 1);
    ZeroMem(info, EFI_PAGE_SIZE);
    info->magic = BOOT_INFO_MAGIC;
    info->version = BOOT_INFO_VERSION;
    info->bytes = sizeof(*info);
    info->self = (UINT64)info;
    info->loader_tsc = started;
    info->efi_system_table = (UINT64)system_table;

    struct boot_range kernel_file = file_read(image, KERNEL_PATH, FALSE);
    UINT64 entry = kernel_load(kernel_file, info);
    uefi_call_wrapper(BS->FreePages, 2, kernel_file.start,
                      EFI_SIZE_TO_PAGES(kernel_file.bytes + 1));
    info->initrd = file_read(image, INITRD_PATH, FALSE);
    info->cmdline = cmdline_read(image);
    firmware_describe(info);
    EFI_PHYSICAL_ADDRESS stack = loader_pages(L"stack", STACK_PAGES);
    handover(image, info, entry, stack + STACK_PAGES * EFI_PAGE_SIZE);
}
