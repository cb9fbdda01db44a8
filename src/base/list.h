/* An intrusive, circular, doubly linked list.
 * SPDX-License-Identifier: MIT
 *
 * The head is a node without an owner; an empty list is a head that points at itself.
 */
#ifndef PLAIT__BASE_LIST_H
#define PLAIT__BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct plait__list {
    struct plait__list *next; /* first, of a head */
    struct plait__list *prev; /* last, of a head */
};

/* The object of `type` whose field `member` is the node at `ptr`. */
#define plait__list_entry(ptr, type, member) \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define list_for_each(node, head) \
    for (struct plait__list *node = (head)->next; node != (head); node = node->next)

/* The same, when the body may remove `node` (and nothing else). */
#define list_for_each_safe(node, head)                                                       \
    for (struct plait__list *node = (head)->next, *node##_next = node->next; node != (head); \
         node = node##_next, node##_next = node->next)

static inline void plait__list_init(struct plait__list *head)
{
    head->next = head->prev = head;
}

static inline bool plait__list_is_empty(const struct plait__list *head)
{
    return head->next == head;
}

static inline void plait__list_push_back(struct plait__list *head, struct plait__list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void plait__list_push_front(struct plait__list *head, struct plait__list *node)
{
    plait__list_push_back(head->next, node);
}

/* Leaves the node alone in a list of its own: removing it twice is harmless. */
static inline void plait__list_remove(struct plait__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    plait__list_init(node);
}

/* The first node, removed; NULL of an empty list. */
static inline struct plait__list *plait__list_pop_front(struct plait__list *head)
{
    struct plait__list *node = head->next;

    if (node == head)
        return NULL;
    plait__list_remove(node);
    return node;
}

#endif
