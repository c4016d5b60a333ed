/* SPDX-License-Identifier: MIT */
/* A ring of bytes, at most two pieces of memory at a time. */
#include "kernel/fs/ring.h"

#include "base/string.h"

/* How many of len bytes lie in one piece from place at on. */
static size_t piece(size_t at, size_t len) { return min_u64(len, RING_BYTES - at); }

size_t ring_peek(const struct ring *ring, char *to, size_t len, uint64_t *first)
{
    size_t count = min_u64(len, ring->len), one = piece(ring->start, count);
    *first = ring->taken;
    memcpy(to, ring->bytes + ring->start, one);
    if (count > one)
        memcpy(to + one, ring->bytes, count - one);
    return count;
}

bool ring_drop(struct ring *ring, uint64_t first, size_t len)
{
    if (ring->taken != first)
        return false;
    ring->start = (ring->start + len) % RING_BYTES;
    ring->len -= len;
    ring->taken += len;
    return true;
}

size_t ring_room(const struct ring *ring, size_t len, bool whole)
{
    size_t free = RING_BYTES - ring->len;
    return len <= free ? len : whole ? 0 : free;
}

void ring_put(struct ring *ring, const char *from, size_t len)
{
    size_t end = (ring->start + ring->len) % RING_BYTES, one = piece(end, len);
    memcpy(ring->bytes + end, from, one);
    if (len > one)
        memcpy(ring->bytes, from + one, len - one);
    ring->len += len;
}
