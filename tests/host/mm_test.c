/* SPDX-License-Identifier: MIT */
/*
 * Proves: whatever programs do, in whatever order, they see what the plain model says, every
 * frame's count is the number of its users, no TLB entry outlives its right, and a failing
 * allocation changes nothing.
 *
 * Random steps of map, unmap, protect, discard, load, store, fetch, shadow-stack load and store,
 * get-user-pages, fork and exit over a few processes; one in twelve meets a failing allocation.
 * `mm_test STEPS SEED` runs one such sequence.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/defect.h"
#include "base/failpoint.h"
#include "mm/slab.h"
#include "mm/zero.h"
#include "model.h"
#include "uapi/errno.h"

#define PROCESSES         6
#define ARENA_BYTES       (128ull << 20)
#define STEPS             1000000
#define STEPS_WITH_DEFECT 60000
#define LOOK_EVERY        500

struct process {
    struct mm *mm; /* NULL: none */
    struct model model;
};
static struct process processes[PROCESSES];
static unsigned long step;
static bool may_run_out; /* this step meets a failing allocation */

#define EXPECT(condition, format, ...)                               \
    do {                                                             \
        if (!(condition)) {                                          \
            printf("# step %lu: " format "\n", step, ##__VA_ARGS__); \
            fflush(stdout);                                          \
            exit(1);                                                 \
        }                                                            \
    } while (0)

/* ---- The file ----------------------------------------------------------- */

static struct frame *file_frames[FILE_PAGES];

static int file_frame(struct vm_source *source, uint64_t page, struct frame **frame)
{
    (void)source;
    if (page >= FILE_PAGES)
        return -EIO;
    if (failpoint_hit())
        return -ENOMEM;
    *frame = file_frames[page];
    frame_get(*frame);
    return 0;
}
static void file_count(struct vm_source *source) { (void)source; }
static void file_name(struct vm_source *source, char *to, size_t size)
{
    (void)source;
    snprintf(to, size, "file");
}
static struct vm_source file = { file_frame, file_count, file_count, file_name };

static void file_create(void)
{
    for (unsigned i = 0; i < FILE_PAGES; i++) {
        file_frames[i] = frame_alloc_zeroed(FRAME_FILE);
        model_file[i] = *(uint64_t *)frame_va(file_frames[i]) = 0xf11e00 + i;
    }
}

/* ---- Ranges of cells ---------------------------------------------------- */

struct range {
    unsigned first, count;
    uint64_t start, bytes;
    bool huge;
};

static struct range random_range(void)
{
    struct range range = { .huge = fake_random(40) == 0 };
    if (range.huge) {
        unsigned leaf = (unsigned)fake_random(HUGE_LEAVES);
        range.first = SMALL_CELLS + leaf * LEAF_CELLS;
        range.count = LEAF_CELLS;
        range.bytes = level_bytes(2);
    } else {
        range.first = (unsigned)fake_random(SMALL_CELLS);
        range.count = 1 + (unsigned)fake_random(min_u64(8, SMALL_CELLS - range.first));
        range.bytes = range.count * PAGE_SIZE;
    }
    range.start = cell_va(range.first);
    return range;
}

static uint32_t random_prot(void)
{
    static const uint32_t prots[] = { 0,
                                      VM_READ,
                                      VM_READ | VM_WRITE,
                                      VM_READ | VM_WRITE,
                                      VM_READ | VM_WRITE,
                                      VM_READ | VM_EXEC,
                                      VM_READ | VM_WRITE | VM_EXEC };
    return prots[fake_random(ARRAY_SIZE(prots))];
}

/* Did a call that may run out of memory do so? Then nothing may have changed. */
static bool ran_out(int err)
{
    EXPECT(err != -ENOMEM || may_run_out, "out of memory without cause");
    return err == -ENOMEM;
}

/* ---- Steps -------------------------------------------------------------- */

static void step_map(struct process *process)
{
    struct range range = random_range();
    enum backing backing = range.huge ? ANONYMOUS : (enum backing)fake_random(3);
    struct map_request request = { .start = range.start,
                                   .len = range.bytes,
                                   .fixed = true,
                                   .flags = random_prot() };
    request.source = backing == ANONYMOUS ? NULL : &file;
    request.source_page = backing == ANONYMOUS ? 0 : fake_random(FILE_PAGES);
    request.no_replace = fake_random(4) == 0;
    request.flags |= (backing == FILE_SHARED ? VM_SHARED : 0) | (range.huge ? VM_HUGE_2M : 0);

    bool occupied = false;
    for (unsigned i = 0; i < range.count; i++)
        occupied |= process->model.cell[range.first + i].mapped;
    uint64_t at;
    int err = mm_map(process->mm, &request, &at);
    if (ran_out(err))
        return;
    int expect = occupied && request.no_replace ? -EEXIST : 0;
    EXPECT(err == expect, "map: %d, expect %d", err, expect);
    for (unsigned i = 0; !err && i < range.count; i++)
        process->model.cell[range.first + i] = (struct cell){ true,    request.flags & VM_PROT,
                                                              backing, request.source_page + i,
                                                              false,   0 };
}

static void step_map_shstk(struct process *process)
{
    struct range range = random_range();
    bool free = true, token = fake_random(2);
    /* a page on each side must be free as well: in the row of small pages a cell, beside a huge
     * leaf the next leaf's near end */
    unsigned low = range.huge ? SMALL_CELLS : 0, high = range.huge ? CELLS : SMALL_CELLS;
    for (unsigned i = range.first > low ? range.first - 1 : low;
         i <= range.first + range.count && i < high; i++)
        free &= !process->model.cell[i].mapped;
    uint64_t at;
    int err = mm_map_shstk(process->mm, range.start, range.bytes, token, range.huge, &at);
    if (ran_out(err))
        return;
    EXPECT(err == (free ? 0 : -EEXIST), "map_shstk: %d though %s", err, free ? "free" : "occupied");
    for (unsigned i = 0; !err && i < range.count; i++)
        process->model.cell[range.first + i] =
            (struct cell){ true, VM_READ | VM_WRITE | VM_SHADOW_STACK, ANONYMOUS, 0, false, 0 };
    if (!err && token) {
        uint64_t top = at + range.bytes, word;
        EXPECT(mm_access(process->mm, top - 8, &word, 8, 0) == 8 && word == (top | 1), "token %#lx",
               (unsigned long)word);
        if (range.huge)
            process->model.cell[range.first + 2].own = process->model.cell[range.first].own = true;
    }
}

static void step_unmap(struct process *process)
{
    struct range range = random_range();
    bool part = range.huge && fake_random(4) == 0;
    int err = mm_unmap(process->mm, range.start, part ? PAGE_SIZE : range.bytes);
    if (ran_out(err))
        return;
    int expect = part && process->model.cell[range.first].mapped ? -EINVAL : 0;
    EXPECT(err == expect, "unmap: %d, expect %d", err, expect);
    for (unsigned i = 0; !part && i < range.count; i++)
        process->model.cell[range.first + i] = (struct cell){ 0 };
}

static void step_protect(struct process *process)
{
    struct range range = random_range();
    uint32_t prot = random_prot();
    int expect = 0;
    for (unsigned i = 0; i < range.count && !expect; i++) {
        const struct cell *cell = &process->model.cell[range.first + i];
        expect = !cell->mapped                                     ? -ENOMEM
                 : cell->flags & VM_SHADOW_STACK && prot & VM_EXEC ? -EINVAL
                                                                   : 0;
    }
    int err = mm_protect(process->mm, range.start, range.bytes, prot);
    if (err == -ENOMEM && may_run_out)
        return;
    EXPECT(err == expect, "protect: %d, expect %d", err, expect);
    for (unsigned i = 0; !err && i < range.count; i++) {
        struct cell *cell = &process->model.cell[range.first + i];
        cell->flags = (cell->flags & ~VM_PROT) | prot;
    }
}

static void step_discard(struct process *process)
{
    struct range range = random_range();
    bool hole = false;
    for (unsigned i = 0; i < range.count; i++)
        hole |= !process->model.cell[range.first + i].mapped;
    int err = mm_discard(process->mm, range.start, range.bytes);
    EXPECT(err == (hole ? -ENOMEM : 0), "discard: %d", err);
    for (unsigned i = 0; i < range.count; i++)
        process->model.cell[range.first + i].own = false;
}

static void step_access(struct process *process)
{
    unsigned index = (unsigned)fake_random(CELLS);
    struct cell *cell = &process->model.cell[index];
    enum cpu_access access = (enum cpu_access)fake_random(5);
    bool writes = access == CPU_STORE || access == CPU_SHSTK_STORE;
    uint64_t value = writes ? step : ~0ull;
    enum fault_outcome outcome = cpu_access(process->mm, cell_va(index), access, &value),
                       expect = cell_access(cell, access);
    if (outcome == FAULT_BAD_NO_MEMORY && may_run_out)
        return;
    EXPECT(outcome == expect, "access %d at %#lx: outcome %d, expect %d", access,
           (unsigned long)cell_va(index), outcome, expect);
    if (!fault_resolved(outcome))
        return;
    if (writes)
        cell_store(cell, value);
    else
        EXPECT(value == cell_value(cell), "access %d at %#lx reads %#lx, expect %#lx", access,
               (unsigned long)cell_va(index), (unsigned long)value,
               (unsigned long)cell_value(cell));
}

static void step_gup(struct process *process)
{
    unsigned index = (unsigned)fake_random(CELLS), flags = (unsigned)fake_random(4);
    struct cell *cell = &process->model.cell[index];
    uint64_t value = flags & GUP_WRITE ? step : ~0ull;
    long done = mm_access(process->mm, cell_va(index), &value, sizeof(value), flags);
    if (done == -ENOMEM && may_run_out)
        return;
    int expect = cell_gup(cell, flags);
    EXPECT(done == (expect ? expect : 8), "gup %u at %#lx: %ld, expect %d", flags,
           (unsigned long)cell_va(index), done, expect);
    if (done != 8)
        return;
    if (flags & GUP_WRITE)
        cell_store(cell, value);
    else
        EXPECT(value == cell_value(cell), "gup reads %#lx, expect %#lx", (unsigned long)value,
               (unsigned long)cell_value(cell));
}

static void step_fork(struct process *process)
{
    struct process *child = NULL;
    for (unsigned i = 0; i < PROCESSES && !child; i++)
        child = processes[i].mm ? NULL : &processes[i];
    if (!child)
        return;
    struct mm *mm = NULL;
    int err = mm_fork(process->mm, &mm);
    if (ran_out(err))
        return;
    EXPECT(err == 0, "fork: %d", err);
    child->mm = mm;
    child->model = process->model;
}

static void step_exit(struct process *process)
{
    unsigned alive = 0;
    for (unsigned i = 0; i < PROCESSES; i++)
        alive += processes[i].mm != NULL;
    if (alive == 1)
        return;
    mm_put(process->mm);
    process->mm = NULL;
}

/* ---- Looking at everything ---------------------------------------------- */

#define PFN_MAX ((ARENA_BYTES >> PAGE_SHIFT) + 256)
static uint32_t uses[PFN_MAX];

/* What was modified must be recorded so, whether the entry has W or not. */
static void check_dirty(struct process *process)
{
    for (unsigned i = 0; i < CELLS; i++) {
        struct leaf leaf;
        if (process->model.cell[i].own)
            EXPECT(mm_next_leaf(process->mm, cell_va(i), &leaf) && leaf.va <= cell_va(i)
                       && pte_dirty(leaf.pte),
                   "the page at %#lx is modified, its entry %#lx is not dirty",
                   (unsigned long)cell_va(i), (unsigned long)leaf.pte.raw);
    }
}

/* Count the users of every frame of a process's leaves; a leaf that can be written must be its
 * frames' only one. */
static void count_leaves(struct process *process)
{
    struct leaf leaf;
    uint64_t resident = 0;
    for (uint64_t va = 0; mm_next_leaf(process->mm, va, &leaf);
         va = leaf.va + level_bytes(leaf.level)) {
        EXPECT(leaf.state != 'e' && leaf.state != '!', "state %c of %#lx", leaf.state,
               (unsigned long)leaf.pte.raw);
        EXPECT(!pte_write(leaf.pte) || leaf.refs == 1 || pfn_to_frame(leaf.pfn)->kind == FRAME_FILE,
               "%#lx is writable and has %u users", (unsigned long)leaf.va, leaf.refs);
        for (uint64_t i = 0; i < level_frames(leaf.level); i++)
            uses[leaf.pfn + i]++;
        resident += level_frames(leaf.level);
    }
    EXPECT(resident == process->mm->resident, "%lu frames resident, counted %lu",
           (unsigned long)resident, (unsigned long)process->mm->resident);
}

static void look_at_everything(void)
{
    memset(uses, 0, sizeof(uses));
    for (unsigned i = 0; i < FILE_PAGES; i++)
        uses[frame_pfn(file_frames[i])] = 1;
    uses[frame_pfn(zero_frame())] = 1;
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (!processes[i].mm)
            continue;
        EXPECT(mm_check(processes[i].mm) == 0, "the walker found something");
        EXPECT(tlb_is_coherent(processes[i].mm), "stale TLB entry");
        check_dirty(&processes[i]);
        count_leaves(&processes[i]);
    }
    struct frame_stats stats;
    uint64_t used = 0;
    frame_stats(&stats);
    for (uint64_t pfn = 256; pfn < PFN_MAX; pfn++) {
        struct frame *frame = pfn_to_frame(pfn);
        bool counted = frame->kind == FRAME_ANON || frame->kind == FRAME_SHSTK
                       || frame->kind == FRAME_FILE || uses[pfn];
        EXPECT(!counted || frame_refs(frame) == uses[pfn], "frame %#lx (%s): count %u, users %u",
               (unsigned long)pfn, frame_kind_name(frame->kind), frame_refs(frame), uses[pfn]);
        used += frame->kind == FRAME_ANON || frame->kind == FRAME_SHSTK;
    }
    EXPECT(used == stats.used[FRAME_ANON] + stats.used[FRAME_SHSTK], "frames in use");
}

