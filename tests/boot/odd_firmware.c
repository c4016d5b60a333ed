/* SPDX-License-Identifier: MIT */
/*
 * A UEFI application that makes the firmware odd, and then starts the real loader,
 * \EFI\BOOT\REAL.EFI. The file \odd.txt says what is odd, in words NAME=NUMBER:
 *
 *   stale=N      the first N calls of ExitBootServices find the map's key stale
 *   grow=N       the memory map has N more descriptors each time it is read
 *   split=N      N pages of free memory have a descriptor each, of alternating types
 *   step=N       descriptors are N bytes apart
 *   reverse=1    the map runs from high addresses to low ones
 *   empty=1      a descriptor of no pages follows each one
 *   twice=N      N pages of free memory are listed twice
 *   low=0        no memory is free below 1 MiB;  free=0  no memory is free at all
 *   version=N    the loader's boot information claims version N; 0 removes its magic number
 *   format=N     framebuffer: 1 cannot be drawn into, 2 red comes first, 3 8 bits per colour in
 *                unusual places, 4 16 bits per pixel
 *   width=N height=N stride=N      of the framebuffer, in pixels
 *   room=N       the framebuffer's memory is N bytes long
 *   screen=0     the framebuffer has no address;  screen=1  it has no mode
 *   attributes=N 0: no memory-attributes table; 1: a table of absurd size
 *   rsdp=0       the RSDP's checksum is wrong;  pmtimer=0  the FADT names no PM timer
 *   level5=1     5-level paging is on
 */
#include <efi.h>
#include <efilib.h>

#include "boot_info.h"

#define MAP_MAX     8192 /* descriptors */
#define TEXT_BYTES  512
#define ONE_MIB     0x100000ull
#define FADT_TIMER  76
#define REAL_LOADER L"\\EFI\\BOOT\\REAL.EFI"
#define SAME        0xffff

static CHAR8 text[TEXT_BYTES];
static EFI_STATUS(EFIAPI *real_map)(UINTN *, EFI_MEMORY_DESCRIPTOR *, UINTN *, UINTN *, UINT32 *);
static EFI_STATUS(EFIAPI *real_exit)(EFI_HANDLE, UINTN);
static UINTN maps_read, exits_tried;

/* The number in the word NAME=NUMBER, or other when there is no such word. */
static UINTN odd(const char *name, UINTN other)
{
    UINTN len = 0;
    while (name[len])
        len++;
    for (CHAR8 *at = text; *at; at++) {
        BOOLEAN begins = at == text || at[-1] <= ' ';
        if (!begins || CompareMem(at, (void *)name, len) != 0 || at[len] != '=')
            continue;
        UINTN value = 0;
        for (at += len + 1; *at >= '0' && *at <= '9'; at++)
            value = value * 10 + (*at - '0');
        return value;
    }
    return other;
}

/* ---- The memory map ----------------------------------------------------- */

static EFI_MEMORY_DESCRIPTOR map[MAP_MAX];
static UINTN map_count;

static void map_add(EFI_MEMORY_DESCRIPTOR memory)
{
    if (map_count < MAP_MAX)
        map[map_count++] = memory;
}

static BOOLEAN is_free(const EFI_MEMORY_DESCRIPTOR *memory)
{
    return memory->Type == EfiConventionalMemory && memory->PhysicalStart >= ONE_MIB;
}

/* Add one of the firmware's descriptors, made as odd as asked. */
static void map_add_odd(EFI_MEMORY_DESCRIPTOR memory, UINTN *splits, UINTN *twice)
{
    BOOLEAN free = memory.Type == EfiConventionalMemory || memory.Type == EfiBootServicesCode
                   || memory.Type == EfiBootServicesData;
    if (!odd("free", 1) && free)
        memory.Type = EfiReservedMemoryType;
    if (!odd("low", 1) && memory.Type == EfiConventionalMemory && memory.PhysicalStart < ONE_MIB)
        memory.Type = EfiReservedMemoryType;
    for (; *splits && is_free(&memory) && memory.NumberOfPages > 1; --*splits) {
        EFI_MEMORY_DESCRIPTOR page = memory;
        page.NumberOfPages = 1;
        page.Type = *splits & 1 ? EfiBootServicesData : EfiConventionalMemory;
        map_add(page);
        memory.PhysicalStart += EFI_PAGE_SIZE;
        memory.NumberOfPages--;
    }
    map_add(memory);
    if (odd("empty", 0)) {
        EFI_MEMORY_DESCRIPTOR nothing = memory;
        nothing.NumberOfPages = 0;
        map_add(nothing);
    }
    for (UINTN i = 0; *twice && is_free(&memory) && i < memory.NumberOfPages; i++, --*twice) {
        EFI_MEMORY_DESCRIPTOR page = memory;
        page.PhysicalStart += i * EFI_PAGE_SIZE;
        page.NumberOfPages = 1;
        map_add(page);
    }
}

static void map_reverse(void)
{
    for (UINTN i = 0; i < map_count / 2; i++) {
        EFI_MEMORY_DESCRIPTOR swapped = map[i];
        map[i] = map[map_count - 1 - i];
        map[map_count - 1 - i] = swapped;
    }
}

