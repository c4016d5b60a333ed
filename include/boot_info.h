/* SPDX-License-Identifier: MIT */
/*
 * The hand-over from the loader (boot/) to the kernel.
 *
 * The loader fills one struct boot_info, leaves boot services and jumps to the kernel's ELF entry
 * with RDI = its physical address, interrupts off, a 16 KiB stack and the firmware's identity
 * mapping in four levels. Every pointer here is a physical address; everything the loader allocates
 * lies below 4 GiB. The kernel image occupies its range, which begins 2 MiB aligned, with its
 * segments at their linked distances from the lowest linked address. The ranges named here, and
 * this struct itself, are the kernel's for as long as it runs: it keeps them out of its allocator.
 */
#ifndef BOOT_INFO_H
#define BOOT_INFO_H

#include <stdint.h>

#define BOOT_INFO_MAGIC   0x4152424d554e4550ull /* "PENUMBRA", little endian */
#define BOOT_INFO_VERSION 2

#define BOOT_CMDLINE_BYTES 4096 /* the longest command line, its terminating zero included */

/* EFI_MEMORY_DESCRIPTOR types, UEFI 2.10, "EFI_BOOT_SERVICES.AllocatePages()". */
enum boot_memory_type {
    BOOT_MEMORY_RESERVED = 0,
    BOOT_MEMORY_LOADER_CODE = 1,
    BOOT_MEMORY_LOADER_DATA = 2,
    BOOT_MEMORY_BOOT_SERVICES_CODE = 3,
    BOOT_MEMORY_BOOT_SERVICES_DATA = 4,
    BOOT_MEMORY_RUNTIME_CODE = 5,
    BOOT_MEMORY_RUNTIME_DATA = 6,
    BOOT_MEMORY_CONVENTIONAL = 7,
    BOOT_MEMORY_UNUSABLE = 8,
    BOOT_MEMORY_ACPI_RECLAIM = 9,
    BOOT_MEMORY_ACPI_NVS = 10,
    BOOT_MEMORY_MMIO = 11,
    BOOT_MEMORY_MMIO_PORT = 12,
    BOOT_MEMORY_PAL = 13,
    BOOT_MEMORY_PERSISTENT = 14,
};

/* One entry of the memory map; entries are descriptor_bytes apart, which may be more than this
 * struct. */
struct boot_memory {
    uint32_t type;
    uint32_t pad;
    uint64_t start; /* physical, 4 KiB aligned */
    uint64_t virtual_start;
    uint64_t page_count; /* 4 KiB pages */
    uint64_t attributes;
};

struct boot_range {
    uint64_t start;
    uint64_t bytes;
};

/* A linear framebuffer of 32 bits per pixel; base == 0 when the firmware has no GOP. */
struct boot_framebuffer {
    uint64_t base;
    uint64_t bytes;
    uint32_t width;     /* pixels */
    uint32_t height;    /* pixels */
    uint32_t stride;    /* pixels per line */
    uint32_t red_shift; /* bit position of each 8-bit channel */
    uint32_t green_shift;
    uint32_t blue_shift;
};

/* What comes before memory_map is the same in every version, so that a kernel can say on the screen
 * that the loader is of another one. */
struct boot_info {
    uint64_t magic;
    uint32_t version;
    uint32_t bytes; /* sizeof(struct boot_info) */
    uint64_t self;  /* physical address of this struct */

    struct boot_framebuffer framebuffer;

    struct boot_range memory_map;
    uint32_t descriptor_bytes;
    uint32_t descriptor_version;

    uint64_t rsdp; /* ACPI root pointer, 0 when the firmware has none */
    uint64_t efi_system_table;

    struct boot_range kernel;
    struct boot_range initrd;
    struct boot_range cmdline;        /* bytes excludes the terminating zero that is always there */
    struct boot_range efi_attributes; /* a copy of EFI_MEMORY_ATTRIBUTES_TABLE, or no bytes */
    uint64_t loader_tsc;              /* TSC when the loader started */
};

#endif
