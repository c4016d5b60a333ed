/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own half of the address space. Built once; every address space's root shares the
 * tables below the top level, which never changes after kmap_init(). No page is both writable and
 * executable; read-only pages have D=0, so that none looks like a shadow stack.
 */
#ifndef MM_KMAP_H
#define MM_KMAP_H

#include "base/types.h"

struct boot_info;

/*
 * Build the final kernel table (direct map with the largest pages that fit; image R-X, R--, RW-;
 * empty regions for stacks and devices) and switch to it. panics when memory is out.
 */
void kmap_init(const struct boot_info *info);
paddr_t kmap_root(void);
/* Copy the kernel's half into the 512 entries of a new root table. */
void kmap_fill_root(uint64_t *root_entries);
/* Take it out again, before the root is freed: a freed table is all zero. */
void kmap_clear_root(uint64_t *root_entries);

enum kmap_cache { KMAP_UNCACHED, KMAP_WRITE_COMBINING, KMAP_CACHED };
/* Map a device's registers (or firmware tables, KMAP_CACHED) R/W, NX; NULL when memory is out.
 * Never unmapped. */
MUST_CHECK void *kmap_device(paddr_t pa, uint64_t bytes, enum kmap_cache cache);

/* A kernel stack of KSTACK_BYTES with guard pages; returns its top (highest address), 0 when
 * memory is out. */
MUST_CHECK uint64_t kmap_stack_alloc(void);
void kmap_stack_free(uint64_t top); /* not the stack in use */
/* Unmap the stacks kept back for reuse. */
void kmap_stack_reclaim(void);

/* The leaf entry that translates a kernel or (with root) any address: raw value and level, 0
 * when none. */
uint64_t kmap_lookup(paddr_t root, uint64_t va, int *level);

#endif
