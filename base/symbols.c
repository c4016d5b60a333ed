/* SPDX-License-Identifier: MIT */
/* Which function an address lies in. */
#include "base/symbols.h"

extern char __kernel_start[], __text_start[], __text_end[];

const char *symbol_lookup(uint64_t address, uint64_t *offset)
{
    if (!&symbol_count || address < (uint64_t)__text_start || address >= (uint64_t)__text_end)
        return NULL;
    uint32_t target = (uint32_t)(address - (uint64_t)__kernel_start);
    uint32_t low = 0, high = symbol_count; /* the answer is the last symbol at or below target */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (symbol_table[middle].offset <= target)
            low = middle;
        else
            high = middle;
    }
    *offset = target - symbol_table[low].offset;
    return symbol_names + symbol_table[low].name;
}