/* ---- The sequence ------------------------------------------------------- */

static void take_step(struct process *process)
{
    static void (*const steps[])(struct process *) = {
        step_access,  step_access,  step_access,    step_access, step_access,
        step_access,  step_access,  step_access,    step_access, step_gup,
        step_gup,     step_map,     step_map_shstk, step_unmap,  step_protect,
        step_protect, step_discard, step_fork,      step_exit,
    };
    may_run_out = fake_random(12) == 0;
    failpoint_arm(may_run_out ? 1 + fake_random(8) : 0);
    steps[fake_random(ARRAY_SIZE(steps))](process);
    failpoint_arm(0);
}

static void run_sequence(unsigned long steps, uint64_t seed)
{
    fake_seed = seed;
    fake_start(ARENA_BYTES);
    file_create();
    struct frame_stats before, after;
    slab_reclaim();
    frame_stats(&before);
    processes[0].mm = mm_create();
    for (step = 1; step <= steps; step++) {
        struct process *process = &processes[fake_random(PROCESSES)];
        if (process->mm)
            take_step(process);
        if (step % LOOK_EVERY == 0)
            look_at_everything();
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (processes[i].mm)
            mm_put(processes[i].mm);
    }
    slab_reclaim();
    frame_stats(&after);
    EXPECT(before.free == after.free,
           "%lu frames free before the first process, %lu after the last",
           (unsigned long)before.free, (unsigned long)after.free);
}

