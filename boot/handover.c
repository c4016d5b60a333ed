/* SPDX-License-Identifier: MIT */
/* The last steps inside the firmware. The first ExitBootServices may already stop it: no
 * printing, no allocation. */
#include "loader.h"

#define MAP_SLACK_DESCRIPTORS 64
#define EXIT_TRIES            8

static void jump(struct boot_info *info, UINT64 entry, UINT64 stack_top)
{
    __asm__ volatile("cli\n\t"
                     "cld\n\t"
                     "mov %[stack], %%rsp\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "jmp *%[entry]"
                     :
                     : [stack] "r"(stack_top), [entry] "r"(entry), "D"(info)
                     : "memory");
    __builtin_unreachable();
}

void handover(EFI_HANDLE image, struct boot_info *info, UINT64 entry, UINT64 stack_top)
{
    UINTN bytes = 0, key, descriptor_bytes;
    UINT32 version;
    uefi_call_wrapper(BS->GetMemoryMap, 5, &bytes, NULL, &key, &descriptor_bytes, &version);
    UINTN room = bytes + MAP_SLACK_DESCRIPTORS * descriptor_bytes;
    info->memory_map.start = loader_pages(L"memory map", EFI_SIZE_TO_PAGES(room));
    Print(L"penumbra: loader: starting the kernel\r\n");

    for (int i = 0; i < EXIT_TRIES; i++) {
        bytes = room;
        EFI_STATUS status = uefi_call_wrapper(BS->GetMemoryMap, 5, &bytes,
                                              (void *)info->memory_map.start, &key,
                                              &descriptor_bytes, &version);
        if (EFI_ERROR(status))
            break;
        info->memory_map.bytes = bytes;
        info->descriptor_bytes = (UINT32)descriptor_bytes;
        info->descriptor_version = version;
        if (!EFI_ERROR(uefi_call_wrapper(BS->ExitBootServices, 2, image, key)))
            jump(info, entry, stack_top);
    }
    loader_fail(L"firmware", L"does not let go of the machine: the memory map keeps changing");
}
