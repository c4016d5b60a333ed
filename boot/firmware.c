/* SPDX-License-Identifier: MIT */
/* What the firmware knows about the machine: framebuffer, ACPI, runtime permissions. */
#include "loader.h"

#define FRAMEBUFFER_SIDE_MAX 65536u
#define ATTRIBUTES_BYTES_MAX (1u << 20)

/* Position of a channel mask's lowest bit. */
static UINT32 mask_shift(UINT32 mask) { return mask ? (UINT32)__builtin_ctz(mask) : 0; }

/* Fill in the channel positions; FALSE for a format the console cannot draw in. */
static BOOLEAN format_describe(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode,
                               struct boot_framebuffer *fb)
{
    switch (mode->PixelFormat) {
    case PixelRedGreenBlueReserved8BitPerColor:
        fb->red_shift = 0, fb->green_shift = 8, fb->blue_shift = 16;
        return TRUE;
    case PixelBlueGreenRedReserved8BitPerColor:
        fb->red_shift = 16, fb->green_shift = 8, fb->blue_shift = 0;
        return TRUE;
    case PixelBitMask:
        fb->red_shift = mask_shift(mode->PixelInformation.RedMask);
        fb->green_shift = mask_shift(mode->PixelInformation.GreenMask);
        fb->blue_shift = mask_shift(mode->PixelInformation.BlueMask);
        return mode->PixelInformation.RedMask >> fb->red_shift == 0xff
               && mode->PixelInformation.GreenMask >> fb->green_shift == 0xff
               && mode->PixelInformation.BlueMask >> fb->blue_shift == 0xff;
    default: return FALSE;
    }
}

/* The framebuffer, if it can be drawn in and its sizes make sense. Lines that its memory does not
 * hold are left out. */
static void framebuffer_describe(struct boot_framebuffer *out)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
    if (EFI_ERROR(uefi_call_wrapper(BS->LocateProtocol, 3, &guid, NULL, (void **)&gop))
        || !gop->Mode || !gop->Mode->Info)
        return;
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = gop->Mode->Info;
    struct boot_framebuffer fb = {
        .base = gop->Mode->FrameBufferBase,
        .bytes = gop->Mode->FrameBufferSize,
        .width = mode->HorizontalResolution,
        .height = mode->VerticalResolution,
        .stride = mode->PixelsPerScanLine,
    };
    if (!format_describe(mode, &fb) || !fb.stride || fb.stride < fb.width
        || fb.stride > FRAMEBUFFER_SIDE_MAX || fb.base + fb.bytes < fb.base)
        return;
    UINT64 lines = fb.bytes / 4 / fb.stride;
    fb.height = fb.height < lines ? fb.height : (UINT32)lines;
    if (fb.height && fb.width)
        *out = fb;
}

/* A copy of the table that says which runtime pages are code: the firmware's own lies in memory
 * that the kernel will reuse. One of absurd size is left out. */
static void attributes_copy(struct boot_info *info, const void *table)
{
    const UINT32 *header = table; /* version, count, bytes of a descriptor, reserved */
    UINT64 bytes = 4 * sizeof(*header) + (UINT64)header[1] * header[2];
    if (bytes > ATTRIBUTES_BYTES_MAX)
        return;
    info->efi_attributes.start = loader_pages(L"memory attributes", EFI_SIZE_TO_PAGES(bytes));
    info->efi_attributes.bytes = bytes;
    CopyMem((void *)info->efi_attributes.start, (void *)table, bytes);
}

void firmware_describe(struct boot_info *info)
{
    EFI_GUID acpi2 = ACPI_20_TABLE_GUID, acpi1 = ACPI_TABLE_GUID;
    EFI_GUID attributes = { 0xdcfa911d,
                            0x26eb,
                            0x469f,
                            { 0xa2, 0x20, 0x38, 0xb7, 0xdc, 0x46, 0x12, 0x20 } };
    void *table;
    framebuffer_describe(&info->framebuffer);
    if (!EFI_ERROR(LibGetSystemConfigurationTable(&acpi2, &table))
        || !EFI_ERROR(LibGetSystemConfigurationTable(&acpi1, &table)))
        info->rsdp = (UINT64)table;
    if (!EFI_ERROR(LibGetSystemConfigurationTable(&attributes, &table)))
        attributes_copy(info, table);
}
