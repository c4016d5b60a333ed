/* SPDX-License-Identifier: MIT */
#include "mm/phys/ram.h"

#include "arch/x86/arch.h"

#define LOW_BYTES 0x100000ull

static struct boot_range taken; /* by ram_take() */

const struct boot_memory *boot_memory_next(const struct boot_info *info,
                                           const struct boot_memory *memory)
{
    const char *map = arch_phys_to_virt(paddr(info->memory_map.start));
    const char *next = memory ? (const char *)memory + info->descriptor_bytes : map;
    bool inside = next + info->descriptor_bytes <= map + info->memory_map.bytes;
    return inside ? (const void *)next : NULL;
}

/* Where this descriptor's memory ends: its start when it is not of these types. */
static uint64_t end_of(const struct boot_memory *memory, uint32_t types)
{
    bool wanted = memory->type < 32 && types & 1u << memory->type;
    uint64_t end = min_u64(memory->start + memory->page_count * PAGE_SIZE, RAM_LIMIT);
    return wanted ? max_u64(end, memory->start) : memory->start;
}

/* Extend run by a descriptor that touches its end. False when there is none. */
static bool run_extend(const struct boot_info *info, uint32_t types, struct ram_run *run)
{
    uint64_t before = run->end;
    const struct boot_memory *memory = NULL;
    while ((memory = boot_memory_next(info, memory))) {
        if (memory->start <= run->end)
            run->end = max_u64(run->end, end_of(memory, types));
    }
    return run->end > before;
}

bool ram_next(const struct boot_info *info, uint32_t types, uint64_t from, struct ram_run *run)
{
    *run = (struct ram_run){ RAM_LIMIT, RAM_LIMIT };
    const struct boot_memory *memory = NULL;
    while ((memory = boot_memory_next(info, memory))) {
        uint64_t start = max_u64(memory->start, from), end = end_of(memory, types);
        if (start < end && start < run->start)
            *run = (struct ram_run){ start, end };
    }
    while (run_extend(info, types, run)) {}
    return run->start < run->end;
}

/* ---- Free RAM ----------------------------------------------------------- */

/* Keep run clear of one range: cut off what lies behind the range's start, or, when run starts
 * inside of it, everything up to its end. */
static void run_avoid(struct ram_run *run, const struct boot_range *keep)
{
    uint64_t start = align_down(keep->start, PAGE_SIZE),
             end = align_up(keep->start + keep->bytes, PAGE_SIZE);
    if (run->start >= start && run->start < end)
        run->start = end;
    else if (run->start < start)
        run->end = min_u64(run->end, start);
}

bool ram_free_next(const struct boot_info *info, uint64_t from, struct ram_run *run)
{
    const struct boot_range self = { info->self, info->bytes };
    const struct boot_range *keep[] = { &self,         &info->memory_map, &info->kernel,
                                        &info->initrd, &info->cmdline,    &info->efi_attributes,
                                        &taken };
    from = align_up(min_u64(max_u64(from, LOW_BYTES), RAM_LIMIT), PAGE_SIZE);
    while (ram_next(info, RAM_FREE, from, run)) {
        run->start = align_up(run->start, PAGE_SIZE);
        run->end = align_down(run->end, PAGE_SIZE);
        uint64_t start = run->start;
        for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
            run_avoid(run, keep[i]);
        if (run->start == start && start < run->end)
            return true;
        from = max_u64(run->start, from + PAGE_SIZE);
    }
    return false;
}

uint64_t ram_take(const struct boot_info *info, uint64_t bytes)
{
    uint64_t room = 0, place = 0;
    struct ram_run run = { 0, 0 };
    while (ram_free_next(info, run.end, &run)) {
        uint64_t end = min_u64(run.end, arch_early_map_end());
        if (run.start < end && end - run.start > room) {
            room = end - run.start;
            place = end;
        }
    }
    if (room < bytes)
        return 0;
    taken = (struct boot_range){ align_down(place - bytes, PAGE_SIZE), bytes };
    return taken.start;
}
