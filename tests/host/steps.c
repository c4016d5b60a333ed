/* SPDX-License-Identifier: MIT */
/* The steps of mm_test: a call or an access, and what the model expects of it. */
#include "steps.h"

#include "base/failpoint.h"
#include "uapi/errno.h"

struct process processes[PROCESSES];
enum fork_way steps_fork_way;
unsigned long step;
bool may_run_out;

/* ---- The file ----------------------------------------------------------- */

struct frame *file_frames[FILE_PAGES];

static int file_frame(struct vm_source *source, uint64_t page, struct frame **frame)
{
    (void)source;
    if (page >= model_file_pages)
        return -EIO;
    if (!file_frames[page])
        file_frames[page] = frame_alloc_zeroed(FRAME_FILE);
    else if (failpoint_hit())
        return -ENOMEM;
    if (!file_frames[page])
        return -ENOMEM;
    *frame = file_frames[page];
    frame_get(*frame);
    return 0;
}
static bool file_has(struct vm_source *source, uint64_t page)
{
    (void)source;
    return page < model_file_pages && file_frames[page];
}
static void file_count(struct vm_source *source) { (void)source; }
static void file_name(struct vm_source *source, char *to, size_t size)
{
    (void)source;
    snprintf(to, size, "file");
}
struct vm_source file = { .frame = file_frame,
                          .has = file_has,
                          .hold = file_count,
                          .release = file_count,
                          .name = file_name };

void file_fill(void)
{
    for (unsigned i = 0; i < FILE_PAGES; i++) {
        if (!file_frames[i])
            file_frames[i] = frame_alloc_zeroed(FRAME_FILE);
        model_file[i] = *(uint64_t *)frame_va(file_frames[i]) = 0xf11e00 + i;
    }
}

void file_create(void)
{
    vm_source_init(&file);
    file_fill();
}

/* ---- Ranges of cells ---------------------------------------------------- */

