/* SPDX-License-Identifier: MIT */
/* Proves: no frame or small object is handed out twice, each keeps what is written to it, and all
 * come back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"

#define ARENA_BYTES (64ull << 20)
#define HELD        2000
#define STEPS       200000

/* ---- Frames ------------------------------------------------------------- */

static struct held {
    struct frame *first;
    unsigned order;
    uint64_t stamp;
} held[HELD];

static void stamp(const struct held *h)
{
    for (uint64_t i = 0; i < 1ull << h->order; i++)
        *(uint64_t *)frame_va(h->first + i) = h->stamp + i;
}

static bool stamped(const struct held *h)
{
    for (uint64_t i = 0; i < 1ull << h->order; i++) {
        if (*(uint64_t *)frame_va(h->first + i) != h->stamp + i || frame_refs(h->first + i) != 1)
            return diagnose("frame %#lx is not as it was left",
                            (unsigned long)frame_pfn(h->first + i));
    }
    return true;
}

static uint64_t free_frames(void)
{
    struct frame_stats stats;
    slab_reclaim();
    frame_stats(&stats);
    return stats.free;
}

/* How many 2 MiB blocks can be allocated at once: this shows whether buddies were merged again. */
static unsigned blocks_available(void)
{
    struct frame *block[64];
    unsigned count = 0;
    while (count < ARRAY_SIZE(block)
           && (block[count] = frame_alloc_block(FRAME_ANON, FRAME_ORDER_2M)))
        count++;
    for (unsigned i = 0; i < count; i++)
        frame_put_many(block[i], 1 << FRAME_ORDER_2M);
    return count;
}

static bool frames_are_handed_out_once(void)
{
    uint64_t free_before = free_frames();
    unsigned blocks_before = blocks_available();
    for (uint64_t step = 1; step <= STEPS; step++) {
        struct held *h = &held[fake_random(HELD)];
        if (h->first) {
            if (!stamped(h))
                return false;
            if (fake_random(2)) {
                frame_put_many(h->first, 1ull << h->order);
            } else { /* one by one, in any order */
                uint64_t turn = fake_random(1ull << h->order);
                for (uint64_t i = 0; i < 1ull << h->order; i++)
                    frame_put(h->first + ((i + turn) & ((1ull << h->order) - 1)));
            }
            h->first = NULL;
            continue;
        }
        h->order = fake_random(8) ? 0 : (unsigned)fake_random(6);
        h->first = h->order ? frame_alloc_block(FRAME_ANON, h->order) : frame_alloc(FRAME_ANON);
        h->stamp = step << 20;
        if (!h->first)
            return diagnose("no frame of order %u at step %lu", h->order, (unsigned long)step);
        if (frame_pfn(h->first) & ((1u << h->order) - 1))
            return diagnose("block %#lx of order %u is not aligned",
                            (unsigned long)frame_pfn(h->first), h->order);
        stamp(h);
    }
    for (unsigned i = 0; i < HELD; i++) {
        if (held[i].first)
            frame_put_many(held[i].first, 1ull << held[i].order);
        held[i].first = NULL;
    }
    return free_frames() == free_before && blocks_available() == blocks_before;
}

static bool all_memory_can_be_taken_and_comes_back(void)
{
    uint64_t free_before = free_frames(), count = 0;
    struct frame *list = NULL, *frame;
    while ((frame = frame_alloc(FRAME_ANON))) {
        *(struct frame **)frame_va(frame) = list;
        list = frame;
        count++;
    }
    bool refused = !kmalloc(64) && !frame_alloc_block(FRAME_ANON, FRAME_ORDER_2M);
    for (; list; list = frame) {
        frame = *(struct frame **)frame_va(list);
        frame_put(list);
    }
    if (count != free_before)
        return diagnose("%lu frames free, %lu taken", (unsigned long)free_before,
                        (unsigned long)count);
    return refused && free_frames() == free_before;
}

static bool references_are_counted(void)
{
    uint64_t free_before = free_frames();
    struct frame *frame = frame_alloc_zeroed(FRAME_ANON);
    frame_get(frame);
    bool right = frame_refs(frame) == 2 && *(uint64_t *)frame_va(frame) == 0;
    frame_put(frame);
    right = right && frame_refs(frame) == 1 && frame->kind == FRAME_ANON;
    frame_put(frame);
    return right && frame->kind == FRAME_FREE && free_frames() == free_before;
}

static bool every_allocation_can_fail(void)
{
    failpoint_arm(1);
    bool refused = !frame_alloc(FRAME_ANON);
    failpoint_arm(1);
    refused = refused && !frame_alloc_zeroed(FRAME_TABLE);
    failpoint_arm(1);
    refused = refused && !frame_alloc_block(FRAME_ANON, 3);
    failpoint_arm(1);
    refused = refused && !kmalloc(100);
    failpoint_arm(0);
    return refused;
}

/* ---- Small objects ------------------------------------------------------ */

static bool objects_are_handed_out_once(void)
{
    static struct {
        unsigned char *at;
        size_t bytes;
        unsigned char mark;
    } object[HELD];
    uint64_t free_before = free_frames();
    for (unsigned long step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)fake_random(HELD);
        if (object[i].at) {
            for (size_t k = 0; k < object[i].bytes; k++) {
                if (object[i].at[k] != object[i].mark)
                    return diagnose("object of %zu bytes changed", object[i].bytes);
            }
            kfree(object[i].at);
            object[i].at = NULL;
            continue;
        }
        object[i].bytes = 1 + fake_random(fake_random(64) ? 600 : 9000);
        object[i].mark = (unsigned char)step;
        object[i].at = kmalloc(object[i].bytes);
        if (!object[i].at || (uint64_t)object[i].at % (object[i].bytes >= 64 ? 64 : 32))
            return diagnose("object of %zu bytes at %p", object[i].bytes, (void *)object[i].at);
        memset(object[i].at, object[i].mark, object[i].bytes);
    }
    for (unsigned i = 0; i < HELD; i++) {
        kfree(object[i].at);
        object[i].at = NULL;
    }
    return free_frames() == free_before;
}

/* ---- What the checks of the test build catch ---------------------------- */

static void put_twice(void)
{
    struct frame *frame = frame_alloc(FRAME_ANON);
    frame_put(frame);
    frame_put(frame);
}

static void write_after_free(void)
{
    struct frame *frame = frame_alloc(FRAME_ANON);
    frame_put(frame);
    ((uint64_t *)frame_va(frame))[100] = 1;
    (void)!frame_alloc(FRAME_ANON);
}

static void free_a_full_table(void)
{
    struct frame *frame = frame_alloc_zeroed(FRAME_TABLE);
    ((uint64_t *)frame_va(frame))[7] = 1;
    frame_put(frame);
}

int main(void)
{
    fake_start(ARENA_BYTES);
    plan(8);
    result("frames_are_handed_out_once", frames_are_handed_out_once());
    result("frames_all_memory_can_be_taken_and_comes_back",
           all_memory_can_be_taken_and_comes_back());
    result("frames_references_are_counted", references_are_counted());
    result("frames_every_allocation_can_fail", every_allocation_can_fail());
    result("slab_objects_are_handed_out_once", objects_are_handed_out_once());
    result("frames_put_twice_panics", panics_saying("frame_put: assertion failed", put_twice));
    result("frames_write_after_free_panics",
           panics_saying("was written to at offset 0x320", write_after_free));
    result("frames_table_freed_with_entries_panics",
           panics_saying("was freed with entry 7 in it", free_a_full_table));
    return suite_status();
}
