/* SPDX-License-Identifier: MIT */
/* mremap as a step of mm_test: any part of a row of cells grows, shrinks, or moves to any other
 * part. */
#include "base/failpoint.h"
#include "steps.h"
#include "uapi/errno.h"

struct wish {
    struct process *process;
    unsigned first, old, new, to; /* cells */
    struct remap_request request;
    uint64_t unit; /* bytes from one cell to the next */
    uint64_t vma_end;
};

static const struct cell *first_cell(const struct wish *wish)
{
    return &wish->process->model.cell[wish->first];
}

/* What cell number i of the new place is to hold. */
static struct cell cell_after(const struct wish *wish, const struct cell *before, unsigned i)
{
    struct cell cell = before[wish->first];
    if (i < wish->old)
        return before[wish->first + i];
    cell.own = false;
    cell.file_page += (cell_va(wish->first + i) - cell_va(wish->first)) >> PAGE_SHIFT;
    return cell;
}

static bool is_row_of_leaves(unsigned cell) { return cell >= SMALL_CELLS && cell < MIXED_FIRST; }
static unsigned row_end(unsigned cell)
{
    return cell < SMALL_CELLS ? SMALL_CELLS : cell < MIXED_FIRST ? MIXED_FIRST : CELLS;
}

/* Can the mapping grow where it is: nothing is in its way, nor in that of the gaps? */
static bool grows_in_place(const struct wish *wish)
{
    const struct cell *cell = wish->process->model.cell;
    unsigned next = wish->first + wish->old, end = row_end(wish->first);
    if (wish->vma_end != wish->request.start + wish->request.old_len)
        return false;
    while (next < end && !cell[next].mapped)
        next++;
    bool guards = (cell[wish->first].flags | (next < end ? cell[next].flags : 0)) & VM_SHADOW_STACK;
    bool stack = next < end && cell[next].flags & VM_GROWSDOWN;
    unsigned gap = stack ? (unsigned)(MIXED_BYTES / wish->unit) : guards;
    return next == end || next >= wish->first + wish->new + gap;
}

static int huge_expect(const struct wish *wish)
{
    const struct remap_request *request = &wish->request;
    bool aligned = is_aligned(request->start | request->to, level_bytes(2));
    return aligned && !request->keep && wish->new <= wish->old ? 0 : -EINVAL;
}

static int expected(const struct wish *wish)
{
    const struct remap_request *request = &wish->request;
    const struct model *model = &wish->process->model;
    bool moves = request->fixed || request->keep;
    bool overlaps = wish->first + wish->old > wish->to && wish->to + wish->new > wish->first;
    if (!first_cell(wish)->mapped)
        return -EFAULT;
    if (first_cell(wish)->flags & VM_HUGE_2M && huge_expect(wish))
        return -EINVAL;
    if (request->fixed && (overlaps || wish->first == wish->to))
        return overlaps ? -EINVAL : -EFAULT;
    if (!moves && wish->new <= wish->old) {
        bool cuts = model_cuts_leaf(model, wish->first + wish->new, wish->old - wish->new);
        return cuts && wish->new < wish->old ? -EINVAL : 0;
    }
    if (!wish->old && first_cell(wish)->backing != FILE_SHARED)
        return -EINVAL;
    if (min_u64(wish->old, wish->new) * wish->unit > wish->vma_end - request->start)
        return -EFAULT;
    if (!moves && grows_in_place(wish))
        return 0;
    if (!request->may_move)
        return -ENOMEM;
    bool cuts = (request->fixed && model_cuts_leaf(model, wish->to, wish->new))
                || (wish->old && !request->keep && model_cuts_leaf(model, wish->first, wish->old));
    return cuts ? -EINVAL : 0;
}

/* What lies at an address without cells: look at it, and unmap it. */
static void look_and_unmap(const struct wish *wish, const struct cell *before, uint64_t at)
{
    struct mm *mm = wish->process->mm;
    failpoint_arm(0);
    for (unsigned i = 0; i < wish->new; i++) {
        struct cell cell = cell_after(wish, before, i);
        uint64_t value = ~0ull, va = at + (cell_va(wish->first + i) - cell_va(wish->first));
        bool readable = cell_gup(&cell, GUP_FORCE) == 0;
        long done = mm_access(mm, va, &value, sizeof(value), GUP_FORCE);
        EXPECT(done == (readable ? 8 : -EFAULT), "remapped to %#lx: %ld", (unsigned long)va, done);
        EXPECT(!readable || value == cell_value(&cell), "remapped to %#lx: %#lx, expect %#lx",
               (unsigned long)va, (unsigned long)value, (unsigned long)cell_value(&cell));
    }
    EXPECT(mm_unmap(mm, at, wish->new * wish->unit, NULL) == 0, "unmap");
}

