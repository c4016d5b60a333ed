/* SPDX-License-Identifier: MIT */
/* The kernel's own function names, for backtraces. scripts/symbols.py writes the table when the
 * kernel is linked. */
#ifndef BASE_SYMBOLS_H
#define BASE_SYMBOLS_H

#include "base/types.h"

struct symbol {
    uint32_t offset; /* from __kernel_start; ascending */
    uint32_t name;   /* index into symbol_names */
};

/* Weak: absent in the first of the kernel's two links. */
extern const struct symbol symbol_table[] __attribute__((weak));
extern const uint32_t symbol_count __attribute__((weak));
extern const char symbol_names[] __attribute__((weak));

/* The function that holds address, and how far into it; NULL outside the kernel's text. */
const char *symbol_lookup(uint64_t address, uint64_t *offset);

#endif
