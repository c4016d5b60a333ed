/* SPDX-License-Identifier: MIT */
/*
 * Proves: the list and the tree of VMAs agree with a plain sorted array, whatever is inserted,
 * removed, cut, joined, moved and copied; the tree stays balanced and knows all room; VMAs are
 * placed as a search page by page would place them. vma_test STEPS SEED runs one sequence.
 */
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/defect.h"
#include "base/failpoint.h"
#include "expect.h"
#include "mm/phys/slab.h"
#include "mm/vma/vma.h"
#include "ranges.h"
#include "uapi/errno.h"

#define ARENA_BYTES (16ull << 20)
#define STEPS       1000000
#define LOOK_EVERY  50
#define RW          (VM_READ | VM_WRITE)

static unsigned long step;

/* ---- Looking ------------------------------------------------------------ */

/* The tree below node against the model from *at on, which moves on behind it; its height. */
static uint32_t look_at_subtree(const struct tree_node *node, const struct tree_node *parent,
                                unsigned *at)
{
    if (!node)
        return 0;
    uint32_t before = look_at_subtree(node->child[TREE_BEFORE], node, at);
    const struct vma *vma = vma_of_node((struct tree_node *)node);
    const struct range *range = ranges + *at;
    EXPECT(*at < count && vma->start == range->start, "node %u is of %#lx", *at, vma->start);
    uint64_t low = *at ? range[-1].end + keeps_above(range - 1) : 0;
    uint64_t high = range->start - keeps_below(range);
    EXPECT(node->value == (high > low ? high - low : 0), "room below %#lx is %#lx, not %#lx",
           range->start, high > low ? high - low : 0, node->value);
    ++*at;
    uint32_t behind = look_at_subtree(node->child[TREE_BEHIND], node, at);
    EXPECT(node->parent == parent, "parent of %#lx", vma->start);
    EXPECT(before <= behind + 1 && behind <= before + 1, "%#lx leans: heights %u and %u",
           vma->start, before, behind);
    uint64_t largest = node->value;
    for (int side = 0; side < 2; side++)
        largest = max_u64(largest, node->child[side] ? node->child[side]->largest : 0);
    EXPECT(node->largest == largest, "%#lx: the largest below is %#lx, not %#lx", vma->start,
           largest, node->largest);
    EXPECT(node->height == 1 + (before > behind ? before : behind), "height of %#lx", vma->start);
    return node->height;
}

static void look(struct mm *mm)
{
    unsigned at = 0;
    mm_for_each_vma(mm, vma)
    {
        const struct range *range = ranges + at;
        EXPECT(at < count && vma->start == range->start && vma->end == range->end
                   && vma->flags == range->flags && !vma->source == !range->file
                   && (!vma->source || vma->source_page == range->page),
               "VMA %u is %#lx-%#lx", at, vma->start, vma->end);
        at++;
    }
    EXPECT(at == count, "%u VMAs, not %u", at, count);
    at = 0;
    look_at_subtree(mm->vma_tree.root, NULL, &at);
    EXPECT(at == count, "%u nodes, not %u", at, count);
}

/* ---- Steps -------------------------------------------------------------- */

static struct mm *mm;
static long file_uses;
static void file_hold(struct vm_source *source) { (void)source, file_uses++; }
static void file_release(struct vm_source *source) { (void)source, file_uses--; }
static struct vm_source file = { .hold = file_hold, .release = file_release };

static uint64_t random_page(void) { return BASE + fake_random(PAGES) * PAGE_SIZE; }

static struct vma *vma_at(unsigned at)
{
    struct vma *vma = vma_find(mm, ranges[at].start);
    EXPECT(vma && vma->start == ranges[at].start, "%#lx is not found", ranges[at].start);
    return vma;
}

/* Insert a VMA of this range, which is free, with flags and all that are set. */
static void insert(struct range range)
{
    struct vma *vma = vma_create(mm);
    EXPECT(vma, "no memory");
    vma->start = range.start;
    vma->end = range.end;
    vma->flags = range.flags;
    if (range.file) {
        vma->source = &file;
        vma->source_page = range.page;
        file_hold(&file);
    }
    vma_insert(mm, vma, NULL);
    ranges_insert(ranges_find(range.start), range);
}

static void step_insert(void)
{
    static const uint32_t flags[] = { RW, RW, RW, VM_READ, RW | VM_DONTFORK, RW | VM_GROWSDOWN };
    struct range range = { .start = random_page(), .flags = flags[fake_random(ARRAY_SIZE(flags))] };
    unsigned at = ranges_find(range.start);
    uint64_t limit = at < count ? ranges[at].start : TOP;
    if (count == RANGES_MAX - 1 || limit <= range.start)
        return;
    range.end = min_u64(limit, range.start + (1 + fake_random(8)) * PAGE_SIZE);
    range.file = !(range.flags & VM_GROWSDOWN) && fake_random(3) == 0;
    range.page = range.file ? (range.start - BASE) / PAGE_SIZE : 0;
    insert(range);
}