static void apply(const struct wish *wish, uint64_t at)
{
    static struct model before;
    struct cell *cell = wish->process->model.cell;
    const struct remap_request *request = &wish->request;
    before = wish->process->model;
    bool moved = at != request->start;
    unsigned to = request->fixed ? wish->to : wish->first;
    EXPECT(moved ? request->may_move && (request->fixed || !grows_in_place(wish) || request->keep)
                 : !request->fixed,
           "remapped to %#lx", (unsigned long)at);
    for (unsigned i = 0; i < wish->old; i++) {
        if (request->keep)
            cell[wish->first + i].own = false;
        else
            cell[wish->first + i] = (struct cell){ 0 };
    }
    for (unsigned i = 0; i < wish->new && (!moved || request->fixed); i++)
        cell[to + i] = cell_after(wish, before.cell, i);
    if (moved && !request->fixed)
        look_and_unmap(wish, before.cell, at);
}

/* Lengths, flags and the place, by chance. */
static void wish_make(struct wish *wish)
{
    struct range from = random_range(), to = random_range();
    struct remap_request *request = &wish->request;
    bool same_row = row_end(from.first) == row_end(to.first);
    bool to_is_known = same_row && fake_random(2);
    wish->unit = is_row_of_leaves(from.first) ? level_bytes(2) / LEAF_CELLS
                                              : from.bytes / from.count;
    wish->first = from.first;
    wish->old = fake_random(12) || is_row_of_leaves(from.first) ? from.count : 0;
    wish->new = same_row &&from.first + to.count <= row_end(from.first) ? to.count : from.count;
    wish->to = to.first;
    request->may_move = to_is_known || fake_random(3);
    request->keep = request->may_move && fake_random(4) == 0;
    request->fixed = to_is_known;
    if (request->keep)
        wish->new = wish->old;
    if (to_is_known && wish->to + wish->new > row_end(to.first))
        wish->to = row_end(to.first) - wish->new;
}

void step_remap(struct process *process)
{
    struct wish wish = { .process = process };
    struct remap_request *request = &wish.request;
    wish_make(&wish);
    if (!wish.new)
        return;
    /* as in Linux, lengths of huge mappings are rounded up to leaves */
    bool huge = process->model.cell[wish.first].flags & VM_HUGE_2M && wish.first >= MIXED_FIRST;
    request->start = cell_va(wish.first);
    request->to = request->fixed ? cell_va(wish.to) : 0;
    request->old_len = is_row_of_leaves(wish.first) ? level_bytes(2) : wish.old * wish.unit;
    request->new_len = is_row_of_leaves(wish.first) ? level_bytes(2) : wish.new *wish.unit;
    if (huge && (wish.first % 2 == MIXED_FIRST % 2)) {
        wish.old = (wish.old + 1) & ~1u;
        wish.new = (wish.new + 1) & ~1u;
        if (wish.first + wish.old > CELLS || (request->fixed && wish.to + wish.new > CELLS))
            return;
    }
    struct vma vma = { 0 };
    char name[8];
    if (mm_next_vma(process->mm, request->start, &vma, name, sizeof(name)))
        wish.vma_end = vma.end;
    int expect = expected(&wish);
    uint64_t at = 0;
    int err = mm_remap(process->mm, request, NULL, &at);
    if (err == -ENOMEM && may_run_out)
        return;
    EXPECT(err == expect, "remap [%#lx, +%#lx) to %#lx, +%#lx, flags %d%d%d: %d, expect %d",
           (unsigned long)request->start, (unsigned long)request->old_len,
           (unsigned long)request->to, (unsigned long)request->new_len, request->may_move,
           request->fixed, request->keep, err, expect);
    if (!err)
        apply(&wish, at);
}
