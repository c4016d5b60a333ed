/* SPDX-License-Identifier: MIT */
/*
 * A plain model of names and paths: what the kernel's walk must agree with. Folders are arrays of
 * names, a walk is a recursion over the text, and every function answers as the kernel would: 0 or
 * a negative errno.
 */
#ifndef TESTS_FUZZ_PATH_MODEL_H
#define TESTS_FUZZ_PATH_MODEL_H

#include "kernel/fs/inode.h"

#define NODES   128
#define ENTRIES 24
#define TEXT    160

struct node {
    uint32_t type;
    struct inode *inode; /* the kernel's, held */
    struct node *parent; /* of a folder */
    int names;           /* entries that lead here */
    char link[TEXT];
    struct {
        char name[TEXT];
        struct node *node;
    } entry[ENTRIES];
};

extern struct node nodes[NODES]; /* the first node_count are in use */
extern size_t node_count;
extern struct node *root; /* the caller sets it before the first walk */

/* The caller makes sure that a node is left. The node takes over the caller's hold on inode. */
struct node *node_new(uint32_t type, struct node *parent, struct inode *inode);

/* ---- Entries of a folder ------------------------------------------------ */

/* The index of the entry of this name, or -1. */
int find(const struct node *folder, const char *name);
/* The index of the first free entry, or ENTRIES. */
int free_entry(const struct node *folder);
/* Let a free entry, which the caller makes sure of, lead from name to node. */
void entry_set(struct node *folder, const char *name, struct node *node);

/* ---- Walking ------------------------------------------------------------ */

/* A path, cut: what stands before the last component, the last component (empty: the path is
 * slashes only), and whether slashes follow it. */
struct parts {
    char before[TEXT], last[TEXT];
    bool slash;
};
void cut(const char *text, struct parts *parts);

/* Is name not the name of an entry: nothing, "." or ".."? */
bool special(const char *name);
/* Where name leads from at; no link is followed. */
int step(struct node *at, const char *name, struct node **to);
/* The folder in which the last component must be looked up. */
int walk_before(struct node *at, const struct parts *parts, int *links, struct node **to);
/* Where text leads from at. *links counts the links that were followed; follow: at the end, too. */
int walk(struct node *at, const char *text, bool follow, int *links, struct node **to);

#endif
