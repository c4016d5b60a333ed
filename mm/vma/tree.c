/* SPDX-License-Identifier: MIT */
/* A balanced tree whose nodes know the largest value below them. */
#include "mm/vma/tree.h"

#include "base/panic.h"

/* ---- One node ----------------------------------------------------------- */

static inline uint32_t height_of(const struct tree_node *node) { return node ? node->height : 0; }
static inline uint64_t largest_of(const struct tree_node *node) { return node ? node->largest : 0; }

static inline uint64_t largest_from_children(const struct tree_node *node)
{
    uint64_t below = max_u64(largest_of(node->child[TREE_BEFORE]),
                             largest_of(node->child[TREE_BEHIND]));
    return max_u64(node->value, below);
}

static inline void node_update(struct tree_node *node)
{
    uint32_t before = height_of(node->child[TREE_BEFORE]),
             behind = height_of(node->child[TREE_BEHIND]);
    node->height = 1 + (before > behind ? before : behind);
    node->largest = largest_from_children(node);
}

static inline void child_set(struct tree_node *node, int side, struct tree_node *child)
{
    node->child[side] = child;
    if (child)
        child->parent = node;
}

/* On which side of its parent is node? */
static inline int side_of(const struct tree_node *node)
{
    return node->parent->child[TREE_BEHIND] == node;
}

/* Put another node, or NULL, where node hangs. */
static void node_replace(struct tree *tree, const struct tree_node *node, struct tree_node *other)
{
    if (node->parent) {
        child_set(node->parent, side_of(node), other);
        return;
    }
    tree->root = other;
    if (other)
        other->parent = NULL;
}

/* ---- Balance ------------------------------------------------------------ */

/*
 * Let node sink to this side; its child on the other side rises to its place, and is returned.
 * The order stays. With side TREE_BEHIND:
 *
 *          node           rising
 *         /    \         /      \
 *     rising    c   ->  a       node
 *      /  \                     /  \
 *     a    b                   b    c
 */
static struct tree_node *rotate(struct tree *tree, struct tree_node *node, int side)
{
    struct tree_node *rising = node->child[!side];
    node_replace(tree, node, rising);
    child_set(node, !side, rising->child[side]);
    child_set(rising, side, node);
    node_update(node);
    node_update(rising);
    return rising;
}

/* Bring the subtree of node, whose children are right, into order; its new root. */
static struct tree_node *node_balance(struct tree *tree, struct tree_node *node)
{
    uint32_t before = height_of(node->child[TREE_BEFORE]),
             behind = height_of(node->child[TREE_BEHIND]);
    if (before <= behind + 1 && behind <= before + 1) {
        node_update(node);
        return node;
    }
    int high = behind > before;
    struct tree_node *child = node->child[high];
    if (height_of(child->child[!high]) > height_of(child->child[high]))
        rotate(tree, child, high);
    return rotate(tree, node, !high);
}

/* A subtree of node has changed: bring node and those above into order, as far up as anything
 * changes. */
static void tree_balance(struct tree *tree, struct tree_node *node)
{
    while (node) {
        uint32_t height = node->height;
        uint64_t largest = node->largest;
        node = node_balance(tree, node);
        if (node->height == height && node->largest == largest)
            return;
        node = node->parent;
    }
}

/* ---- Changes ------------------------------------------------------------ */

/* One of two neighbours is above the other, which then has a free place towards it. */
void tree_insert(struct tree *tree, struct tree_node *node, struct tree_node *prev,
                 struct tree_node *next)
{
    *node = (struct tree_node){ .value = node->value };
    node_update(node);
    if (prev && !prev->child[TREE_BEHIND]) {
        child_set(prev, TREE_BEHIND, node);
    } else if (next) {
        ASSERT(!next->child[TREE_BEFORE]);
        child_set(next, TREE_BEFORE, node);
    } else {
        ASSERT(!tree->root);
        tree->root = node;
    }
    tree_balance(tree, node->parent);
}

/* Take out node, which has two children, and put the next one in its place, which has no child
 * before it. */
static void inner_remove(struct tree *tree, struct tree_node *node)
{
    struct tree_node *next = node->child[TREE_BEHIND];
    while (next->child[TREE_BEFORE])
        next = next->child[TREE_BEFORE];
    struct tree_node *changed = next->parent == node ? next : next->parent;
    node_replace(tree, next, next->child[TREE_BEHIND]);
    child_set(next, TREE_BEFORE, node->child[TREE_BEFORE]);
    child_set(next, TREE_BEHIND, node->child[TREE_BEHIND]);
    node_replace(tree, node, next);
    next->height = node->height; /* as those above still have it */
    next->largest = node->largest;
    tree_balance(tree, changed);
    tree_balance(tree, next);
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
    struct tree_node *before = node->child[TREE_BEFORE], *behind = node->child[TREE_BEHIND];
    if (before && behind) {
        inner_remove(tree, node);
        return;
    }
    node_replace(tree, node, before ? before : behind);
    tree_balance(tree, node->parent);
}

void tree_set(struct tree_node *node, uint64_t value)
{
    node->value = value;
    for (; node; node = node->parent) {
        uint64_t largest = largest_from_children(node);
        if (largest == node->largest)
            return;
        node->largest = largest;
    }
}

void tree_copy_node(struct tree_node *node, const struct tree_node *from, struct tree_node *before,
                    struct tree_node *behind)
{
    child_set(node, TREE_BEFORE, before);
    child_set(node, TREE_BEHIND, behind);
    node->parent = NULL;
    node->value = from->value;
    node->largest = from->largest;
    node->height = from->height;
}

/* ---- Finding ------------------------------------------------------------ */

/* The last node of a subtree whose value is least or more; there is one. */
static struct tree_node *subtree_last(struct tree_node *node, uint64_t least)
{
    for (;;) {
        if (largest_of(node->child[TREE_BEHIND]) >= least)
            node = node->child[TREE_BEHIND];
        else if (node->value >= least)
            return node;
        else
            node = node->child[TREE_BEFORE];
    }
}

struct tree_node *tree_find_before(const struct tree *tree, struct tree_node *node, uint64_t least)
{
    struct tree_node *before = node ? node->child[TREE_BEFORE] : tree->root;
    if (before && before->largest >= least)
        return subtree_last(before, least);
    for (; node && node->parent; node = node->parent) {
        struct tree_node *parent = node->parent;
        if (side_of(node) != TREE_BEHIND)
            continue;
        if (parent->value >= least)
            return parent;
        before = parent->child[TREE_BEFORE];
        if (before && before->largest >= least)
            return subtree_last(before, least);
    }
    return NULL;
}
