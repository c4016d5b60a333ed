/* SPDX-License-Identifier: MIT */
/* The pages of a file. A file of one page costs no table; each further height holds 512 times as
 * many pages. */
#include "kernel/fs/ramfs/pages.h"

#include "mm/phys/slab.h"

#define TABLE_SHIFT   9
#define TABLE_ENTRIES (1u << TABLE_SHIFT)

/* How many pages an entry of a table of this height stands for; a frame itself has height 0. */
static uint64_t entry_pages(unsigned height) { return 1ull << (height - 1) * TABLE_SHIFT; }
static uint64_t tree_pages(unsigned height) { return 1ull << height * TABLE_SHIFT; }

struct frame *pages_find(const struct pages *pages, uint64_t page)
{
    void *node = pages->top;
    if (page >= tree_pages(pages->height))
        return NULL;
    for (unsigned height = pages->height; node && height; height--)
        node = ((void **)node)[page / entry_pages(height) % TABLE_ENTRIES];
    return node;
}

/* Make the tree high enough for page: the old tree becomes the first entry of a higher one. */
static bool tree_raise(struct pages *pages, uint64_t page)
{
    while (page >= tree_pages(pages->height)) {
        if (pages->top) {
            void **table = kzalloc(PAGE_SIZE);
            if (!table)
                return false;
            table[0] = pages->top;
            pages->top = table;
        }
        pages->height++;
    }
    return true;
}

struct frame *pages_make(struct pages *pages, uint64_t page)
{
    if (!tree_raise(pages, page))
        return NULL;
    void **at = &pages->top;
    for (unsigned height = pages->height; height; height--) {
        if (!*at)
            *at = kzalloc(PAGE_SIZE);
        if (!*at)
            return NULL;
        at = (void **)*at + page / entry_pages(height) % TABLE_ENTRIES;
    }
    if (!*at)
        *at = frame_alloc_zeroed(FRAME_FILE);
    return *at;
}

/* As pages_next(), below a node of this height that begins at page first; PAGES_MAX when there is
 * none there. */
static uint64_t node_next(void *const *node, unsigned height, uint64_t first, uint64_t page,
                          bool there)
{
    if (!node)
        return there ? PAGES_MAX : page;
    if (!height)
        return there ? page : PAGES_MAX;
    uint64_t each = entry_pages(height);
    for (unsigned i = (unsigned)((page - first) / each); i < TABLE_ENTRIES; i++) {
        uint64_t start = first + i * each;
        uint64_t found = node_next(node[i], height - 1, start, page > start ? page : start, there);
        if (found != PAGES_MAX)
            return found;
    }
    return PAGES_MAX;
}

uint64_t pages_next(const struct pages *pages, uint64_t page, bool there)
{
    if (page >= tree_pages(pages->height))
        return there ? PAGES_MAX : page;
    uint64_t found = node_next(pages->top, pages->height, 0, page, there);
    return found == PAGES_MAX && !there ? tree_pages(pages->height) : found;
}

/* Give back what node, of this height, holds from page on, and node itself when nothing is left.
 * Returns node's new value. */
static void *node_cut(void **node, unsigned height, uint64_t page)
{
    if (!node)
        return NULL;
    if (!height) {
        frame_put((struct frame *)node);
        return NULL;
    }
    uint64_t each = entry_pages(height);
    for (uint64_t i = page / each; i < TABLE_ENTRIES; i++)
        node[i] = node_cut(node[i], height - 1, i == page / each ? page % each : 0);
    if (page)
        return node;
    kfree(node);
    return NULL;
}

void pages_cut(struct pages *pages, uint64_t page)
{
    if (page < tree_pages(pages->height))
        pages->top = node_cut(pages->top, pages->height, page);
    if (!pages->top)
        pages->height = 0;
}
