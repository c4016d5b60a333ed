/* SPDX-License-Identifier: MIT */
/*
 * The second half: whole page tables that are shared by one cleared bit in the root.
 *
 * The subject has 64 MiB in two parts, two gigabytes apart, on one entry of the root. Its program,
 * its stacks and the page through which it answers are on others, so each step is on a path of its
 * own. The addresses of the trace tell which.
 */
#include <sys/mman.h>

#include "subject.h"

#define MEMORY     0x100000000000ul
#define APART      0x80000000ul
#define PART_BYTES 0x2000000ul
#define PAGES      (2 * PART_BYTES / 4096)
#define ROUNDS     5

static void memory_make(void)
{
    for (uint64_t at = MEMORY; at <= MEMORY + APART; at += APART) {
        volatile uint64_t *words = mmap((void *)at, PART_BYTES, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        for (uint64_t i = 0; i < PART_BYTES / sizeof(*words); i += 4096 / sizeof(*words))
            words[i] = words[i + 1] = 1;
    }
}

bool story_tables_start(void) { return subject_start(memory_make, "tables"); }

static void saw_path(const char *who, const struct pte *pte)
{
    if (!pte->state) {
        printf("    saw     %-6s no entry\n", who);
        return;
    }
    printf("    saw     %-6s raw 0x%016lx (%c) refs %u; ", who, pte->raw, pte->state, pte->refs);
    if (pte->shared_level)
        printf("level %d has W=0, table of %u\n", pte->shared_level, pte->sharers);
    else
        printf("own path\n");
}

static void saw_copies(const char *where, const struct traced *traced)
{
    printf("    saw     %-16s tables copied: %u, pages: %u, leaf entries changed: %u\n", where,
           traced->tables_copy, traced->pages_copy, traced->leaves_share);
}

/* Is the entry below one of the root with W=0, whose table so many share? */
static bool below_root(const struct pte *pte, unsigned sharers)
{
    return pte->shared_level == 4 && pte->sharers == sharers;
}

static void saw_leaves(const char *who, const struct leaves *leaves)
{
    printf("    saw     %-6s %u entries, checksum 0x%016lx, %u on shared paths\n", who,
           leaves->count, leaves->sum, leaves->shared);
}

static struct leaves at_first;  /* what the subject had before its first fork */
static struct pte childs_stack; /* the child's shadow-stack page behind it */

void story_tables_shared(void)
{
    at_first = leaves_of(parent, ssp);
    step("fork of a process of 64 MiB touches no leaf: W goes in the root's entries alone");
    must(child_start(CHILD));
    struct leaves p = leaves_of(parent, ssp), c = leaves_of(child, ssp);
    struct pte parents = pte_of(parent, MEMORY), childs = pte_of(child, MEMORY);
    childs_stack = c.at;
    expect("both have the raw entries of before, below level 4 with W=0 and tables of 2;");
    expect("all but the page that answers go through, where the parent has just stored");
    saw_leaves("before", &at_first);
    saw_leaves("parent", &p);
    saw_leaves("child", &c);
    saw_path("parent", &parents);
    saw_path("child", &childs);
    must(at_first.count >= PAGES && at_first.shared == 0);
    must(p.count == at_first.count && p.sum == at_first.sum && p.shared == p.count - 1);
    must(c.count == at_first.count && c.sum == at_first.sum && c.shared == c.count - 1);
    must(parents.state == 'w' && below_root(&parents, 2) && below_root(&childs, 2));
    step_end();
}

void story_path_copied(void)
{
    uint64_t value = 0;
    step("The child's first RET fails at the root's entry: it gets a path and a page of its own");
    long tables = frames_of("table"), pages = frames_of("shstk");
    uint64_t since = trace_begin();
    bool came_back = ask(CHILD, DO_RETURN, 0, &value) && value == RETURNED;
    struct traced traced = trace_end(child, since, ssp);
    if (skip())
        return;
    tables = frames_of("table") - tables;
    pages = frames_of("shstk") - pages;
    struct pte p = pte_of(parent, ssp), c = pte_of(child, ssp), before = childs_stack;
    expect("child (c) in another frame, 3 tables and 1 page copied; parent (d), table of 1");
    saw_path("before", &before);
    saw_path("child", &c);
    saw_path("parent", &p);
    saw_copies("the RET", &traced);
    printf("    saw     frames of tables: %ld more, of shadow stacks: %ld more\n", tables, pages);
    must(came_back && before.state == 'c' && below_root(&before, 2));
    must(c.state == 'c' && c.pfn != before.pfn && c.refs == 1 && !c.shared_level);
    must(p.state == 'd' && p.pfn == before.pfn && p.refs == 1 && below_root(&p, 1));
    must(traced.tables_copy == 3 && traced.pages_copy == 1 && tables == 3 && pages == 1);
    step_end();
}

void story_path_taken(void)
{
    uint64_t value = 0;
    step("The child ends. The parent, alone again, owns a path by setting one bit");
    must(child_end(CHILD));
    struct pte before = pte_of(parent, MEMORY);
    uint64_t since = trace_begin();
    must(ask(PARENT, DO_STORE, MEMORY, &value) && value == 3);
    struct traced traced = trace_end(parent, since, MEMORY);
    struct pte after = pte_of(parent, MEMORY);
    expect("a store where the child has never been: W set in the root's entry, and nothing else");
    saw_path("before", &before);
    saw_path("after", &after);
    printf("    saw     trace  entries changed: %u, tables owned by that: %u\n", traced.all,
           traced.tables_own);
    must(before.state == 'w' && below_root(&before, 1));
    must(after.raw == before.raw && after.refs == 1 && !after.shared_level);
    must(traced.all == 1 && traced.tables_own == 1);
    step_end();
}

/* One store of the child; how many tables it must copy, and the sum it must answer. */
static void child_stores(const char *where, uint64_t va, unsigned tables, uint64_t sum)
{
    uint64_t value = 0, since = trace_begin();
    bool stored = ask(OTHER_CHILD, DO_STORE, va, &value);
    struct traced traced = trace_end(child, since, va);
    saw_copies(where, &traced);
    must(stored && value == sum && traced.tables_copy == tables && traced.pages_copy == 1);
}

void story_stores_apart(void)
{
    step("A child stores; then again, two gigabytes away: two tables and one page");
    must(child_start(OTHER_CHILD));
    expect("each store copies one page, and the tables on its path that no store copied before:");
    expect("first levels 3, 2, 1; 2 GiB away levels 2, 1; 2 MiB from there level 1; then none");
    child_stores("first store", MEMORY + APART, 3, 3);
    child_stores("2 GiB away", MEMORY, 2, 4);
    child_stores("2 MiB from there", MEMORY + (2 << 20), 1, 3);
    child_stores("4 KiB from there", MEMORY + (2 << 20) + 4096, 0, 3);
    struct pte p = pte_of(parent, MEMORY), c = pte_of(child, MEMORY);
    saw_path("child", &c);
    saw_path("parent", &p);
    must(c.state == 'w' && c.refs == 1 && !c.shared_level);
    must(p.state == 'a' && p.refs == 1 && p.pfn != c.pfn && below_root(&p, 1));
    must(child_end(OTHER_CHILD));
    step_end();
}

struct figures {
    uint64_t entries, time;
};

/* The time is the least of some rounds. */
static struct figures fork_figures(const char *way)
{
    char path[64];
    struct figures figures = { 0, ~0ul };
    uint64_t time = 0;
    snprintf(path, sizeof(path), "/proc/%d/fork", parent);
    must(!file_put_text(path, way));
    (void)trace_begin();
    must(fork_entries(&figures.entries));
    file_put_text("/proc/trace", "0");
    for (int i = 0; i < ROUNDS; i++) {
        must(fork_time(&time));
        figures.time = time < figures.time ? time : figures.time;
    }
    printf("    saw     %-6s %lu entries changed, %lu on the TSC\n", way, figures.entries,
           figures.time);
    return figures;
}

void story_figures(void)
{
    step("What fork costs with 64 MiB: leaves against tables");
    expect("leaves: %u entries in the child, and in the parent those that lose W;", at_first.count);
    expect("tables: the %u entries of the root. In Bochs the TSC counts instructions",
           at_first.roots);
    struct figures leaves = fork_figures("leaves"), tables = fork_figures("tables");
    must(leaves.entries > at_first.count && tables.entries == at_first.roots);
    must(tables.time < leaves.time);
    step_end();
}
