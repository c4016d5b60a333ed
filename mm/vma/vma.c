/* SPDX-License-Identifier: MIT */
/* The VMAs of an address space: finding, cutting, joining. No page-table entry is touched here. */
#include "mm/vma/vma.h"

#include "base/panic.h"
#include "mm/phys/slab.h"
#include "mm/planted.h"
#include "uapi/errno.h"

#define STACK_GAP_BYTES (1ull << 20) /* as Linux's stack_guard_gap: 256 pages */

struct vma *vma_find(struct mm *mm, uint64_t va)
{
    struct vma *hint = __atomic_load_n(&mm->hint, __ATOMIC_RELAXED);
    if (hint && vma_contains(hint, va))
        return hint;
    struct vma *found = NULL;
    for (struct tree_node *node = mm->vma_tree.root; node;) {
        struct vma *vma = vma_of_node(node);
        if (va >= vma->end) {
            node = node->child[TREE_BEHIND];
            continue;
        }
        found = vma;
        if (va >= vma->start) {
            __atomic_store_n(&mm->hint, vma, __ATOMIC_RELAXED);
            break;
        }
        node = node->child[TREE_BEFORE];
    }
    return found;
}

/* ---- Room --------------------------------------------------------------- */

uint64_t vma_gap_below(const struct vma *vma)
{
    if (vma_is_shstk(vma))
        return PAGE_SIZE;
    return vma->flags & VM_GROWSDOWN ? STACK_GAP_BYTES : 0;
}

uint64_t vma_gap_above(const struct vma *vma) { return vma_is_shstk(vma) ? PAGE_SIZE : 0; }

static uint64_t room_below(struct mm *mm, const struct vma *vma)
{
    const struct vma *prev = vma_prev(mm, vma);
    uint64_t low = prev ? prev->end + vma_gap_above(prev) : 0;
    uint64_t high = vma->start - min_u64(vma->start, vma_gap_below(vma));
    return high - min_u64(high, low);
}

/* The room below vma (NULL: nothing to do) has changed. */
static void room_update(struct mm *mm, struct vma *vma)
{
    if (vma)
        tree_set(&vma->node, room_below(mm, vma));
}

/* ---- Limits ------------------------------------------------------------- */

static struct mm_limits no_limits(void) { return (struct mm_limits){ 8ull << 20, ~0ull, ~0ull }; }
struct mm_limits (*mm_limits)(void) = no_limits;

/* As Linux counts RLIMIT_DATA: private and writable, but for stacks. */
static bool flags_are_data(uint32_t flags)
{
    return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN | VM_SHADOW_STACK)) == VM_WRITE;
}

bool vma_room(struct mm *mm, uint32_t flags, uint64_t start, uint64_t end)
{
    struct mm_limits limits = mm_limits();
    uint64_t all = 0, data = 0, replaced = 0;
    if (limits.space == ~0ull && limits.data == ~0ull)
        return true;
    mm_for_each_vma(mm, vma)
    {
        uint64_t from = max_u64(start, vma->start), to = max_u64(from, min_u64(end, vma->end));
        uint64_t stays = vma->end - vma->start - (to - from);
        all += stays;
        data += flags_are_data(vma->flags) ? stays : 0;
        replaced += to - from;
    }
    all += end - start;
    data += end - start;
    return (all <= limits.space || replaced == end - start)
           && (data <= limits.data || !flags_are_data(flags));
}

/* ---- One VMA ------------------------------------------------------------ */

struct vma *vma_create(const struct mm *mm)
{
    struct vma *vma = mm->vma_count < VMAS_MAX ? kzalloc(sizeof(*vma)) : NULL;
    if (vma) {
        list_init(&vma->link);
        list_init(&vma->source_link);
    }
    return vma;
}

void vma_free(struct vma *vma)
{
    if (vma->source)
        vma->source->release(vma->source);
    kfree(vma);
}

/* Link vma in before next (NULL: as the last). */
static void vma_link(struct mm *mm, struct vma *vma, struct vma *next)
{
    struct vma *prev = vma_prev(mm, next);
    list_append(&vma->link, next ? &next->link : &mm->vmas);
    vma->node.value = room_below(mm, vma);
    tree_insert(&mm->vma_tree, &vma->node, prev ? &prev->node : NULL, next ? &next->node : NULL);
    room_update(mm, next);
    mm->vma_count++;
}