struct range random_range(void)
{
    struct range range = { .huge = fake_random(40) == 0 };
    if (fake_random(6) == 0) { /* where all kinds of mappings meet; huge ones in whole leaves */
        range.huge = fake_random(4) == 0;
        unsigned first = (unsigned)fake_random(MIXED_CELLS) & ~(unsigned)range.huge;
        range.first = MIXED_FIRST + first;
        range.count = range.huge ? 2 : 1 + (unsigned)fake_random(min_u64(3, MIXED_CELLS - first));
        range.bytes = range.count * MIXED_BYTES;
    } else if (range.huge) {
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

/* Has a call that may run out of memory done so? Then nothing may have changed. */
static bool ran_out(int err)
{
    EXPECT(err != -ENOMEM || may_run_out, "out of memory without cause");
    return err == -ENOMEM;
}

/* ---- Steps -------------------------------------------------------------- */

static void step_map(struct process *process)
{
    struct range range = random_range();
    enum backing backing = range.huge && fake_random(8) ? ANONYMOUS : (enum backing)fake_random(3);
    bool grows = fake_random(range.first >= MIXED_FIRST ? 2 : 12) == 0,
         denied = backing == FILE_SHARED && fake_random(4) == 0;
    struct map_request request = { .start = range.start,
                                   .len = range.bytes,
                                   .fixed = true,
                                   .flags = random_prot() };
    request.source = backing == ANONYMOUS ? NULL : &file;
    request.source_page = backing == ANONYMOUS ? 0 : fake_random(FILE_PAGES);
    request.no_replace = fake_random(4) == 0;
    request.flags |= (range.huge ? VM_HUGE_2M : 0) | (grows ? VM_GROWSDOWN : 0)
                     | (denied ? VM_WRITE_DENIED : 0);
    if (denied)
        request.flags &= ~VM_WRITE;
    uint32_t flags = request.flags;
    request.flags |= backing == FILE_SHARED ? VM_SHARED : 0;

    bool occupied = false;
    for (unsigned i = 0; i < range.count; i++)
        occupied |= process->model.cell[range.first + i].mapped;
    uint64_t at;
    int err = mm_map(process->mm, &request, &at);
    if (ran_out(err))
        return;
    bool plain = backing == ANONYMOUS && !(range.huge && grows);
    bool cuts = model_cuts_leaf(&process->model, range.first, range.count);
    int expect = (grows || range.huge) && !plain  ? -EINVAL
                 : occupied && request.no_replace ? -EEXIST
                 : cuts                           ? -EINVAL
                                                  : 0;
    EXPECT(err == expect, "map: %d, expect %d", err, expect);
    for (unsigned i = 0; !err && i < range.count; i++) {
        uint64_t page = (cell_va(range.first + i) - range.start) >> PAGE_SHIFT;
        process->model.cell[range.first + i] =
            (struct cell){ true, flags, backing, request.source_page + page, false, 0 };
    }
}

static void step_map_shstk(struct process *process)
{
    struct range range = random_range();
    bool free = true, token = fake_random(2);
    /* A page on each side must be free as well: a cell in the row of small pages, the near end of
     * the next leaf beside a huge leaf. */
    bool mixed = range.first >= MIXED_FIRST;
    unsigned low = mixed ? MIXED_FIRST : range.huge ? SMALL_CELLS : 0;
    unsigned high = mixed ? CELLS : range.huge ? MIXED_FIRST : SMALL_CELLS;
    for (unsigned i = range.first > low ? range.first - 1 : low;
         i <= range.first + range.count && i < high; i++)
        free &= !process->model.cell[i].mapped;
    /* Below a growing mapping more must be free: the whole row of small pages. */
    unsigned above = range.first + range.count;
    while (above < SMALL_CELLS && !process->model.cell[above].mapped)
        above++;
    free &= above >= SMALL_CELLS || !(process->model.cell[above].flags & VM_GROWSDOWN);
    uint64_t at;
    int err = mm_map_shstk(process->mm, range.start, range.bytes, token, range.huge, &at);
    if (ran_out(err))
        return;
    EXPECT(err == (free ? 0 : -EEXIST), "map_shstk: %d though %s", err, free ? "free" : "occupied");
    for (unsigned i = 0; !err && i < range.count; i++)
        process->model.cell[range.first + i] = (struct cell){
            true,      VM_READ | VM_WRITE | VM_SHADOW_STACK | (range.huge ? VM_HUGE_2M : 0),
            ANONYMOUS, 0,
            false,     0
        };
    if (!err && token) {
        uint64_t top = at + range.bytes, word;
        EXPECT(mm_access(process->mm, top - 8, &word, 8, 0) == 8 && word == (top | 1), "token %#lx",
               (unsigned long)word);
        if (range.huge && !mixed)
            process->model.cell[range.first + 2].own = process->model.cell[range.first].own = true;
    }
}

static void step_unmap(struct process *process)
{
    struct range range = random_range();
    bool mixed = range.first >= MIXED_FIRST;
    bool part = range.huge && !mixed && fake_random(4) == 0;
    int err = mm_unmap(process->mm, range.start, part ? PAGE_SIZE : range.bytes, NULL);
    if (ran_out(err))
        return;
    int expect = (part && process->model.cell[range.first].mapped)
                         || model_cuts_leaf(&process->model, range.first, range.count)
                     ? -EINVAL
                     : 0;
    EXPECT(err == expect, "unmap: %d, expect %d", err, expect);
    for (unsigned i = 0; !part && !err && i < range.count; i++)
        process->model.cell[range.first + i] = (struct cell){ 0 };
}

static void step_protect(struct process *process)
{
    struct range range = random_range();
    uint32_t prot = random_prot();
    int expect = 0;
    unsigned allowed = 0; /* cells before the first that refuses */
    for (; allowed < range.count && !expect; allowed += !expect) {
        const struct cell *cell = &process->model.cell[range.first + allowed];
        expect = !cell->mapped                                      ? -ENOMEM
                 : cell->flags & VM_SHADOW_STACK && prot & VM_EXEC  ? -EINVAL
                 : cell->flags & VM_WRITE_DENIED && prot & VM_WRITE ? -EACCES
                                                                    : 0;
    }
    if (allowed && model_cuts_leaf(&process->model, range.first, allowed)) {
        expect = -EINVAL;
        allowed = 0;
    }
    if (may_run_out && allowed < range.count)
        failpoint_arm(0); /* a hole and a lack of memory look the same */
    int err = mm_protect(process->mm, range.start, range.bytes, prot, NULL);
    if (err == -ENOMEM && may_run_out && allowed == range.count)
        return;
    EXPECT(err == expect, "protect: %d, expect %d", err, expect);
    for (unsigned i = 0; i < allowed; i++) {
        struct cell *cell = &process->model.cell[range.first + i];
        cell->flags = (cell->flags & ~VM_PROT) | prot;
    }
}

static void step_discard(struct process *process)
{
    struct range range = random_range();
    bool hole = false;
    if (model_cuts_leaf(&process->model, range.first, range.count))
        return;
    for (unsigned i = 0; i < range.count; i++)
        hole |= !process->model.cell[range.first + i].mapped;
    int err = mm_discard(process->mm, range.start, range.bytes, NULL);
    if (err == -EAGAIN && may_run_out) { /* a part may be left */
        failpoint_arm(0);
        err = mm_discard(process->mm, range.start, range.bytes, NULL);
    }
    EXPECT(err == (hole ? -ENOMEM : 0), "discard: %d", err);
    for (unsigned i = 0; i < range.count; i++)
        process->model.cell[range.first + i].own = false;
}

static void step_advise(struct process *process)
{
    static const struct {
        uint32_t set, clear;
        bool private;
    } advices[] = {
        { 0, 0, false },
        { 0, 0, true },
        { VM_DONTFORK, 0, false },
        { 0, VM_DONTFORK, false },
        { VM_WIPEONFORK, 0, true },
        { 0, VM_WIPEONFORK, false },
    };
    struct range range = random_range();
    size_t which = fake_random(ARRAY_SIZE(advices));
    uint32_t set = advices[which].set, clear = advices[which].clear;
    bool refused = (set | clear) && model_cuts_leaf(&process->model, range.first, range.count);
    bool hole = false;
    for (unsigned i = 0; i < range.count; i++) {
        const struct cell *cell = &process->model.cell[range.first + i];
        hole |= !cell->mapped;
        refused |= cell->mapped && advices[which].private && cell->backing != ANONYMOUS;
    }
    int expect = refused ? -EINVAL : hole ? -ENOMEM : 0;
    if (may_run_out && hole)
        failpoint_arm(0); /* a hole and a lack of memory look the same */
    int err = mm_advise(process->mm, range.start, range.bytes, set, clear, advices[which].private);
    if (err == -ENOMEM && may_run_out && !hole)
        return;
    EXPECT(err == expect, "advise: %d, expect %d", err, expect);
    for (unsigned i = 0; !refused && i < range.count; i++) {
        struct cell *cell = &process->model.cell[range.first + i];
        if (cell->mapped)
            cell->flags = (cell->flags & ~clear) | set;
    }
}

static void step_truncate(struct process *process)
{
    (void)process;
    if (fake_random(8))
        return;
    model_file_pages = fake_random(FILE_PAGES + 1);
    for (uint64_t i = model_file_pages; i < FILE_PAGES; i++) {
        model_file[i] = 0;
        if (file_frames[i])
            frame_put(file_frames[i]);
        file_frames[i] = NULL;
    }
    vm_source_cut(&file, model_file_pages);
    for (unsigned i = 0; i < PROCESSES; i++)
        model_cut(&processes[i].model);
}

static void step_access(struct process *process)
{
    unsigned index = (unsigned)fake_random(CELLS);
    struct cell *cell = &process->model.cell[index];
    enum cpu_access access = (enum cpu_access)fake_random(5);
    if (access == CPU_LOAD || access == CPU_STORE)
        model_grow(&process->model, index);
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
    int err = mm_fork(process->mm, steps_fork_way, &mm);
    if (ran_out(err))
        return;
    EXPECT(err == 0, "fork: %d", err);
    child->mm = mm;
    child->model = process->model;
    for (unsigned i = 0; i < CELLS; i++) {
        struct cell *cell = &child->model.cell[i];
        if (cell->flags & VM_DONTFORK)
            *cell = (struct cell){ 0 };
        else if (cell->flags & VM_WIPEONFORK)
            cell->own = false;
    }
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

/* ---- Choosing a step ------------------------------------------------------- */

void take_step(struct process *process)
{
    static void (*const steps[])(struct process *) = {
        step_access,    step_access, step_access,   step_access,  step_access,  step_access,
        step_access,    step_access, step_access,   step_gup,     step_gup,     step_map,
        step_map_shstk, step_unmap,  step_protect,  step_protect, step_discard, step_fork,
        step_exit,      step_advise, step_truncate, step_remap,   step_remap,
    };
    may_run_out = fake_random(12) == 0;
    failpoint_arm(may_run_out ? 1 + fake_random(8) : 0);
    steps[fake_random(ARRAY_SIZE(steps))](process);
    failpoint_arm(0);
}
