/* SPDX-License-Identifier: MIT */
/* What every part of the loader needs: memory, and a way out that says why. */
#include "loader.h"

static EFI_HANDLE image_handle;

void loader_begin(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
    image_handle = image;
    InitializeLib(image, system_table);
    uefi_call_wrapper(BS->SetWatchdogTimer, 4, 0, 0, 0, NULL);
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
    Print(L"Press a key, or wait 30 seconds, to return to the firmware.\r\n");
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
        loader_fail(name, L"not enough free memory below 4 GiB");
    return address;
}
