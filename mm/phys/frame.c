/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator: a buddy allocator over all RAM, with two quick stocks in front of it.
 *
 * A free block of 2^order frames is naturally aligned and headed by its first frame, which is in
 * the list of its order. Single frames come and go through `singles`; page tables through `tables`,
 * whose frames are all zero, since an empty table is what its owner hands back. Frames in a stock
 * count as free.
 */
#include "mm/phys/frame.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/string.h"
#include "mm/phys/ram.h"
#include "mm/phys/slab.h"
#include "mm/table/watch.h"

#define ORDERS    19
#define NO_PFN    0xffffffffu
#define STOCK_MAX 64

struct frame *frame_array;
uint64_t frame_limit;

static struct spinlock frame_lock = SPINLOCK_INIT(LOCK_FRAME);
static uint32_t heads[ORDERS];                  /* [F] first free block of each order */
static uint64_t free_count, total_count;        /* [F] */
static uint64_t used_by_kind[FRAME_KIND_COUNT]; /* atomic */

struct stock {
    unsigned count;                 /* [F] */
    struct frame *frame[STOCK_MAX]; /* [F] */
};
static struct stock singles, tables;

/* ---- pfn and frame ------------------------------------------------------ */

void frame_not_ram(uint64_t pfn) { panic("page frame number %#lx is not RAM", pfn); }

const char *frame_kind_name(enum frame_kind kind)
{
    static const char *const names[FRAME_KIND_COUNT] = {
        "reserved", "free", "anon", "shstk", "table", "file", "slab", "kernel",
    };
    return names[kind];
}

/* ---- Buddies. frame_lock is held. --------------------------------------- */

static void list_push(uint32_t pfn, unsigned order)
{
    struct frame *frame = frame_array + pfn;
    frame->order = (uint8_t)order;
    frame->free.prev_pfn = NO_PFN;
    frame->free.next_pfn = heads[order];
    if (heads[order] != NO_PFN)
        frame_array[heads[order]].free.prev_pfn = pfn;
    heads[order] = pfn;
}

static void list_take(uint32_t pfn)
{
    struct frame *frame = frame_array + pfn;
    if (frame->free.prev_pfn == NO_PFN)
        heads[frame->order] = frame->free.next_pfn;
    else
        frame_array[frame->free.prev_pfn].free.next_pfn = frame->free.next_pfn;
    if (frame->free.next_pfn != NO_PFN)
        frame_array[frame->free.next_pfn].free.prev_pfn = frame->free.prev_pfn;
    frame->order = ORDERS; /* no longer the head of a free block */
}

/* Is there a free block of exactly this order at pfn? */
static bool block_is_free(uint64_t pfn, unsigned order)
{
    return pfn < frame_limit && frame_array[pfn].kind == FRAME_FREE
           && frame_array[pfn].order == order;
}

static void buddy_free(uint32_t pfn, unsigned order)
{
    while (order + 1 < ORDERS && block_is_free(pfn ^ (1u << order), order)) {
        list_take(pfn ^ (1u << order));
        pfn &= ~(1u << order);
        order++;
    }
    list_push(pfn, order);
}

/* Take a free block: its first pfn, or NO_PFN when there is none that large. Of a larger block the
 * upper half is used. */
static uint32_t buddy_alloc(unsigned order)
{
    unsigned have = order;
    while (have < ORDERS && heads[have] == NO_PFN)
        have++;
    if (have == ORDERS)
        return NO_PFN;
    uint32_t pfn = heads[have];
    list_take(pfn);
    while (have > order) {
        have--;
        list_push(pfn, have);
        pfn += 1u << have;
    }
    return pfn;
}

/* Return both stocks to the buddies, so that larger blocks can form. */
static void stocks_drain(void)
{
    while (singles.count)
        buddy_free((uint32_t)frame_pfn(singles.frame[--singles.count]), 0);
    while (tables.count)
        buddy_free((uint32_t)frame_pfn(tables.frame[--tables.count]), 0);
}

/* ---- Allocation --------------------------------------------------------- */

static void frame_begin(struct frame *frame, enum frame_kind kind)
{
    ASSERT(frame->kind == FRAME_FREE && frame->refs == 0);
    frame->kind = (uint8_t)kind;
    frame->count = 0;
    frame->refs = 1;
    watch_begin(frame);
}

/* Take one frame from the singles, else the buddies, else the tables. frame_lock is held. */
static struct frame *single_take(void)
{
    if (singles.count)
        return singles.frame[--singles.count];
    uint32_t pfn = buddy_alloc(0);
    if (pfn != NO_PFN)
        return frame_array + pfn;
    return tables.count ? tables.frame[--tables.count] : NULL;
}

struct frame *frame_alloc(enum frame_kind kind)
{
    if (failpoint_hit())
        return NULL;
    spin_lock(&frame_lock);
    struct frame *frame = single_take();
    if (frame) {
        free_count--;
        frame_begin(frame, kind);
    }
    spin_unlock(&frame_lock);
    if (!frame)
        return slab_reclaim() ? frame_alloc(kind) : NULL;
    __atomic_add_fetch(&used_by_kind[kind], 1, __ATOMIC_RELAXED);
    watch_alloc(frame);
    return frame;
}

/* Take a table, all zero already, from its stock; NULL when that is empty. */
static struct frame *table_take(void)
{
    spin_lock(&frame_lock);
    struct frame *frame = tables.count ? tables.frame[--tables.count] : NULL;
    if (frame) {
        free_count--;
        frame_begin(frame, FRAME_TABLE);
    }
    spin_unlock(&frame_lock);
    if (frame)
        __atomic_add_fetch(&used_by_kind[FRAME_TABLE], 1, __ATOMIC_RELAXED);
    return frame;
}

