/* SPDX-License-Identifier: MIT */
/*
 * Proves: however writers and readers of a pipe take turns, between a reader's look and its taking
 * too, each byte goes to one reader, in order, and no write that must stay whole is split.
 *
 * Links: kernel/fs/ring.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/fs/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define READERS 3

/* The model: byte number n of all that was ever written is byte_at(n); these are in the pipe. */
static uint64_t first_in, next_in;
static uint8_t byte_at(uint64_t n) { return (uint8_t)(n * 31 + (n >> 8)); }

/* A reader between its look and its taking. */
static struct reader {
    uint64_t first;
    size_t len;
} readers[READERS];

static void write_some(struct ring *ring, size_t len, bool whole)
{
    size_t left = RING_BYTES - (size_t)(next_in - first_in);
    size_t room = ring_room(ring, len, whole);
    assert(room <= left && room <= len);
    assert(room == len || (whole ? room == 0 && left < len : room == left));
    char *from = malloc(room);
    for (size_t i = 0; i < room; i++)
        from[i] = (char)byte_at(next_in + i);
    ring_put(ring, from, room);
    next_in += room;
    assert((ring_room(ring, PIPE_BUF, true) != 0) == (next_in - first_in + PIPE_BUF <= RING_BYTES));
    free(from);
}

static void look(const struct ring *ring, struct reader *reader, size_t len)
{
    char *to = malloc(len);
    reader->len = ring_peek(ring, to, len, &reader->first);
    size_t there = (size_t)(next_in - first_in);
    assert(reader->first == first_in && reader->len == (len < there ? len : there));
    for (size_t i = 0; i < reader->len; i++)
        assert((uint8_t)to[i] == byte_at(first_in + i));
    free(to);
}

static void take(struct ring *ring, struct reader *reader)
{
    bool mine = ring_drop(ring, reader->first, reader->len);
    assert(mine == (reader->first == first_in));
    first_in += mine ? reader->len : 0;
    reader->len = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ring ring = { .bytes = malloc(RING_BYTES) };
    first_in = next_in = 0;
    memset(readers, 0, sizeof(readers));
    for (size_t i = 0; i + 3 <= size && i < 900; i += 3) {
        size_t len = (data[i + 1] | (size_t)data[i + 2] << 8) % (RING_BYTES + 1);
        struct reader *reader = &readers[data[i] / 4 % READERS];
        if (data[i] % 4 < 2)
            write_some(&ring, len, data[i] % 4);
        else if (data[i] % 4 == 2)
            look(&ring, reader, len % 512);
        else
            take(&ring, reader);
        assert(ring.len == next_in - first_in && ring.len <= RING_BYTES);
    }
    free(ring.bytes);
    return 0;
}
