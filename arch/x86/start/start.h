/* SPDX-License-Identifier: MIT */
/* boot_entry.asm and what it calls. Private to arch/x86/. */
#ifndef ARCH_X86_START_H
#define ARCH_X86_START_H

#include "base/types.h"

struct boot_info;

extern uint64_t early_map_bytes; /* of the direct map, until kmap_init() */
extern char boot_stack_top[];

/* The first C function; info is in the direct map. */
NORETURN void x86_start(const struct boot_info *info);

#endif
