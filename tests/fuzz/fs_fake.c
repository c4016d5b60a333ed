/* SPDX-License-Identifier: MIT */
#include "fs_fake.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/panic.h"
#include "kernel/fs/ramfs/ramfs.h"
#include "kernel/proc/procfs.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/wait.h"
#include "kernel/task/task.h"
#include "mm/mm.h"
#include "mm/phys/frame.h"
#include "mm/phys/slab.h"

unsigned long fake_live;

/* ---- Memory ------------------------------------------------------------- */

void *kmalloc(size_t bytes)
{
    fake_live++;
    return malloc(bytes);
}

void *kzalloc(size_t bytes)
{
    fake_live++;
    return calloc(1, bytes);
}

void kfree(void *object)
{
    fake_live -= object != NULL;
    free(object);
}

/* No address space maps a file here, so a source has no mappings to cut. */
void vm_source_init(struct vm_source *source) {}
void vm_source_cut(struct vm_source *source, uint64_t page) {}

/* Frames are an array, and their pages lie where the direct map would have them: the pfns are
 * chosen so that DIRECT_MAP_BASE and the address add up to the arena, around the end of the number
 * range. */
#define FRAMES 1024
static char arena[FRAMES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static struct frame frames[FRAMES];
struct frame *frame_array;
uint64_t frame_limit = ~0ull;

__attribute__((constructor)) static void frames_start(void)
{
    uint64_t first = ((uint64_t)arena - DIRECT_MAP_BASE) >> PAGE_SHIFT;
    frame_array = (struct frame *)((uint64_t)frames - first * sizeof(struct frame));
    __asan_poison_memory_region(arena, sizeof(arena));
}

struct frame *frame_alloc_zeroed(enum frame_kind kind)
{
    for (size_t i = 0; i < FRAMES; i++) {
        if (frames[i].refs)
            continue;
        __asan_unpoison_memory_region(arena[i], PAGE_SIZE);
        memset(arena[i], 0, PAGE_SIZE);
        frames[i].refs = 1;
        frames[i].kind = (uint8_t)kind;
        fake_live++;
        return &frames[i];
    }
    return NULL;
}

void frame_put(struct frame *frame)
{
    if (!frame->refs)
        panic("a free frame is put");
    if (--frame->refs == 0) {
        __asan_poison_memory_region(arena[frame - frames], PAGE_SIZE);
        fake_live--;
    }
}

void frame_not_ram(uint64_t pfn)
{
    (void)pfn;
    abort();
}

/* ---- What nobody else is there for -------------------------------------- */

void panic(const char *format, ...)
{
    fprintf(stderr, "panic: %s\n", format);
    abort();
}

void log_line(const char *format, ...) { (void)format; }
void lock_note_taken(const void *lock, enum lock_rank rank, bool second)
{
    (void)lock, (void)rank, (void)second;
}
void lock_note_dropped(const void *lock) { (void)lock; }
void spin_wait(struct spinlock *lock)
{
    (void)lock;
    panic("a lock is taken twice");
}
void sleep_lock_init(struct sleep_lock *lock) { lock->held = false; }
void sleep_lock(struct sleep_lock *lock)
{
    if (lock->held)
        panic("a lock is taken twice");
    lock->held = true;
}
void sleep_unlock(struct sleep_lock *lock) { lock->held = false; }
bool task_breathe(void) { return false; }
bool planted_busy(bool busy) { return busy; }
struct task *arch_current_task(void) { return NULL; }

int arch_copy_from_user(void *to, uaddr_t from, size_t len_bytes)
{
    memcpy(to, (const void *)from.v, len_bytes);
    return 0;
}

int arch_copy_to_user(uaddr_t to, const void *from, size_t len_bytes)
{
    memcpy((void *)to.v, from, len_bytes);
    return 0;
}

struct inode *procfs_root(void) { return ramfs_create(); }
