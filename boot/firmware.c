/* SPDX-License-Identifier: MIT */
/* What the firmware knows about the machine: framebuffer, ACPI, runtime permissions. */
#include "loader.h"

/* Position of the lowest set bit; a channel mask of eight bits is assumed by the caller to have
 * been checked. */
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

static void framebuffer_describe(struct boot_framebuffer *fb)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
    if (EFI_ERROR(uefi_call_wrapper(BS->LocateProtocol, 3, &guid, NULL, (void **)&gop))
        || !gop->Mode)
        return;
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = gop->Mode->Info;
    if (!format_describe(mode, fb))
        return;
    fb->base = gop->Mode->FrameBufferBase;
    fb->bytes = gop->Mode->FrameBufferSize;
    fb->width = mode->HorizontalResolution;
    fb->height = mode->VerticalResolution;
    fb->stride = mode->PixelsPerScanLine;
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
        info->efi_memory_attributes = (UINT64)table;
}
