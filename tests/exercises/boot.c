/* SPDX-License-Identifier: MIT */
/* Exercises of docs/book/01-boot.md. */
#include "test.h"

#define LOADER_CODE  1 /* the UEFI memory types whose RAM the kernel takes over */
#define CONVENTIONAL 7

/*
 * The firmware's memory map, as the loader handed it over: /proc/memmap, one line a descriptor,
 * "0xSTART 0xEND TYPE" (END is the first byte behind it, TYPE the number of the UEFI memory type).
 */
EXERCISE(exercise_memory_map)
{
    char line[200];
    unsigned long start, end, usable_kb = 0, total_kb = 0;
    unsigned type, lines = 0;
    FILE *map = fopen("/proc/memmap", "r");
    EXPECT(map, "/proc/memmap exists");
    while (fgets(line, sizeof(line), map)) {
        EXPECT(sscanf(line, "0x%lx 0x%lx %u", &start, &end, &type) == 3,
               "lines of the form 0xSTART 0xEND TYPE, not %s", line);
        EXPECT(start < end && start % 4096 == 0 && end % 4096 == 0, "ranges of whole pages, not %s",
               line);
        if (type >= LOADER_CODE && type <= CONVENTIONAL && type != 5 && type != 6)
            usable_kb += (end - start) / 1024;
        lines++;
    }
    fclose(map);
    EXPECT(lines >= 5, "at least five ranges, not %u", lines);
    sscanf(file_text("/proc/meminfo"), "MemTotal: %lu", &total_kb);
    EXPECT(usable_kb >= total_kb,
           "ranges of usable types to hold the %lu kB of MemTotal, not %lu kB", total_kb,
           usable_kb);
}