static EFI_STATUS EFIAPI odd_map(UINTN *bytes, EFI_MEMORY_DESCRIPTOR *out, UINTN *key, UINTN *step,
                                 UINT32 *version)
{
    static UINT8 raw[1 << 17];
    UINTN raw_bytes = sizeof(raw), raw_step;
    EFI_STATUS status = real_map(&raw_bytes, (void *)raw, key, &raw_step, version);
    if (EFI_ERROR(status))
        return status;
    UINTN splits = odd("split", 0) + odd("grow", 0) * maps_read++, twice = odd("twice", 0);
    map_count = 0;
    for (UINTN at = 0; at < raw_bytes; at += raw_step)
        map_add_odd(*(EFI_MEMORY_DESCRIPTOR *)(raw + at), &splits, &twice);
    if (odd("reverse", 0))
        map_reverse();
    *step = odd("step", raw_step);
    UINTN wanted = map_count * *step, room = *bytes;
    *bytes = wanted;
    if (room < wanted)
        return EFI_BUFFER_TOO_SMALL;
    SetMem(out, wanted, 0xcc);
    for (UINTN i = 0; i < map_count; i++)
        *(EFI_MEMORY_DESCRIPTOR *)((UINT8 *)out + i * *step) = map[i];
    return EFI_SUCCESS;
}

/* Find the loader's boot information, at the start of a page of its memory, and change it. */
static void boot_info_change(UINT32 version)
{
    for (UINTN i = 0; i < map_count; i++) {
        UINT8 *at = (UINT8 *)map[i].PhysicalStart;
        for (UINTN left = map[i].Type == EfiLoaderData ? map[i].NumberOfPages : 0; left; left--) {
            struct boot_info *info = (struct boot_info *)at;
            at += EFI_PAGE_SIZE;
            if (info->magic != BOOT_INFO_MAGIC || info->self != (UINT64)info)
                continue;
            info->version = version;
            info->magic = version ? info->magic : 0;
        }
    }
}

static EFI_STATUS EFIAPI odd_exit(EFI_HANDLE image, UINTN key)
{
    if (exits_tried++ < odd("stale", 0))
        return EFI_INVALID_PARAMETER;
    if (odd("version", SAME) != SAME)
        boot_info_change((UINT32)odd("version", SAME));
    return real_exit(image, key);
}

/* ---- Tables and screen -------------------------------------------------- */

static void screen_change(void)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
    if (EFI_ERROR(uefi_call_wrapper(BS->LocateProtocol, 3, &guid, NULL, (void **)&gop)))
        return;
    EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = gop->Mode->Info;
    static const EFI_GRAPHICS_PIXEL_FORMAT formats[] = {
        PixelBlueGreenRedReserved8BitPerColor,
        PixelBltOnly,
        PixelRedGreenBlueReserved8BitPerColor,
        PixelBitMask,
        PixelBitMask,
    };
    UINTN format = odd("format", 0);
    mode->PixelFormat = formats[format];
    if (format == 3)
        mode->PixelInformation = (EFI_PIXEL_BITMASK){ 0xff00, 0xff0000, 0xff000000, 0xff };
    if (format == 4)
        mode->PixelInformation = (EFI_PIXEL_BITMASK){ 0xf800, 0x7e0, 0x1f, 0 };
    mode->HorizontalResolution = (UINT32)odd("width", mode->HorizontalResolution);
    mode->VerticalResolution = (UINT32)odd("height", mode->VerticalResolution);
    mode->PixelsPerScanLine = (UINT32)odd("stride", mode->PixelsPerScanLine);
    gop->Mode->FrameBufferSize = odd("room", gop->Mode->FrameBufferSize);
    if (odd("screen", 9) == 0)
        gop->Mode->FrameBufferBase = 0;
    if (odd("screen", 9) == 1)
        gop->Mode->Info = NULL;
}

static void attributes_change(void)
{
    EFI_GUID guid = { 0xdcfa911d,
                      0x26eb,
                      0x469f,
                      { 0xa2, 0x20, 0x38, 0xb7, 0xdc, 0x46, 0x12, 0x20 } };
    UINT32 *table;
    if (odd("attributes", 9) == 0)
        uefi_call_wrapper(BS->InstallConfigurationTable, 2, &guid, NULL);
    else if (odd("attributes", 9) == 1
             && !EFI_ERROR(LibGetSystemConfigurationTable(&guid, (void **)&table)))
        table[1] = 0x7fffffff;
}

/* Zero the FADT's PM timer block. The XSDT leads to the FADT. */
static void pm_timer_remove(const UINT8 *rsdp)
{
    UINT8 *xsdt = *(UINT8 *const *)(rsdp + 24);
    UINT32 bytes = *(UINT32 *)(xsdt + 4);
    for (UINT32 at = 36; at + 8 <= bytes; at += 8) {
        UINT8 *table;
        CopyMem(&table, xsdt + at, sizeof(table));
        if (CompareMem(table, "FACP", 4) != 0)
            continue;
        for (UINTN i = 0; i < 4; i++) {
            table[9] += table[FADT_TIMER + i]; /* the checksum stays right */
            table[FADT_TIMER + i] = 0;
        }
    }
}