struct frame *frame_alloc_zeroed(enum frame_kind kind)
{
    if (kind == FRAME_TABLE && __atomic_load_n(&tables.count, __ATOMIC_RELAXED)) {
        if (failpoint_hit())
            return NULL;
        struct frame *table = table_take();
        if (table)
            return table;
    }
    struct frame *frame = frame_alloc(kind);
    if (frame)
        arch_page_zero(frame_va(frame));
    return frame;
}

struct frame *frame_alloc_block(enum frame_kind kind, unsigned order)
{
    ASSERT(order < ORDERS);
    if (failpoint_hit())
        return NULL;
    spin_lock(&frame_lock);
    uint32_t pfn = buddy_alloc(order);
    if (pfn == NO_PFN) {
        stocks_drain();
        pfn = buddy_alloc(order);
    }
    if (pfn != NO_PFN) {
        for (uint32_t i = 0; i < 1u << order; i++)
            frame_begin(frame_array + pfn + i, kind);
        free_count -= 1ull << order;
    }
    spin_unlock(&frame_lock);
    if (pfn == NO_PFN)
        return NULL;
    __atomic_add_fetch(&used_by_kind[kind], 1ull << order, __ATOMIC_RELAXED);
    return frame_array + pfn;
}

/* ---- References --------------------------------------------------------- */

/* The last reference is gone. */
static void frame_free(struct frame *frame)
{
    enum frame_kind kind = frame->kind;
    ASSERT(kind != FRAME_FREE && kind != FRAME_RESERVED);
    bool zero = kind == FRAME_TABLE && frame->count == 0;
    watch_free(frame);
    __atomic_sub_fetch(&used_by_kind[kind], 1, __ATOMIC_RELAXED);
    spin_lock(&frame_lock);
    frame->kind = FRAME_FREE;
    frame->order = ORDERS;
    struct stock *stock = zero ? &tables : &singles;
    if (stock->count < STOCK_MAX)
        stock->frame[stock->count++] = frame;
    else
        buddy_free((uint32_t)frame_pfn(frame), 0);
    free_count++;
    spin_unlock(&frame_lock);
}

void frame_put(struct frame *frame)
{
    uint32_t refs = __atomic_sub_fetch(&frame->refs, 1, __ATOMIC_ACQ_REL);
    ASSERT(refs != 0xffffffffu);
    if (refs == 0)
        frame_free(frame);
}

void frame_put_many(struct frame *first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        frame_put(first + i);
}

/* ---- Start-up ----------------------------------------------------------- */

/* Give [pfn, end) to the buddies in the largest aligned blocks that fit. */
static void run_release(uint64_t pfn, uint64_t end)
{
    for (uint64_t i = pfn; i < end; i++) {
        ASSERT(frame_array[i].kind == FRAME_RESERVED);
        frame_array[i].kind = FRAME_FREE;
        frame_array[i].order = ORDERS;
    }
    free_count += end - pfn;
    total_count += end - pfn;
    while (pfn < end) {
        unsigned order = pfn ? (unsigned)__builtin_ctzll(pfn) : ORDERS - 1;
        order = order < ORDERS ? order : ORDERS - 1;
        while (pfn + (1ull << order) > end)
            order--;
        buddy_free((uint32_t)pfn, order);
        pfn += 1ull << order;
    }
}

/* Release what is free of RAM in [from, to). */
static void ram_release(const struct boot_info *info, uint64_t from, uint64_t to)
{
    struct ram_run run = { 0, from };
    while (ram_free_next(info, run.end, &run) && run.start < to) {
        run.end = min_u64(run.end, to);
        run_release(run.start >> PAGE_SHIFT, run.end >> PAGE_SHIFT);
    }
}

void frame_init(const struct boot_info *info)
{
    struct ram_run run = { 0, 0 };
    while (ram_next(info, RAM_FREE, run.end, &run))
        frame_limit = run.end >> PAGE_SHIFT;
    uint64_t bytes = align_up(frame_limit * sizeof(struct frame), PAGE_SIZE);
    uint64_t place = ram_take(info, bytes);
    if (!place)
        panic("no memory for the frame array: it needs %lu KiB in one piece", bytes >> 10);
    frame_array = arch_phys_to_virt(paddr(place));
    memset(frame_array, 0, bytes);
    for (unsigned i = 0; i < ORDERS; i++)
        heads[i] = NO_PFN;
    ram_release(info, 0, arch_early_map_end());
    watch_leftovers(info);
}

void frame_init_high(const struct boot_info *info)
{
    ram_release(info, arch_early_map_end(), RAM_LIMIT);
    log_line("memory: %lu MiB free", free_count >> (20 - PAGE_SHIFT));
}

void frame_release_range(paddr_t start, uint64_t bytes)
{
    uint64_t pfn = align_up(start.v, PAGE_SIZE) >> PAGE_SHIFT,
             end = (start.v + bytes) >> PAGE_SHIFT;
    spin_lock(&frame_lock);
    if (pfn < end)
        run_release(pfn, end);
    spin_unlock(&frame_lock);
}

void frame_stats(struct frame_stats *stats)
{
    spin_lock(&frame_lock);
    stats->total = total_count;
    stats->free = free_count;
    spin_unlock(&frame_lock);
    for (int kind = 0; kind < FRAME_KIND_COUNT; kind++)
        stats->used[kind] = __atomic_load_n(&used_by_kind[kind], __ATOMIC_RELAXED);
}
