/* SPDX-License-Identifier: MIT */
/*
 * What the test build watches for, and panics on: free frames that are written to, tables that are
 * freed with entries in them, frames that are freed while a leaf maps them. Nothing elsewhere.
 * Private to mm/.
 */
#ifndef MM_WATCH_H
#define MM_WATCH_H

#include "arch/x86/pgtable.h"
#include "mm/phys/frame.h"

struct boot_info;

#ifdef CONFIG_TEST
/* A frame gets its kind, and is handed out; a frame, or an object of bytes in one, goes back. */
void watch_begin(struct frame *frame);
void watch_alloc(struct frame *frame);
void watch_free(struct frame *frame);
void watch_free_object(void *object, size_t bytes);
/* An entry at this level has changed from old to new. */
void watch_leaf(pte_t old, pte_t new, int level);
/* Poison the memory of boot services from here on, so that a late reader is noticed. */
void watch_leftovers(const struct boot_info *info);
#else
static inline void watch_begin(struct frame *frame) {}
static inline void watch_alloc(struct frame *frame) {}
static inline void watch_free(struct frame *frame) {}
static inline void watch_free_object(void *object, size_t bytes) {}
static inline void watch_leaf(pte_t old, pte_t new, int level) {}
static inline void watch_leftovers(const struct boot_info *info) {}
#endif

#endif
