/* SPDX-License-Identifier: MIT */
/*
 * Loads that make processes, threads and CPUs get in each other's way, for as long as one likes.
 * Process 1 of an image of its own:
 *
 *     stress MILLISECONDS [PROCESSES [KEY]]
 *
 * runs each load whose name contains KEY for MILLISECONDS; the ring has PROCESSES processes. After
 * each load as many frames are in use as before, the walker finds nothing, and no CPU has been
 * found stuck. A load that claims to notice a planted defect runs again with that defect, and must
 * then fail. Prints KTAP.
 */
#include "stress/stress.h"

#include "supervise.h"

#define SECONDS_LATE_MAX 150 /* how late a load may end */
#define MS_WITH_DEFECT   300

struct load {
    const char *name;
    void (*run)(void);
    int may_be_killed;  /* running out of memory may end its first process too */
    const char *defect; /* the defect that the load must notice, or NULL */
};

long load_ms = 1000, process_count = 512, deadline_ms;
const char *myself;

static const struct load loads[] = {
    { "forks_deep_in_a_shadow_stack", load_forks, 0, "ref_leak" },
    { "threads_come_and_go", load_threads, 0, NULL },
    { "copy_on_write_in_families", load_cow, 0, "skip_cow_copy" },
    { "trees_of_forks_end_in_any_order", load_trees, 0, "skip_cow_copy" },
    { "trees_of_forks_are_killed", load_tree_kills, 0, "ref_leak" },
    { "forks_while_threads_fault", load_snapshots, 0, "leaf_stays_writable" },
    { "mappings_change_while_in_use", load_mappings, 0, NULL },
    { "kill_against_fork_and_exec", load_kills, 0, NULL },
    { "futexes_of_killed_processes", load_futexes, 0, NULL },
    { "proc_is_read_while_processes_exit", load_proc, 0, NULL },
    { "many_processes_in_a_ring", load_ring, 0, NULL },
    { "out_of_memory_under_load", load_memory, 1, NULL },
};

/* Run a load for ms milliseconds. Returns 1 when it failed. */
static int run(const struct load *load, long ms, const char *defect)
{
    struct account before = account_now();
    deadline_ms = now_ms() + ms;
    int status = supervise(load->run, defect, (int)(ms / 1000) + SECONDS_LATE_MAX);
    struct account after = account_now();
    return account_differs(&before, &after, load->name)
           || !(status == 0 || (load->may_be_killed && status == SIGKILL));
}

static void run_and_report(const struct load *load)
{
    char name[80];
    snprintf(name, sizeof(name), "stress_%s", load->name);
    ktap_result(!run(load, load_ms, NULL), name, NULL, NULL);
    if (load->defect)
        ktap_result(run(load, MS_WITH_DEFECT, load->defect), name, load->defect, NULL);
}

int main(int argc, char *argv[])
{
    myself = argv[0];
    if (argc > 1 && strcmp(argv[1], "nothing") == 0)
        return 0;
    if (argc > 2 && strcmp(argv[1], "hogs") == 0) {
        deadline_ms = now_ms() + atol(argv[2]);
        hogs();
        return 0;
    }
    if (argc > 1)
        load_ms = atol(argv[1]);
    if (argc > 2)
        process_count = atol(argv[2]);
    const char *key = argc > 3 ? argv[3] : "";
    const struct load *end = loads + sizeof(loads) / sizeof(loads[0]);
    int planned = 0;
    for (const struct load *load = loads; load < end; load++)
        planned += strstr(load->name, key) ? 1 + !!load->defect : 0;
    printf("KTAP version 1\n1..%d\n", planned);
    for (const struct load *load = loads; load < end; load++) {
        if (strstr(load->name, key))
            run_and_report(load);
    }
    return ktap_failures() != 0;
}
