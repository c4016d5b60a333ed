/* SPDX-License-Identifier: MIT */
/*
 * Proves: whatever programs do, in whatever order, they see what the plain model says, every
 * frame's count is the number of its users, no TLB entry outlives the right it gives, and a failing
 * allocation changes nothing.
 *
 * A few processes take random steps: map, unmap, protect, discard, advise, remap, load, store,
 * fetch, shadow-stack load and store, get-user-pages, truncation of the file, fork and exit. In one
 * step of twelve an allocation fails. Small, huge, growing and shared mappings and shadow stacks
 * lie side by side. `mm_test STEPS SEED WAY` runs one such sequence.
 *
 * Shorter sequences run with the oracle (mm/oracle.h), which must find nothing, and must be
 * the first to notice what it is there for.
 */
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/defect.h"
#include "base/panic.h"
#include "counts.h"
#include "mm/oracle.h"
#include "mm/phys/slab.h"
#include "steps.h"

#define ARENA_BYTES       (128ull << 20)
#define STEPS             1000000
#define STEPS_WITH_DEFECT 60000
#define STEPS_WITH_ORACLE 100000
#define LOOK_EVERY        500

/* ---- Looking at everything ---------------------------------------------- */

/* A modified page must be recorded as dirty, whether its entry has W or not. */
static void check_dirty(struct process *process)
{
    for (unsigned i = 0; i < CELLS; i++) {
        struct leaf_info leaf;
        if (process->model.cell[i].own)
            EXPECT(mm_next_leaf(process->mm, cell_va(i), &leaf) && leaf.va <= cell_va(i)
                       && pte_dirty(leaf.pte),
                   "the page at %#lx is modified, its entry %#lx is not dirty",
                   (unsigned long)cell_va(i), (unsigned long)leaf.pte.raw);
    }
}

/* A writable leaf must be the only user of its frames. */
static void check_leaves(struct process *process)
{
    struct leaf_info leaf;
    uint64_t resident = 0;
    for (uint64_t va = 0; mm_next_leaf(process->mm, va, &leaf);
         va = leaf.va + level_bytes(leaf.level)) {
        EXPECT(leaf.state != 'e' && leaf.state != '!', "state %c of %#lx", leaf.state,
               (unsigned long)leaf.pte.raw);
        EXPECT(!pte_write(leaf.pte) || leaf.refs == 1 || pfn_to_frame(leaf.pfn)->kind == FRAME_FILE,
               "%#lx is writable and has %u users", (unsigned long)leaf.va, leaf.refs);
        resident += level_frames(leaf.level);
    }
    EXPECT(resident == mm_resident(process->mm, true), "%lu frames resident, counted %lu",
           (unsigned long)resident, (unsigned long)mm_resident(process->mm, true));
}

static void look_at_everything(void)
{
    counts_begin();
    for (unsigned i = 0; i < FILE_PAGES; i++) {
        if (file_frames[i])
            counts_add_frame(file_frames[i]);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (!processes[i].mm)
            continue;
        EXPECT(mm_check(processes[i].mm) == 0, "the walker found something");
        EXPECT(tlb_is_coherent(processes[i].mm), "stale TLB entry");
        check_dirty(&processes[i]);
        check_leaves(&processes[i]);
        counts_add(processes[i].mm);
    }
    EXPECT(counts_agree(), "the counts are wrong");
}

/* ---- The sequence ------------------------------------------------------- */

static void run_sequence(unsigned long steps, uint64_t seed, enum fork_way way)
{
    steps_fork_way = way;
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
    EXPECT(list_empty(&file.vmas), "the file still has mappings");
    file_fill();
    slab_reclaim();
    frame_stats(&after);
    EXPECT(before.free == after.free,
           "%lu frames free before the first process, %lu after the last",
           (unsigned long)before.free, (unsigned long)after.free);
}

/* Run a sequence in a process of its own, with or without a planted defect. */
static bool sequence_passes(unsigned long steps, uint64_t seed, enum fork_way way,
                            const char *defect)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (defect
            && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)
                || defect_set(defect)))
            _exit(0);
        run_sequence(steps, seed, way);
        exit(0); /* not _exit(): what it covered is to be counted */
    }
    int status;
    waitpid(pid, &status, 0);
    return status == 0;
}

