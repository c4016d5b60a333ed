/* SPDX-License-Identifier: MIT */
/* The types every layer shares: addresses that cannot be mixed up, pages, and small helpers. */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK                      __attribute__((warn_unused_result))
#define NORETURN                        __attribute__((noreturn))
/* For functions that are seldom called: their registers, buffers and stack checks stay out of the
 * caller. */
#define COLD                            __attribute__((cold, noinline))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ull
#define PAGE_MASK  (~(PAGE_SIZE - 1))
/* How many bits of an address each of the four levels of page tables translates. A host test sets
 * two, so that it can try all there is. */
#ifndef PT_INDEX_BITS
#define PT_INDEX_BITS 9
#endif

/* An address is wrapped in a struct so that the compiler refuses a mix-up. */
typedef struct {
    uint64_t v;
} paddr_t; /* physical: may be put in a page-table entry */
typedef struct {
    uint64_t v;
} uaddr_t; /* user virtual: may be handed to arch_copy_*_user() only */

static inline paddr_t paddr(uint64_t v) { return (paddr_t){ v }; }
static inline uaddr_t uaddr(uint64_t v) { return (uaddr_t){ v }; }

/* First address above user space: the top page of the canonical half stays empty (design:
 * address space). */
#define USER_END   ((1ull << (PAGE_SHIFT + 4 * PT_INDEX_BITS - 1)) - PAGE_SIZE)
/* No mapping of a program lies below this (Linux's mmap_min_addr): near NULL there is no memory. */
#define USER_START 0x10000ull

#define ARRAY_SIZE(a)                       (sizeof(a) / sizeof((a)[0]))
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline uint64_t align_down(uint64_t v, uint64_t to) { return v & ~(to - 1); }
static inline uint64_t align_up(uint64_t v, uint64_t to) { return (v + to - 1) & ~(to - 1); }
static inline bool is_aligned(uint64_t v, uint64_t to) { return (v & (to - 1)) == 0; }
static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }
static inline uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

#endif