static void step_remove(void)
{
    unsigned at = (unsigned)fake_random(count);
    struct vma *vma = vma_at(at);
    vma_remove(mm, vma);
    vma_free(vma);
    ranges_remove(at);
}

/* Find a place, which may be a shadow stack's, and use it. */
static void step_place(void)
{
    static const uint64_t aligns[] = { 1, 1, 16, 64 };
    uint64_t align = aligns[fake_random(ARRAY_SIZE(aligns))] * PAGE_SIZE;
    struct place wanted = { .len = (1 + fake_random(12)) * PAGE_SIZE,
                            .align = align,
                            .gap = fake_random(3) ? 0 : PAGE_SIZE };
    wanted.low = BASE + fake_random(PAGES / 2) * PAGE_SIZE;
    wanted.high = min_u64(wanted.low + (16 + fake_random(PAGES / 2)) * PAGE_SIZE, TOP);
    uint64_t expect = ranges_place(&wanted), saw = place_find(mm, &wanted);
    EXPECT(saw == expect, "%#lx bytes belong at %#lx, are placed at %#lx", wanted.len, expect, saw);
    if (!saw)
        return;
    EXPECT(place_is_free(mm, saw, saw + wanted.len, wanted.gap), "%#lx is not free", saw);
    if (count < RANGES_MAX - 1)
        insert((struct range){ .start = saw,
                               .end = saw + wanted.len,
                               .flags = wanted.gap ? RW | VM_SHADOW_STACK : RW });
}

static void step_is_free(void)
{
    bool blocked[PAGES];
    uint64_t gap = fake_random(2) * PAGE_SIZE, start = random_page(),
             end = min_u64(start + (1 + fake_random(8)) * PAGE_SIZE, TOP), va = start;
    ranges_block(gap, blocked);
    while (va < end && !blocked[(va - BASE) / PAGE_SIZE])
        va += PAGE_SIZE;
    EXPECT(place_is_free(mm, start, end, gap) == (va == end), "is %#lx-%#lx free?", start, end);
}

static void step_split(void)
{
    unsigned at = (unsigned)fake_random(count);
    struct range upper = ranges[at];
    uint64_t pages = (upper.end - upper.start) / PAGE_SIZE;
    if (pages < 2 || count == RANGES_MAX - 1)
        return;
    uint64_t cut = 1 + fake_random(pages - 1);
    struct vma *vma = vma_at(at), *spare = vma_create(mm);
    EXPECT(spare, "no memory");
    upper.start += cut * PAGE_SIZE;
    upper.page += upper.file ? cut : 0;
    vma_split(mm, vma, upper.start, spare);
    ranges[at].end = upper.start;
    ranges_insert(at + 1, upper);
}

static void step_merge(void)
{
    unsigned at = (unsigned)fake_random(count);
    vma_merge(mm, vma_at(at));
    if (at + 1 < count && ranges_continue(ranges + at, ranges + at + 1)) {
        ranges[at].end = ranges[at + 1].end;
        ranges_remove(at + 1);
    }
    if (at && ranges_continue(ranges + at - 1, ranges + at)) {
        ranges[at - 1].end = ranges[at].end;
        ranges_remove(at);
    }
}

/* Move an end of a VMA: to anywhere in it, or into the hole beside it. */
static void step_move(void)
{
    unsigned at = (unsigned)fake_random(count);
    struct range *range = ranges + at;
    struct vma *vma = vma_at(at);
    if (fake_random(2)) {
        uint64_t limit = at + 1 < count ? range[1].start : TOP;
        range->end = range->start
                     + (1 + fake_random((limit - range->start) / PAGE_SIZE)) * PAGE_SIZE;
        vma_set_end(mm, vma, range->end);
        return;
    }
    uint64_t limit = at ? range[-1].end : BASE;
    if (range->file)
        limit = max_u64(limit, range->start - min_u64(range->page * PAGE_SIZE, range->start));
    uint64_t start = range->end - (1 + fake_random((range->end - limit) / PAGE_SIZE)) * PAGE_SIZE;
    if (range->file)
        range->page += (start >> PAGE_SHIFT) - (range->start >> PAGE_SHIFT);
    range->start = start;
    vma_set_start(mm, vma, start);
}