static void acpi_change(void)
{
    EFI_GUID guid = ACPI_20_TABLE_GUID;
    UINT8 *rsdp;
    if (EFI_ERROR(LibGetSystemConfigurationTable(&guid, (void **)&rsdp)))
        return;
    if (!odd("pmtimer", 1))
        pm_timer_remove(rsdp);
    if (!odd("rsdp", 1))
        rsdp[8] ^= 1;
}

/* ---- 5-level paging ----------------------------------------------------- */

/* Switch LA57 on with this root, through 32-bit mode. This program, its stack and root lie below
 * 4 GiB. */
void level5_enter(UINT64 root);
__asm__(".pushsection .text\n"
        "level5_enter:\n"
        "       push    %rbx\n"
        "       push    %rbp\n"
        "       push    %r12\n"
        "       push    %r13\n"
        "       push    %r14\n"
        "       push    %r15\n"
        "       pushfq\n"
        "       cli\n"
        "       mov     %cs, %eax\n"
        "       push    %rax\n"
        "       sub     $16, %rsp\n"
        "       sgdt    (%rsp)\n"
        "       mov     %ds, %ecx\n"
        "       mov     %ss, %edx\n"
        "       lea     level5_gdt(%rip), %rax\n"
        "       mov     %rax, level5_gdtr + 2(%rip)\n"
        "       lgdt    level5_gdtr(%rip)\n"
        "       mov     $0x18, %eax\n"
        "       mov     %eax, %ss\n"
        "       mov     %eax, %ds\n"
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
        "       or      $0x1000, %ebx\n"
        "       mov     %ebx, %cr4\n"
        "       mov     %edi, %cr3\n"
        "       or      $0x80000000, %eax\n"
        "       mov     %eax, %cr0\n"
        "       push    $0x10\n"
        "       push    %ebp\n"
        "       lret\n"
        ".code64\n"
        "level5_64:\n"
        "       lgdt    (%rsp)\n"
        "       add     $16, %rsp\n"
        "       lea     level5_back(%rip), %rax\n"
        "       push    %rax\n"
        "       lretq\n"
        "level5_back:\n"
        "       mov     %ecx, %ds\n"
        "       mov     %edx, %ss\n"
        "       popfq\n"
        "       pop     %r15\n"
        "       pop     %r14\n"
        "       pop     %r13\n"
        "       pop     %r12\n"
        "       pop     %rbp\n"
        "       pop     %rbx\n"
        "       ret\n"
        ".balign 8\n"
        "level5_gdt:\n"
        "       .quad   0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff\n"
        "level5_gdtr:\n"
        "       .word   31\n"
        "       .quad   0\n"
        ".popsection\n");

static void level5_on(void)
{
    UINT64 cr3, cr4;
    EFI_PHYSICAL_ADDRESS root = 0xffffffffull;
    if (EFI_ERROR(uefi_call_wrapper(BS->AllocatePages, 4, AllocateMaxAddress, EfiBootServicesData,
                                    1, &root)))
        return;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    ZeroMem((void *)root, EFI_PAGE_SIZE);
    *(UINT64 *)root = (cr3 & ~0xfffull) | 3;
    level5_enter(root);
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    Print(L"odd firmware: 5-level paging is %s\r\n", cr4 & 0x1000 ? L"on" : L"off");
}

/* ---- All of it ---------------------------------------------------------- */

static void text_read(EFI_HANDLE device)
{
    EFI_FILE_HANDLE root = LibOpenRoot(device), file;
    UINTN bytes = sizeof(text) - 1;
    if (!EFI_ERROR(
            uefi_call_wrapper(root->Open, 5, root, &file, L"\\odd.txt", EFI_FILE_MODE_READ, 0ull)))
        uefi_call_wrapper(file->Read, 3, file, &bytes, text);
    Print(L"odd firmware: %a\r\n", text);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
    EFI_LOADED_IMAGE *loaded;
    EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
    EFI_HANDLE loader;
    InitializeLib(image, system_table);
    uefi_call_wrapper(BS->HandleProtocol, 3, image, &guid, (void **)&loaded);
    text_read(loaded->DeviceHandle);
    screen_change();
    attributes_change();
    acpi_change();
    if (odd("level5", 0))
        level5_on();
    real_map = (void *)BS->GetMemoryMap;
    real_exit = (void *)BS->ExitBootServices;
    BS->GetMemoryMap = (void *)odd_map;
    BS->ExitBootServices = (void *)odd_exit;

    EFI_DEVICE_PATH *path = FileDevicePath(loaded->DeviceHandle, REAL_LOADER);
    EFI_STATUS status = uefi_call_wrapper(BS->LoadImage, 6, FALSE, image, path, NULL, 0, &loader);
    if (!EFI_ERROR(status))
        status = uefi_call_wrapper(BS->StartImage, 3, loader, NULL, NULL);
    Print(L"odd firmware: the loader came back: %r\r\n", status);
    return status;
}
