/* SPDX-License-Identifier: MIT */
/* Small kernel objects: power-of-two size classes up to half a page, whole frames beyond. */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include "base/types.h"

/*
 * bytes of memory aligned to the smaller of 64 and the next power of two, undefined contents
 * (poisoned in the test build), or NULL. Up to 4 MiB. kzalloc() clears it.
 */
MUST_CHECK void *kmalloc(size_t bytes);
MUST_CHECK void *kzalloc(size_t bytes);
void kfree(void *object); /* NULL is allowed */

/* Give frames of size classes that hold no object back to the frame allocator; returns how many. */
uint64_t slab_reclaim(void);

#endif
