/* SPDX-License-Identifier: MIT */
/*
 * The firmware's memory map, read: which physical memory is RAM, and which of it is free when the
 * kernel starts. Descriptors may come in any order, split, of no length, or overlapping; the
 * functions here give them ordered and joined. The map stays where the loader put it.
 */
#ifndef MM_RAM_H
#define MM_RAM_H

#include "base/types.h"
#include "boot_info.h"

/* The descriptor that follows in the map, the first one after NULL; NULL at the end. */
const struct boot_memory *boot_memory_next(const struct boot_info *info,
                                           const struct boot_memory *memory);

/* Sets of descriptor types. */
#define RAM_FREE /* the firmware is done with it */                         \
    (1u << BOOT_MEMORY_CONVENTIONAL | 1u << BOOT_MEMORY_LOADER_CODE         \
     | 1u << BOOT_MEMORY_LOADER_DATA | 1u << BOOT_MEMORY_BOOT_SERVICES_CODE \
     | 1u << BOOT_MEMORY_BOOT_SERVICES_DATA)
#define RAM_TABLES /* holds ACPI's tables */ \
    (1u << BOOT_MEMORY_ACPI_RECLAIM | 1u << BOOT_MEMORY_ACPI_NVS)

/* Physical addresses [start, end). */
struct ram_run {
    uint64_t start, end;
};

/*
 * The lowest RAM of these types that ends above from, as far as it reaches without a gap; false
 * when there is none. It starts at from or above. RAM beyond RAM_LIMIT is left alone: the direct
 * map ends there.
 */
#define RAM_LIMIT (8ull << 40)
bool ram_next(const struct boot_info *info, uint32_t types, uint64_t from, struct ram_run *run);

/*
 * The same for RAM that is free for use: whole pages above the first MiB (which stays the
 * firmware's and the trampoline's), without the kernel image, what the loader hands over, and what
 * ram_take() took.
 */
bool ram_free_next(const struct boot_info *info, uint64_t from, struct ram_run *run);

/* Take bytes of free RAM that the early map reaches, for good, before there is an allocator. 0
 * when there is no such place. Once. */
uint64_t ram_take(const struct boot_info *info, uint64_t bytes);

#endif
