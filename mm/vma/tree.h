/* SPDX-License-Identifier: MIT */
/*
 * A balanced tree of nodes that lie in the caller's objects. It has no keys: the caller says
 * between which two nodes a new one belongs, and keeps the order himself. Each node has a value,
 * and knows the largest value below it, so that the tree finds large values without looking at
 * small ones.
 *
 * The two subtrees of a node differ in height by one at most (an AVL tree): n nodes are less than
 * 1.45 * log2(n) + 1 levels high. Every function takes as many steps as there are levels, at most.
 * Private to mm/. The owner's lock guards tree and nodes.
 */
#ifndef MM_TREE_H
#define MM_TREE_H

#include "base/types.h"

enum { TREE_BEFORE, TREE_BEHIND };

struct tree_node {
    struct tree_node *child[2]; /* the subtrees before and behind it; NULL: empty */
    struct tree_node *parent;   /* NULL: it is the root */
    uint64_t value;
    uint64_t largest; /* value of this node and all below it */
    uint32_t height;  /* 1: no children */
};

struct tree {
    struct tree_node *root;
};

/* Put in node between prev and next, which are neighbours; NULL: node becomes the first, or the
 * last. node->value is set. */
void tree_insert(struct tree *tree, struct tree_node *node, struct tree_node *prev,
                 struct tree_node *next);
void tree_remove(struct tree *tree, struct tree_node *node);
/* Change the value of a node that is in a tree. */
void tree_set(struct tree_node *node, uint64_t value);
/* Make node, new, the root of copies of the two subtrees that from is the root of. */
void tree_copy_node(struct tree_node *node, const struct tree_node *from, struct tree_node *before,
                    struct tree_node *behind);

/* The last node before this one (NULL: the last of all) whose value is least or more; or NULL.
 * least is not 0. */
struct tree_node *tree_find_before(const struct tree *tree, struct tree_node *node, uint64_t least);

#endif
