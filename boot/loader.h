/* SPDX-License-Identifier: MIT */
/* What the loader's parts share. Everything is allocated as EfiLoaderData below 4 GiB. */
#ifndef BOOT_LOADER_H
#define BOOT_LOADER_H

#include <efi.h>
#include <efilib.h>

#include "boot_info.h"

#define LOADER_ADDRESS_LIMIT 0xffffffffull

/* loader.c: first of all. */
void loader_begin(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table);
/* Say "penumbra: loader: NAME: REASON" and return to the firmware after a key or 30 seconds.
 * Does not come back. */
void loader_fail(const CHAR16 *name, const CHAR16 *reason) __attribute__((noreturn));
/* pages of 4 KiB below 4 GiB; fails with a message naming `name`. */
EFI_PHYSICAL_ADDRESS loader_pages(const CHAR16 *name, UINTN pages);

/* file.c: the whole of a file on the loader's own partition, with a zero byte behind it.
 * absent_ok: bytes 0 instead of failing. */
struct boot_range file_read(EFI_HANDLE image, const CHAR16 *path, BOOLEAN absent_ok);

/* kernel.c: check and place the kernel; fills info->kernel and returns the physical address of its
 * entry. */
UINT64 kernel_load(struct boot_range file, struct boot_info *info);

/* firmware.c: framebuffer, ACPI and EFI tables. */
void firmware_describe(struct boot_info *info);

/* paging.c: where to jump in order to leave 5-level paging, and the root to leave it with. code is
 * 0 when the firmware does not have it on. */
struct level5_exit {
    UINT64 code, root;
};
struct level5_exit level5_prepare(void);

/* handover.c: get the final memory map, leave boot services and jump. */
void handover(EFI_HANDLE image, struct boot_info *info, UINT64 entry, UINT64 stack_top)
    __attribute__((noreturn));

#endif
