/* A binary min-heap of intrusive nodes.
 * SPDX-License-Identifier: MIT
 *
 * The children of place i are 2i+1 and 2i+2. A node knows its place (index - 1), so that it can be
 * taken out of the middle in O(log n). Memory is never given back before fini: to change a key,
 * remove and push again; that push finds the place which the removal left and cannot fail.
 */
#include "base/heap.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>

enum {
    CAP_FIRST = 16
};

static void set_place(struct plait__heap *heap, size_t place, struct plait__heap_node *node)
{
    heap->nodes[place] = node;
    node->index = place + 1;
}

/* Fill the hole at `place` with `node`, moving larger parents down into the hole first. */
static void sift_up(struct plait__heap *heap, size_t place, struct plait__heap_node *node)
{
    while (place > 0) {
        size_t parent = (place - 1) / 2;

        if (heap->nodes[parent]->key <= node->key)
            break;
        set_place(heap, place, heap->nodes[parent]);
        place = parent;
    }
    set_place(heap, place, node);
}

/* Fill the hole at `place` with `node`, moving smaller children up into the hole first. */
static void sift_down(struct plait__heap *heap, size_t place, struct plait__heap_node *node)
{
    for (;;) {
        size_t child = place * 2 + 1;

        if (child >= heap->len)
            break;
        if (child + 1 < heap->len && heap->nodes[child + 1]->key < heap->nodes[child]->key)
            child++;
        if (heap->nodes[child]->key >= node->key)
            break;
        set_place(heap, place, heap->nodes[child]);
        place = child;
    }
    set_place(heap, place, node);
}

void plait__heap_fini(struct plait__heap *heap)
{
    for (size_t i = 0; i < heap->len; i++)
        heap->nodes[i]->index = 0;
    free(heap->nodes);
    *heap = (struct plait__heap){ 0 };
}

int plait__heap_grow(struct plait__heap *heap, size_t n)
{
    size_t cap = heap->cap > 0 ? heap->cap : CAP_FIRST;
    struct plait__heap_node **nodes;

    while (cap < n)
        cap *= 2;
    nodes = reallocarray(heap->nodes, cap, sizeof(struct plait__heap_node *));
    if (nodes == NULL)
        return -ENOMEM;
    heap->nodes = nodes;
    heap->cap = cap;
    return 0;
}

int plait__heap_push(struct plait__heap *heap, struct plait__heap_node *node)
{
    PLAIT__ASSERT(node->index == 0);
    if (plait__heap_reserve(heap, heap->len + 1) < 0)
        return -ENOMEM;
    heap->len++;
    sift_up(heap, heap->len - 1, node);
    return 0;
}

struct plait__heap_node *plait__heap_first(const struct plait__heap *heap)
{
    return heap->len > 0 ? heap->nodes[0] : NULL;
}

void plait__heap_remove(struct plait__heap *heap, struct plait__heap_node *node)
{
    struct plait__heap_node *last;
    size_t place;

    if (node->index == 0)
        return;
    place = node->index - 1;
    PLAIT__ASSERT(place < heap->len && heap->nodes[place] == node);
    node->index = 0;
    last = heap->nodes[--heap->len];
    if (last == node)
        return;
    /* The last node comes from another branch: it may belong above the hole as well as below. */
    if (place > 0 && last->key < heap->nodes[(place - 1) / 2]->key)
        sift_up(heap, place, last);
    else
        sift_down(heap, place, last);
}
