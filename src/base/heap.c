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

static void set_place(struct plait__heap *heap, size_t at, struct plait__heap_place place)
{
    heap->places[at] = place;
    place.node->index = at + 1;
}

/* Fill the hole at `at` with `place`, moving larger parents down into the hole first. */
static void sift_up(struct plait__heap *heap, size_t at, struct plait__heap_place place)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;

        if (heap->places[parent].key <= place.key)
            break;
        set_place(heap, at, heap->places[parent]);
        at = parent;
    }
    set_place(heap, at, place);
}

/* Fill the hole at `at` with `place`, moving smaller children up into the hole first. */
static void sift_down(struct plait__heap *heap, size_t at, struct plait__heap_place place)
{
    for (;;) {
        size_t child = at * 2 + 1;

        if (child >= heap->len)
            break;
        if (child + 1 < heap->len && heap->places[child + 1].key < heap->places[child].key)
            child++;
        if (heap->places[child].key >= place.key)
            break;
        set_place(heap, at, heap->places[child]);
        at = child;
    }
    set_place(heap, at, place);
}

void plait__heap_fini(struct plait__heap *heap)
{
    for (size_t i = 0; i < heap->len; i++)
        heap->places[i].node->index = 0;
    free(heap->places);
    *heap = (struct plait__heap){ 0 };
}

int plait__heap_grow(struct plait__heap *heap, size_t n)
{
    size_t cap = heap->cap > 0 ? heap->cap : CAP_FIRST;
    struct plait__heap_place *places;

    while (cap < n)
        cap *= 2;
    places = reallocarray(heap->places, cap, sizeof *places);
    if (places == NULL)
        return -ENOMEM;
    heap->places = places;
    heap->cap = cap;
    return 0;
}

int plait__heap_push(struct plait__heap *heap, struct plait__heap_node *node)
{
    PLAIT__ASSERT(node->index == 0);
    if (plait__heap_reserve(heap, heap->len + 1) < 0)
        return -ENOMEM;
    heap->len++;
    sift_up(heap, heap->len - 1, (struct plait__heap_place){ node->key, node });
    return 0;
}

struct plait__heap_node *plait__heap_first(const struct plait__heap *heap)
{
    return heap->len > 0 ? heap->places[0].node : NULL;
}

void plait__heap_shift(struct plait__heap *heap, int64_t by)
{
    for (size_t i = 0; i < heap->len; i++) {
        heap->places[i].key += by;
        heap->places[i].node->key += by;
    }
}

void plait__heap_remove(struct plait__heap *heap, struct plait__heap_node *node)
{
    struct plait__heap_place last;
    size_t at;

    if (node->index == 0)
        return;
    at = node->index - 1;
    PLAIT__ASSERT(at < heap->len && heap->places[at].node == node);
    node->index = 0;
    last = heap->places[--heap->len];
    if (last.node == node)
        return;
    /* The last node comes from another branch: it may belong above the hole as well as below. */
    if (at > 0 && last.key < heap->places[(at - 1) / 2].key)
        sift_up(heap, at, last);
    else
        sift_down(heap, at, last);
}
