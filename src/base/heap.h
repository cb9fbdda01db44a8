/* A binary min-heap of intrusive nodes, ordered by a 64-bit key.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__BASE_HEAP_H
#define PLAIT__BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct plait__heap_node {
    int64_t key;  /* smallest first */
    size_t index; /* place in the heap plus one; 0: in none */
};

/* A key beside its node: to compare two, neither node is touched. */
struct plait__heap_place {
    int64_t key;
    struct plait__heap_node *node;
};

struct plait__heap {
    struct plait__heap_place *places;
    size_t len;
    size_t cap;
};

void plait__heap_fini(struct plait__heap *heap);
int plait__heap_grow(struct plait__heap *heap, size_t n); /* only for the next function */

/* Make room for n nodes in all: pushing up to so many cannot fail then. 0 or -ENOMEM. */
static inline int plait__heap_reserve(struct plait__heap *heap, size_t n)
{
    return n <= heap->cap ? 0 : plait__heap_grow(heap, n);
}

/* 0 or -ENOMEM. The node must be in no heap. */
int plait__heap_push(struct plait__heap *heap, struct plait__heap_node *node);
/* The node with the smallest key, left in the heap; NULL of an empty one. */
struct plait__heap_node *plait__heap_first(const struct plait__heap *heap);
/* Adds that to all keys. */
void plait__heap_shift(struct plait__heap *heap, int64_t by);
/* A node that is in no heap is left alone. */
void plait__heap_remove(struct plait__heap *heap, struct plait__heap_node *node);

#endif