void vma_insert(struct mm *mm, struct vma *vma, const struct vma *from)
{
    struct vma *above = vma_find(mm, vma->start);
    ASSERT(vma->start < vma->end && (!above || vma->end <= above->start));
    vma_link(mm, vma, above);
    vma_attach(mm, vma, from);
}

void vma_remove(struct mm *mm, struct vma *vma)
{
    struct vma *next = vma_next(mm, vma);
    mm->hint = NULL;
    list_remove(&vma->link);
    tree_remove(&mm->vma_tree, &vma->node);
    room_update(mm, planted_room(next));
    mm->vma_count--;
    vma_detach(vma);
}

void vma_set_start(struct mm *mm, struct vma *vma, uint64_t start)
{
    if (vma->source)
        vma->source_page += (start >> PAGE_SHIFT) - (vma->start >> PAGE_SHIFT);
    vma->start = start;
    room_update(mm, vma);
}

void vma_set_end(struct mm *mm, struct vma *vma, uint64_t end)
{
    vma->end = end;
    room_update(mm, vma_next(mm, vma));
}

/* ---- Copies and parts --------------------------------------------------- */

void vma_copy(struct vma *copy, const struct vma *vma)
{
    copy->start = vma->start;
    copy->end = vma->end;
    copy->flags = vma->flags & ~VM_PAGED;
    copy->pager = NULL;
    copy->source = vma->source;
    copy->source_page = vma->source_page;
    if (copy->source)
        copy->source->hold(copy->source);
}

void vma_split(struct mm *mm, struct vma *vma, uint64_t va, struct vma *upper)
{
    ASSERT(vma->start < va && va < vma->end);
    mm->hint = NULL;
    vma_copy(upper, vma);
    upper->flags = vma->flags;
    upper->pager = vma->pager;
    upper->start = va;
    if (upper->source)
        upper->source_page = vma_source_page(vma, va);
    vma->end = va;
    vma_link(mm, upper, vma_next(mm, vma));
    vma_attach(mm, upper, vma);
}

/* vma_create() and vma_copy() in one, without clearing what is set anyway. */
static struct vma *vma_duplicate(const struct vma *vma)
{
    struct vma *copy = kmalloc(sizeof(*copy));
    if (!copy)
        return NULL;
    list_init(&copy->source_link);
    copy->mm = NULL;
    copy->cuts = 0;
    vma_copy(copy, vma);
    return copy;
}

/* Append copies of a subtree's VMAs to child's list, and hang them at *place in the same shape. */
static bool subtree_copy(struct mm *child, const struct tree_node *from, struct tree_node **place)
{
    struct tree_node *before = NULL, *behind = NULL;
    if (from->child[TREE_BEFORE] && !subtree_copy(child, from->child[TREE_BEFORE], &before))
        return false;
    struct vma *copy = vma_duplicate(vma_of_node(from));
    if (!copy)
        return false;
    list_append(&copy->link, &child->vmas);
    child->vma_count++;
    if (from->child[TREE_BEHIND] && !subtree_copy(child, from->child[TREE_BEHIND], &behind))
        return false;
    tree_copy_node(&copy->node, from, before, behind);
    *place = &copy->node;
    return true;
}

int vma_copy_all(struct mm *child, struct mm *parent)
{
    if (parent->vma_tree.root && !subtree_copy(child, parent->vma_tree.root, &child->vma_tree.root))
        return -ENOMEM;
    list_for_each_safe (link, after, &child->vmas) {
        struct vma *vma = vma_of_link(link);
        if (vma->flags & VM_DONTFORK) {
            vma_remove(child, vma);
            vma_free(vma);
        }
    }
    return 0;
}

/* Does b go on where a ends, with the same meaning? A shadow stack is always a VMA of its own. */
static bool vma_continues(const struct vma *a, const struct vma *b)
{
    return a->end == b->start && a->flags == b->flags && a->source == b->source
           && a->pager == b->pager && !vma_is_shstk(a)
           && (!a->source || (vma_source_page(a, a->end) == b->source_page && a->cuts == b->cuts));
}

void vma_merge(struct mm *mm, struct vma *vma)
{
    struct vma *next = vma_next(mm, vma);
    if (next && vma_continues(vma, next)) {
        vma->end = next->end;
        vma_remove(mm, next);
        vma_free(next);
    }
    struct vma *prev = vma_prev(mm, vma);
    if (prev && vma_continues(prev, vma)) {
        prev->end = vma->end;
        vma_remove(mm, vma);
        vma_free(vma);
    }
}
