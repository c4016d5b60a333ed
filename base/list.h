/* SPDX-License-Identifier: MIT */
/* A circular doubly linked list threaded through its members. The owner's lock guards every
 * link. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/types.h"

struct list {
    struct list *next;
    struct list *prev;
};

#define LIST_INIT(name)  \
    {                    \
        &(name), &(name) \
    }

static inline void list_init(struct list *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_empty(const struct list *head) { return head->next == head; }

/* Put node directly behind where; list_add(node, head->prev) appends. */
static inline void list_add(struct list *node, struct list *where)
{
    node->next = where->next;
    node->prev = where;
    where->next->prev = node;
    where->next = node;
}

static inline void list_append(struct list *node, struct list *head) { list_add(node, head->prev); }

/* Take node out; it is left as a list of its own, so that taking it out twice does no harm. */
static inline void list_remove(struct list *node)
{
    node->next->prev = node->prev;
    node->prev->next = node->next;
    list_init(node);
}

#define list_entry(node, type, member) container_of(node, type, member)
#define list_for_each(node, head) \
    for (struct list *node = (head)->next; node != (head); node = node->next)
/* As above, but the body may take node out. */
#define list_for_each_safe(node, after, head)                                   \
    for (struct list *node = (head)->next, *after = node->next; node != (head); \
         node = after, after = node->next)

#endif
