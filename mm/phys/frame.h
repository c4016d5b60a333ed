/* SPDX-License-Identifier: MIT */
/*
 * Physical frames: one struct frame for each 4 KiB of RAM, with a reference count and a kind.
 *
 * A frame is free (kind FRAME_FREE, refs 0) or used (refs >= 1). Every page-table entry that points
 * to it, every get-user-pages caller and every owner inside the kernel holds one reference. A block
 * of 2^order frames is 2^order frames with a reference each: nothing remembers that they were
 * allocated together, so a 2 MiB leaf can be replaced by 512 smaller ones without touching a count,
 * and each frame is freed alone and coalesces again.
 */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include "arch/x86/arch.h"
#include "base/lock.h"
#include "base/panic.h"
#include "base/types.h"

enum frame_kind {
    FRAME_RESERVED, /* not RAM, or never handed out */
    FRAME_FREE,
    FRAME_ANON,   /* user data */
    FRAME_SHSTK,  /* user shadow stack */
    FRAME_TABLE,  /* page table */
    FRAME_FILE,   /* contents of a file */
    FRAME_SLAB,   /* small kernel objects */
    FRAME_KERNEL, /* all other memory of the kernel */
    FRAME_KIND_COUNT
};

#define FRAME_ORDER_4K 0
#define FRAME_ORDER_2M 9
#define FRAME_ORDER_1G 18

struct frame {
    uint32_t refs; /* atomic */
    uint8_t kind;  /* [F] enum frame_kind; fixed while used */
    union {
        uint8_t order; /* [F] of the free block this frame heads */
        uint8_t low;   /* FRAME_TABLE: no entry below index 2 * low is in use [T] */
    };
    uint16_t count; /* FRAME_TABLE: present or PROT_NONE entries [T]; FRAME_SLAB: objects in use */
    union {
        /* [F] free list, while this frame heads a block */
        struct {
            uint32_t next_pfn, prev_pfn;
        } free;
        /* FRAME_TABLE. lock guards the entries and what is marked [T] */
        struct {
            struct spinlock lock;
            uint32_t sharers; /* [T] entries that point to it; 1 for a root */
        } table;
        struct {
            uint16_t class; /* mm/phys/slab.c */
        } slab;
        /* frames that programs map: the number of leaves; counted by the test build only. Atomic */
        struct {
            uint32_t leaves;
        } user;
    };
};

struct boot_info;

/*
 * Take over the free RAM of the memory map (mm/phys/ram.h), but for what the frame array itself
 * needs. RAM that the early map does not reach comes with frame_init_high(), after kmap_init().
 */
void frame_init(const struct boot_info *info);
void frame_init_high(const struct boot_info *info);
/* Hand a reserved physical range (the unpacked initrd) to the allocator. Only whole pages count. */
void frame_release_range(paddr_t start, uint64_t bytes);

/* A frame with one reference and undefined contents (poisoned in the test build), or NULL when
 * memory is out. */
MUST_CHECK struct frame *frame_alloc(enum frame_kind kind);
MUST_CHECK struct frame *frame_alloc_zeroed(enum frame_kind kind);
/* The first of 2^order physically consecutive frames, naturally aligned, one reference on each;
 * or NULL. */
MUST_CHECK struct frame *frame_alloc_block(enum frame_kind kind, unsigned order);

/* frame is used */
static inline void frame_get(struct frame *frame)
{
    uint32_t refs = __atomic_fetch_add(&frame->refs, 1, __ATOMIC_RELAXED);
    ASSERT(refs + 1 > 1); /* neither free nor about to overflow */
}
void frame_put(struct frame *frame); /* the last one frees it */
/* one reference on each of count frames */
static inline void frame_get_many(struct frame *first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        frame_get(first + i);
}
void frame_put_many(struct frame *first, uint64_t count);
static inline uint32_t frame_refs(const struct frame *frame)
{
    return __atomic_load_n(&frame->refs, __ATOMIC_ACQUIRE);
}

/* Fixed after frame_init(); named only by the two functions below and by mm/phys/frame.c. */
extern struct frame *frame_array; /* indexed by pfn */
extern uint64_t frame_limit;      /* pfns below this have a struct frame */
NORETURN void frame_not_ram(uint64_t pfn);

/* Panics for a pfn without a struct frame. */
static inline struct frame *pfn_to_frame(uint64_t pfn)
{
    if (pfn >= frame_limit)
        frame_not_ram(pfn);
    return frame_array + pfn;
}
static inline uint64_t frame_pfn(const struct frame *frame)
{
    return (uint64_t)(frame - frame_array);
}
static inline paddr_t frame_pa(const struct frame *frame)
{
    return paddr(frame_pfn(frame) << PAGE_SHIFT);
}
static inline void *frame_va(const struct frame *frame)
{
    return arch_phys_to_virt(frame_pa(frame));
}

struct frame_stats {
    uint64_t total, free; /* frames */
    uint64_t used[FRAME_KIND_COUNT];
};
void frame_stats(struct frame_stats *stats);
const char *frame_kind_name(enum frame_kind kind);

#endif
