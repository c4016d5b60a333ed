/* SPDX-License-Identifier: MIT */
/*
 * Trees of forks, whose members share page tables, store, and end in any order: a parent before its
 * children or after them, by itself or killed.
 */
#define _GNU_SOURCE
#include "stress.h"

#include <sys/mman.h>

#define PLACES      8
#define MEMBERS_MAX 40

/* Where the members store: some of the places are in one table of leaves, some are in tables of
 * their own on several levels. */
static const uint64_t offsets[PLACES] = {
    0,        PAGE, 2ul << 20, (2ul << 20) + PAGE, 6ul << 20, (1ul << 30) + 0, (1ul << 30) + PAGE,
    3ul << 30
};
static char *memory;
static long marks[PLACES]; /* what this member finds at each place */

/* What all members of a tree see, in shared memory. */
static struct tree {
    int count;             /* members so far, atomic */
    int well;              /* those that ended by themselves, atomic */
    int pids[MEMBERS_MAX]; /* atomic */
} * tree;

static volatile long *place(int i) { return (volatile long *)(memory + offsets[i]); }

static void look(void)
{
    for (int i = 0; i < PLACES; i++)
        CHECK_EQ(*place(i), marks[i]);
}

static void store_some(void)
{
    for (int i = 0; i < PLACES; i++) {
        if (random_below(3) == 0)
            *place(i) = marks[i] = (long)(rdtsc() ^ random_below(1u << 30));
    }
}

static void live(void);

/* A member ends with some of its frames on the shadow stack still to return through. */
static void branch(void)
{
    int child, member = __atomic_fetch_add(&tree->count, 1, __ATOMIC_SEQ_CST);
    if (member >= MEMBERS_MAX)
        return;
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        random_seed();
        __atomic_store_n(&tree->pids[member], getpid(), __ATOMIC_SEQ_CST);
        live();
        __atomic_add_fetch(&tree->well, 1, __ATOMIC_SEQ_CST);
        _exit(0);
    }
}

static void live(void)
{
    look();
    for (unsigned children = random_below(4); children; children--) {
        store_some();
        deep(random_below(60), branch);
        look();
    }
    store_some();
    if (random_below(2))
        sleep_us(random_below(400));
    look();
    if (random_below(3) == 0) {
        while (waitpid(-1, NULL, 0) > 0) {}
    }
}

/* Kill members at random for a while. A member's number may be of one that has ended, and a pid is
 * used again late. */
static void kill_some(void)
{
    for (int i = 0; i < 10; i++) {
        int pid = __atomic_load_n(&tree->pids[random_below(MEMBERS_MAX)], __ATOMIC_SEQ_CST);
        if (pid)
            kill(pid, SIGKILL);
        sleep_us(random_below(200));
    }
}

/* A tree has ended when nobody holds the pipe's other end any more. */
static void grow_tree(int killed)
{
    int ends[2];
    char byte;
    memset(tree, 0, sizeof(*tree));
    CHECK_EQ(pipe(ends), 0);
    int root = fork();
    CHECK(root >= 0);
    if (root == 0) {
        close(ends[0]);
        random_seed();
        live();
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
        _exit(0);
    }
    close(ends[1]);
    if (killed)
        kill_some();
    CHECK_EQ(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    CHECK_EQ(reap(root), 0);
    int members = tree->count < MEMBERS_MAX ? tree->count : MEMBERS_MAX;
    CHECK(killed ? tree->well <= members : tree->well == members);
}

static void grow_trees(int killed)
{
    memory = map(4ul << 30, MAP_PRIVATE | MAP_NORESERVE);
    tree = (struct tree *)map(PAGE, MAP_SHARED);
    while (time_left()) {
        store_some();
        grow_tree(killed);
        look();
    }
}

static void whole_trees(void) { grow_trees(0); }
static void killed_trees(void) { grow_trees(1); }

void load_trees(void) { in_processes(busy_count() / 2, whole_trees); }
void load_tree_kills(void) { in_processes(busy_count() / 2, killed_trees); }