/* ---- With the oracle ---------------------------------------------------- */

static enum fork_way oracle_way;
static const char *oracle_defect;

/* Where each defect shows in a call that the oracle judges before the model can tell. Owning before
 * an unmap, for one, is not judged. */
#define ORACLE_SEED 12

/* Ends in this panic, unless the oracle has another, or the model fails. */
static void run_with_oracle(void)
{
    if (!oracle_start() || (oracle_defect && defect_set(oracle_defect)))
        panic("no oracle, or no defect %s", oracle_defect);
    run_sequence(STEPS_WITH_ORACLE, ORACLE_SEED, oracle_way);
    panic("the oracle finds nothing");
}

static const char *const oracle_defects[] = {
    "fork_keeps_dirty", "fork_parent_only", "skip_copy",           "skip_cow_copy",
    "share_frame",      "table_taken",      "leaf_stays_writable", "table_stays_writable",
    "part_dropped",     "remap_empty",      "remap_twice",
};

/* Without a defect it finds nothing; with one it is the first to notice. */
static void oracle_results(void)
{
    static const char *const ways[] = { "the_oracle_finds_nothing_fork_auto",
                                        "the_oracle_finds_nothing_fork_leaves",
                                        "the_oracle_finds_nothing_fork_tables" };
    char name[80];
    for (oracle_way = FORK_AUTO; oracle_way <= FORK_TABLES; oracle_way++)
        result(ways[oracle_way], panics_saying("the oracle finds nothing", run_with_oracle));
    oracle_way = FORK_TABLES;
    for (size_t i = 0; i < ARRAY_SIZE(oracle_defects); i++) {
        oracle_defect = oracle_defects[i];
        snprintf(name, sizeof(name), "the_oracle_is_first notices %s", oracle_defect);
        result(name, panics_saying("panic: oracle: ", run_with_oracle));
    }
}

int main(int argc, char *argv[])
{
    static const char *const defects[] = {
        "fork_keeps_dirty", "fork_parent_only", "skip_copy",       "skip_cow_copy",
        "cow_not_moved",    "no_guard",         "refusals_off",    "share_frame",
        "ref_leak",         "no_flush",         "token_unchecked", "oom_leak",
        "stale_cut",        "ref_forgotten",    "remap_empty",     "remap_twice",
    };
    static const char *const of_tables[] = { "table_stays_writable", "sharer_forgotten",
                                             "table_taken", "sharer_kept" };
    static const char *const in_way[] = { "mm_agrees_with_the_model_fork_auto",
                                          "mm_agrees_with_the_model_fork_leaves",
                                          "mm_agrees_with_the_model_fork_tables" };
    if (argc == 4) {
        run_sequence(strtoul(argv[1], NULL, 0), strtoul(argv[2], NULL, 0),
                     (enum fork_way)strtoul(argv[3], NULL, 0));
        return 0;
    }
    uint64_t seed = (uint64_t)time(NULL) | 1;
    printf("# another seed each time; to repeat: mm_test %d %lu WAY\n", STEPS, (unsigned long)seed);
    plan(4 + 2 * ARRAY_SIZE(defects) + ARRAY_SIZE(of_tables) + 3 + ARRAY_SIZE(oracle_defects));
    char name[80];
    result("mm_agrees_with_the_model_fixed_seed", sequence_passes(STEPS, 1, FORK_TABLES, NULL));
    for (enum fork_way way = FORK_AUTO; way <= FORK_TABLES; way++)
        result(in_way[way], sequence_passes(STEPS, seed, way, NULL));
    for (size_t i = 0; i < 2 * ARRAY_SIZE(defects); i++) {
        enum fork_way way = i % 2 ? FORK_TABLES : FORK_LEAVES;
        snprintf(name, sizeof(name), "%s notices %s", in_way[way], defects[i / 2]);
        result(name, !sequence_passes(STEPS_WITH_DEFECT, 7 + i, way, defects[i / 2]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(of_tables); i++) {
        snprintf(name, sizeof(name), "%s notices %s", in_way[FORK_TABLES], of_tables[i]);
        result(name, !sequence_passes(STEPS_WITH_DEFECT, 7 + i, FORK_TABLES, of_tables[i]));
    }
    oracle_results();
    return suite_status();
}
