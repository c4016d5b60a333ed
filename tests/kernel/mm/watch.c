/* SPDX-License-Identifier: MIT */
/* Poison, and the count of the leaves that map each frame. */
#include "mm/table/watch.h"

#include "base/panic.h"
#include "base/string.h"
#include "mm/phys/ram.h"

#define POISON        0x5a5a5a5a5a5a5a5aull
#define POISON_OBJECT 0x5b

/* ---- Poison ------------------------------------------------------------- */

static void poison(struct frame *frame)
{
    uint64_t *words = frame_va(frame);
    for (size_t i = 0; i < PAGE_SIZE / 8; i++)
        words[i] = POISON;
}

/* Was a free frame written to? Only a frame that begins with the poison is compared: a frame that
 * was never handed out may hold anything. */
static void poison_check(struct frame *frame)
{
    const uint64_t *words = frame_va(frame);
    if (words[0] != POISON)
        return;
    for (size_t i = 0; i < PAGE_SIZE / 8; i++) {
        if (words[i] != POISON)
            panic("free frame %#lx was written to at offset %#lx", frame_pfn(frame), i * 8);
    }
}

void watch_alloc(struct frame *frame) { poison_check(frame); }

static void zero_check(struct frame *table)
{
    const uint64_t *words = frame_va(table);
    for (size_t i = 0; i < PAGE_SIZE / 8; i++) {
        if (words[i])
            panic("page table %#lx was freed with entry %lu in it", frame_pfn(table), i);
    }
}

void watch_free_object(void *object, size_t bytes) { memset(object, POISON_OBJECT, bytes); }

void watch_leftovers(const struct boot_info *info)
{
    const struct boot_memory *memory = NULL;
    while ((memory = boot_memory_next(info, memory))) {
        bool left = memory->type == BOOT_MEMORY_BOOT_SERVICES_CODE
                    || memory->type == BOOT_MEMORY_BOOT_SERVICES_DATA;
        uint64_t first = memory->start >> PAGE_SHIFT,
                 end = min_u64(first + memory->page_count, arch_early_map_end() >> PAGE_SHIFT);
        for (uint64_t pfn = first; left && pfn < end; pfn++) {
            if (pfn < frame_limit && frame_array[pfn].kind == FRAME_FREE)
                poison(frame_array + pfn);
        }
    }
}

/* ---- Leaves ------------------------------------------------------------- */

/* Frames of these kinds have no other use for the union in struct frame. */
static bool kind_has_leaves(enum frame_kind kind)
{
    return kind == FRAME_ANON || kind == FRAME_SHSTK || kind == FRAME_FILE || kind == FRAME_KERNEL;
}

static void leaves_add(pte_t pte, int level, uint32_t count)
{
    if (pte_none(pte))
        return;
    struct frame *first = pfn_to_frame(pte_pfn(pte));
    for (uint64_t i = 0; i < level_frames(level); i++)
        __atomic_add_fetch(&first[i].user.leaves, count, __ATOMIC_RELAXED);
}

void watch_leaf(pte_t old, pte_t new, int level)
{
    if (!pte_none(old) && !pte_none(new) && pte_pfn(old) == pte_pfn(new))
        return;
    leaves_add(old, level, ~0u);
    leaves_add(new, level, 1);
}

void watch_begin(struct frame *frame)
{
    if (kind_has_leaves(frame->kind))
        frame->user.leaves = 0;
}

/* Its last reference is gone. A leaf that maps it should have held one. */
void watch_free(struct frame *frame)
{
    uint32_t leaves = frame->user.leaves;
    if (kind_has_leaves(frame->kind) && leaves)
        panic("frame %#lx is freed while %u leaves map it", frame_pfn(frame), leaves);
    if (frame->kind == FRAME_TABLE && frame->count == 0)
        zero_check(frame);
    else
        poison(frame);
}
