/* SPDX-License-Identifier: MIT */
/* A pipe's ring of bytes: the pure part, without locks and waiting. */
#ifndef KERNEL_RING_H
#define KERNEL_RING_H

#include "base/types.h"

#define RING_BYTES 4096
#define PIPE_BUF   4096 /* a write of up to so many bytes goes in as a whole, as on Linux */

struct ring {
    char *bytes;       /* RING_BYTES of them */
    size_t start, len; /* what it holds */
    uint64_t taken;    /* bytes ever taken out: the number of the first byte that the ring holds */
};

/* Copy up to len bytes out of the ring; the ring keeps them. Returns how many. *first is the number
 * of the first byte. */
size_t ring_peek(const struct ring *ring, char *to, size_t len, uint64_t *first);
/* Take out len bytes that ring_peek() copied. False, with nothing done, when another reader has
 * taken some of them since. */
MUST_CHECK bool ring_drop(struct ring *ring, uint64_t first, size_t len);
/* How many of len bytes go in now. whole: all or none. */
size_t ring_room(const struct ring *ring, size_t len, bool whole);
/* Put len bytes in. The caller has made sure of the room. */
void ring_put(struct ring *ring, const char *from, size_t len);

#endif
