/* SPDX-License-Identifier: MIT */
/*
 * Small objects. A class hands out objects of one power-of-two size; its free objects, whatever
 * frame they lie in, form one list through their first word. A frame's count says how many of its
 * objects are in use. An object larger than half a page gets whole frames; the first frame's count
 * holds their number.
 */
#include "mm/phys/slab.h"

#include "base/failpoint.h"
#include "base/lock.h"
#include "base/panic.h"
#include "base/string.h"
#include "mm/phys/frame.h"
#include "mm/table/watch.h"

#define CLASS_SHIFT_MIN 5
#define CLASS_SHIFT_MAX 11
#define CLASSES         (CLASS_SHIFT_MAX - CLASS_SHIFT_MIN + 1)
#define LARGE_BYTES_MAX (4ull << 20)

struct object {
    struct object *next;
};

struct class
{
    struct spinlock lock;
    struct object *free; /* [lock] */
};
static struct class classes[CLASSES] = { [0 ... CLASSES - 1] = { SPINLOCK_INIT(LOCK_SLAB), NULL } };

static unsigned class_index(size_t bytes)
{
    unsigned shift = bytes <= 1u << CLASS_SHIFT_MIN ? CLASS_SHIFT_MIN
                                                    : 64 - (unsigned)__builtin_clzll(bytes - 1);
    return shift - CLASS_SHIFT_MIN;
}

static struct frame *object_frame(const void *object)
{
    return pfn_to_frame(arch_virt_to_phys(object).v >> PAGE_SHIFT);
}

/* Cut a new frame into objects, and take the first. NULL: memory is out. The lock is not held. */
static COLD void *class_grow(struct class *class)
{
    unsigned bytes = 1u << (class - classes + CLASS_SHIFT_MIN);
    struct frame *frame = frame_alloc(FRAME_SLAB);
    if (!frame)
        return NULL;
    frame->slab.class = (uint16_t)(class - classes);
    frame->count = 1;
    char *page = frame_va(frame);
    /* the frame may hold old firmware code, and QEMU is slow on such pages (docs/platform.md) */
    arch_page_zero(page);
    struct object *first = NULL;
    for (size_t at = PAGE_SIZE; at > bytes; at -= bytes) {
        struct object *object = (struct object *)(page + at - bytes);
        object->next = first;
        first = object;
    }
    struct object *last = (struct object *)(page + PAGE_SIZE - bytes);
    spin_lock(&class->lock);
    last->next = class->free;
    class->free = first;
    spin_unlock(&class->lock);
    return page;
}

static COLD void *large_alloc(size_t bytes)
{
    uint64_t count = align_up(bytes, PAGE_SIZE) >> PAGE_SHIFT;
    if (bytes > LARGE_BYTES_MAX)
        return NULL;
    if (count == 1) {
        struct frame *frame = frame_alloc(FRAME_KERNEL);
        if (!frame)
            return NULL;
        frame->count = 1;
        return frame_va(frame);
    }
    unsigned order = 64 - (unsigned)__builtin_clzll(count - 1);
    struct frame *first = frame_alloc_block(FRAME_KERNEL, order);
    if (!first)
        return NULL;
    frame_put_many(first + count, (1ull << order) - count);
    first->count = (uint16_t)count;
    return frame_va(first);
}

void *kmalloc(size_t bytes)
{
    if (bytes > 1u << CLASS_SHIFT_MAX)
        return large_alloc(bytes);
    if (failpoint_hit())
        return NULL;
    struct class *class = &classes[class_index(bytes)];
    spin_lock(&class->lock);
    struct object *object = class->free;
    if (object) {
        class->free = object->next;
        object_frame(object)->count++;
    }
    spin_unlock(&class->lock);
    return object ? object : class_grow(class);
}

void *kzalloc(size_t bytes)
{
    void *object = kmalloc(bytes);
    if (object)
        memset(object, 0, bytes);
    return object;
}

void kfree(void *pointer)
{
    if (!pointer)
        return;
    struct frame *frame = object_frame(pointer);
    if (frame->kind == FRAME_KERNEL) {
        frame_put_many(frame, frame->count);
        return;
    }
    ASSERT(frame->kind == FRAME_SLAB && frame->count != 0);
    uint64_t bytes = 1ull << (frame->slab.class + CLASS_SHIFT_MIN);
    struct class *class = &classes[frame->slab.class];
    ASSERT(is_aligned((uint64_t)pointer, bytes));
    watch_free_object(pointer, bytes);
    struct object *object = pointer;
    spin_lock(&class->lock);
    object->next = class->free;
    class->free = object;
    frame->count--;
    spin_unlock(&class->lock);
}

/* Take the objects of unused frames out of the list; the first object of each such frame brings
 * the frame along. */
static uint64_t class_reclaim(struct class *class)
{
    struct object *unused = NULL;
    uint64_t frames = 0;
    spin_lock(&class->lock);
    for (struct object **link = &class->free; *link;) {
        struct object *object = *link;
        if (object_frame(object)->count != 0) {
            link = &object->next;
            continue;
        }
        *link = object->next;
        if (((uint64_t)object & (PAGE_SIZE - 1)) == 0) {
            object->next = unused;
            unused = object;
        }
    }
    spin_unlock(&class->lock);
    while (unused) {
        struct object *next = unused->next;
        frame_put(object_frame(unused));
        unused = next;
        frames++;
    }
    return frames;
}

uint64_t slab_reclaim(void)
{
    uint64_t frames = 0;
    for (unsigned i = 0; i < CLASSES; i++)
        frames += class_reclaim(&classes[i]);
    return frames;
}
