/* SPDX-License-Identifier: MIT */
/* The last steps inside the firmware. The first call of ExitBootServices may stop parts of it, so
 * nothing is printed or allocated from then on. */
#include "loader.h"

#define MAP_SLACK_DESCRIPTORS 64
#define EXIT_TRIES            8

/* Each operand has a register of its own, so that none is overwritten before it is used. */
static void jump(struct boot_info *info, UINT64 entry, UINT64 stack_top, struct level5_exit level5)
{
    if (level5.code)
        __asm__ volatile("cli\n\t"
                         "cld\n\t"
                         "jmp *%%rax"
                         :
                         : "a"(level5.code), "c"(level5.root), "D"(info), "S"(entry), "d"(stack_top)
                         : "memory");
    else
        __asm__ volatile("cli\n\t"
                         "cld\n\t"
                         "mov %%rdx, %%rsp\n\t"
                         "xor %%ebp, %%ebp\n\t"
                         "jmp *%%rsi"
                         :
                         : "D"(info), "S"(entry), "d"(stack_top)
                         : "memory");
    __builtin_unreachable();
}

/* Read the memory map into its buffer of room bytes. */
static EFI_STATUS map_read(struct boot_info *info, UINTN room, UINTN *key)
{
    UINTN bytes = room, descriptor_bytes;
    UINT32 version;
    EFI_STATUS status = uefi_call_wrapper(BS->GetMemoryMap, 5, &bytes,
                                          (void *)info->memory_map.start, key, &descriptor_bytes,
                                          &version);
    info->memory_map.bytes = bytes;
    info->descriptor_bytes = (UINT32)descriptor_bytes;
    info->descriptor_version = version;
    return status;
}

/* A buffer for the map as it is now, and as much again, for it may grow until it is read. */
static UINTN map_make_room(struct boot_info *info)
{
    UINTN bytes = 0, key, descriptor_bytes;
    UINT32 version;
    uefi_call_wrapper(BS->GetMemoryMap, 5, &bytes, NULL, &key, &descriptor_bytes, &version);
    UINTN room = 2 * bytes + MAP_SLACK_DESCRIPTORS * descriptor_bytes;
    info->memory_map.start = loader_pages(L"memory map", EFI_SIZE_TO_PAGES(room));
    return room;
}

void handover(EFI_HANDLE image, struct boot_info *info, UINT64 entry, UINT64 stack_top)
{
    UINTN key;
    struct level5_exit level5 = level5_prepare();
    UINTN room = map_make_room(info);
    Print(L"penumbra: loader: starting the kernel\r\n");
    for (int i = 0; i < EXIT_TRIES; i++) {
        if (EFI_ERROR(map_read(info, room, &key)))
            break;
        if (!EFI_ERROR(uefi_call_wrapper(BS->ExitBootServices, 2, image, key)))
            jump(info, entry, stack_top, level5);
    }
    loader_fail(L"firmware", L"does not let go of the machine: the memory map keeps changing");
}
