/* SPDX-License-Identifier: MIT */
/* What the loader's parts share. Everything is allocated as EfiLoaderData below 4 GiB. */
#ifndef BOOT_LOADER_H
#define BOOT_LOADER_H

#include <efi.h>
#include <efilib.h>

#include "boot_info.h"

#define LOADER_ADDRESS_LIMIT 0xffffffffull

/* Say "penumbra: loader: NAME: REASON" and return to the firmware after a key or 30 seconds.
 * Does not come back. */
void loader_fail(const CHAR16 *name, const CHAR16 *reason) __attribute__((noreturn));

/* pages of 4 KiB below 4 GiB; fails with a message naming `name`. */
EFI_PHYSICAL_ADDRESS loader_pages(const CHAR16 *name, UINTN pages);

/* The whole of a file on the loader's own partition, with a zero byte behind it. absent_ok:
 * bytes 0 instead of failing. */
struct boot_range file_read(EFI_HANDLE image, const CHAR16 *path, BOOLEAN absent_ok);

/* Check and place the kernel; fills info->kernel and returns the physical address of its entry. */
UINT64 kernel_load(struct boot_range file, struct boot_info *info);

/* Framebuffer, ACPI and EFI tables. */
void firmware_describe(struct boot_info *info);

/* Get the final memory map, leave boot services and jump. Nothing may be printed or allocated in
 * here. */
void handover(EFI_HANDLE image, struct boot_info *info, UINT64 entry, UINT64 stack_top)
    __attribute__((noreturn));

#endif