static void step_find(void)
{
    uint64_t va = random_page() + fake_random(PAGE_SIZE);
    unsigned at = ranges_find(va);
    const struct vma *vma = vma_find(mm, va);
    EXPECT(at < count ? vma && vma->start == ranges[at].start : !vma, "%#lx is found in %#lx", va,
           vma ? vma->start : 0);
}

/* A copy has all but what is not for children. */
static void step_copy(void)
{
    static struct range parents[RANGES_MAX];
    unsigned parents_count = count;
    memcpy(parents, ranges, sizeof(ranges));
    struct mm *child = mm_create();
    EXPECT(child && vma_copy_all(child, mm) == 0, "no memory");
    for (unsigned at = count; at-- > 0;) {
        if (ranges[at].flags & VM_DONTFORK)
            ranges_remove(at);
    }
    look(child);
    mm_put(child);
    memcpy(ranges, parents, sizeof(ranges));
    count = parents_count;
}

/* There are many VMAs in turn, and few. */
static void take_step(void)
{
    static void (*const steps[])(void) = { step_remove, step_split, step_merge, step_move,
                                           step_find };
    bool growing = step / 5000 % 2 == 0;
    uint64_t kind = fake_random(100);
    if (kind < 4)
        step_place();
    else if (kind < 6)
        step_is_free();
    else if (kind < (growing ? 40 : 10) || !count)
        step_insert();
    else if (step % 2000 == 0)
        step_copy();
    else
        steps[kind % ARRAY_SIZE(steps)]();
}

static void run_sequence(unsigned long steps, uint64_t seed)
{
    fake_seed = seed;
    fake_start(ARENA_BYTES);
    vm_source_init(&file);
    mm = mm_create();
    for (step = 1; step <= steps; step++) {
        take_step();
        if (step % LOOK_EVERY == 0)
            look(mm);
    }
    mm_put(mm);
    EXPECT(file_uses == 0 && list_empty(&file.vmas), "the file has %ld uses", file_uses);
}

/* ---- Memory runs out ---------------------------------------------------- */

/* A fork whose n-th allocation fails, for every n: nothing is left of it, and the parent is as it
 * was. */
static bool a_copy_that_fails_leaves_nothing(void)
{
    struct frame_stats before, after;
    mm = mm_create();
    count = 0;
    for (uint64_t page = 0; page < 200; page++)
        insert((struct range){ BASE + 2 * page * PAGE_SIZE, BASE + (2 * page + 1) * PAGE_SIZE, RW,
                               page % 2, page });
    slab_reclaim();
    frame_stats(&before);
    unsigned long n = 1;
    for (int err = -ENOMEM; err; n++) {
        struct mm *child;
        failpoint_arm(n);
        err = mm_fork(mm, FORK_LEAVES, &child);
        failpoint_arm(0);
        if (err != 0 && err != -ENOMEM)
            return diagnose("fork: %d", err);
        if (!err)
            mm_put(child);
        slab_reclaim();
        frame_stats(&after);
        if (after.free != before.free || file_uses != 100)
            return diagnose("allocation %lu: %lu frames free, not %lu; %ld uses", n, after.free,
                            before.free, file_uses);
        look(mm);
    }
    mm_put(mm);
    return n > 200 || diagnose("%lu allocations", n);
}

static void run_out_of_memory(void)
{
    fake_start(ARENA_BYTES);
    vm_source_init(&file);
    exit(!a_copy_that_fails_leaves_nothing());
}

/* ---- The suite ---------------------------------------------------------- */

/* In a process of its own, with or without a planted defect. */
static bool passes(unsigned long steps, uint64_t seed, const char *defect)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (defect && (!freopen("/dev/null", "w", stdout) || defect_set(defect)))
            _exit(0);
        if (!steps)
            run_out_of_memory();
        run_sequence(steps, seed);
        exit(0); /* not _exit(): what it covered is to be counted */
    }
    int status;
    waitpid(pid, &status, 0);
    return status == 0;
}

int main(int argc, char *argv[])
{
    if (argc == 3) {
        run_sequence(strtoul(argv[1], NULL, 0), strtoul(argv[2], NULL, 0));
        return 0;
    }
    uint64_t seed = (uint64_t)time(NULL) | 1;
    printf("# another seed each time; to repeat: vma_test %d %lu\n", STEPS, (unsigned long)seed);
    plan(4);
    result("vmas_agree_with_an_array_fixed_seed", passes(STEPS, 1, NULL));
    result("vmas_agree_with_an_array_new_seed", passes(STEPS, seed, NULL));
    result("a_copy_that_fails_leaves_nothing", passes(0, 0, NULL));
    result("vmas_agree_with_an_array notices stale_room", !passes(STEPS / 100, 1, "stale_room"));
    return suite_status();
}
