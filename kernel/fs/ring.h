/* SPDX-License-Identifier: MIT */
/* A pipe's ring of bytes: the pure part, without locks and waiting. */
#ifndef KERNEL_RING_H
#define KERNEL_RING_H

#include "base/types.h"

#define RING_BYTES 4096
#define PIPE_BUF   4096 /* a write of so many bytes goes in as a whole, as Linux has it */

struct ring {
    char *bytes;       /* RING_BYTES of them */
    size_t start, len; /* what it holds */
    uint64_t taken;    /* bytes ever taken out: the number of the first that it holds */
};

/* Copy up to len bytes out of the ring, which keeps them; how many. *first is the number of the
 * first. */
size_t ring_peek(const struct ring *ring, char *to, size_t len, uint64_t *first);
/* Take out len bytes that ring_peek() gave; false, and nothing is done, when somebody else has
 * taken some of them since. */
MUST_CHECK bool ring_drop(struct ring *ring, uint64_t first, size_t len);
/* How many of len bytes go in now: as a whole, all or none. */
size_t ring_room(const struct ring *ring, size_t len, bool whole);
/* Put them in; there is room. */
void ring_put(struct ring *ring, const char *from, size_t len);

#endif