/* In a process of its own, with or without a planted defect. */
static bool sequence_passes(unsigned long steps, uint64_t seed, const char *defect)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (defect
            && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)
                || defect_set(defect)))
            _exit(0);
        run_sequence(steps, seed);
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    return status == 0;
}

int main(int argc, char *argv[])
{
    static const char *const defects[] = {
        "fork_keeps_dirty", "fork_parent_only", "skip_copy",       "skip_cow_copy",
        "cow_not_moved",    "no_guard",         "refusals_off",    "share_frame",
        "ref_leak",         "no_flush",         "token_unchecked", "oom_leak",
    };
    if (argc == 3) {
        run_sequence(strtoul(argv[1], NULL, 0), strtoul(argv[2], NULL, 0));
        return 0;
    }
    uint64_t seed = (uint64_t)time(NULL) | 1;
    printf("# another seed each time; to repeat: mm_test %d %lu\n", STEPS, (unsigned long)seed);
    plan(2 + ARRAY_SIZE(defects));
    result("mm_agrees_with_the_model_fixed_seed", sequence_passes(STEPS, 1, NULL));
    result("mm_agrees_with_the_model_new_seed", sequence_passes(STEPS, seed, NULL));
    for (size_t i = 0; i < ARRAY_SIZE(defects); i++) {
        char name[80];
        snprintf(name, sizeof(name), "mm_agrees_with_the_model notices %s", defects[i]);
        result(name, !sequence_passes(STEPS_WITH_DEFECT, 7 + i, defects[i]));
    }
    return suite_status();
}
