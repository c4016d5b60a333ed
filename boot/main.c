/* SPDX-License-Identifier: MIT */
/* The UEFI loader: reads kernel, initrd and command line from its own partition and hands over. */
#include "loader.h"

#define KERNEL_PATH  L"\\penumbra\\kernel.elf"
#define INITRD_PATH  L"\\penumbra\\initrd.cpio"
#define CMDLINE_PATH L"\\penumbra\\cmdline.txt"
#define STACK_PAGES  4
#define CR4_LA57     (1ull << 12)

static EFI_HANDLE image_handle;

static UINT64 read_tsc(void)
{
    UINT32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (UINT64)high << 32 | low;
}

static UINT64 read_cr4(void)
{
    UINT64 value;
    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

/* Wait for a key, or 30 seconds; firmware without a keyboard just waits. */
static void wait_for_reader(void)
{
    EFI_EVENT events[2];
    UINTN count = 1, index;
    if (EFI_ERROR(uefi_call_wrapper(BS->CreateEvent, 5, EVT_TIMER, 0, NULL, NULL, &events[0])))
        return;
    uefi_call_wrapper(BS->SetTimer, 3, events[0], TimerRelative, 300000000ull);
    if (ST->ConIn)
        events[count++] = ST->ConIn->WaitForKey;
    uefi_call_wrapper(BS->WaitForEvent, 3, count, events, &index);
}

void loader_fail(const CHAR16 *name, const CHAR16 *reason)
{
    Print(L"\r\npenumbra: loader: %s: %s\r\n", name, reason);
    Print(L"A key, or 30 seconds, lead back to the firmware.\r\n");
    wait_for_reader();
    uefi_call_wrapper(BS->Exit, 4, image_handle, EFI_LOAD_ERROR, 0, NULL);
    for (;;) {}
}

EFI_PHYSICAL_ADDRESS loader_pages(const CHAR16 *name, UINTN pages)
{
    EFI_PHYSICAL_ADDRESS address = LOADER_ADDRESS_LIMIT;
    EFI_STATUS status = uefi_call_wrapper(BS->AllocatePages, 4, AllocateMaxAddress, EfiLoaderData,
                                          pages, &address);
    if (EFI_ERROR(status))
        loader_fail(name, L"not enough memory below 4 GiB");
    return address;
}

/* The one line, without what ends it. */
static struct boot_range cmdline_trim(struct boot_range text)
{
    const CHAR8 *bytes = (const CHAR8 *)text.start;
    UINT64 len = 0;
    while (len < text.bytes && bytes[len] != '\n' && bytes[len] != '\r')
        len++;
    while (len > 0 && (bytes[len - 1] == ' ' || bytes[len - 1] == '\t'))
        len--;
    ((CHAR8 *)text.start)[len] = 0;
    text.bytes = len;
    return text;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
    UINT64 started = read_tsc();
    image_handle = image;
    InitializeLib(image, system_table);
    uefi_call_wrapper(BS->SetWatchdogTimer, 4, 0, 0, 0, NULL);
    if (read_cr4() & CR4_LA57)
        loader_fail(L"firmware", L"5-level paging is already on; this kernel uses 4 levels");

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
    info->cmdline = cmdline_trim(file_read(image, CMDLINE_PATH, TRUE));
    firmware_describe(info);
    EFI_PHYSICAL_ADDRESS stack = loader_pages(L"stack", STACK_PAGES);
    handover(image, info, entry, stack + STACK_PAGES * EFI_PAGE_SIZE);
}
