/* The heap against a model.
 * SPDX-License-Identifier: MIT
 */
#include "base/heap.h"

#include "test.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    NODES = 200,
    STEPS = 20000
};

/* Every node knows its place, and no parent is larger than its child. */
static void check_order(const struct plait__heap *heap)
{
    for (size_t i = 0; i < heap->len; i++) {
        CHECK_INT(heap->places[i].node->index, i + 1);
        CHECK_INT(heap->places[i].key, heap->places[i].node->key);
        CHECK(i == 0 || heap->places[(i - 1) / 2].key <= heap->places[i].key);
    }
}

/* The model: look at all nodes. */
static int64_t smallest_key(const struct plait__heap_node *nodes, const bool *is_in)
{
    int64_t smallest = INT64_MAX;

    for (int i = 0; i < NODES; i++)
        if (is_in[i] && nodes[i].key < smallest)
            smallest = nodes[i].key;
    return smallest;
}

TEST(an_empty_heap_has_no_first)
{
    struct plait__heap heap = { 0 };
    struct plait__heap_node node = { 0 };

    CHECK(plait__heap_first(&heap) == NULL);
    plait__heap_remove(&heap, &node);
    plait__heap_fini(&heap);
}

TEST(random_pushes_and_removals_agree_with_the_model)
{
    static struct plait__heap_node nodes[NODES];
    static bool is_in[NODES];
    struct plait__heap heap = { 0 };
    size_t count = 0;

    srand48(20240229);
    for (int step = 0; step < STEPS; step++) {
        int i = (int)(lrand48() % NODES);

        if (is_in[i]) {
            plait__heap_remove(&heap, &nodes[i]);
            CHECK_INT(nodes[i].index, 0);
            count--;
        } else {
            nodes[i].key = mrand48() % 50; /* few values: equal keys are common */
            CHECK_INT(plait__heap_push(&heap, &nodes[i]), 0);
            count++;
        }
        is_in[i] = !is_in[i];
        CHECK_INT(heap.len, count);
        check_order(&heap);
        CHECK(count == 0 || plait__heap_first(&heap)->key == smallest_key(nodes, is_in));
    }
    plait__heap_fini(&heap);
}

TEST(taking_the_first_again_and_again_sorts)
{
    static struct plait__heap_node nodes[NODES];
    struct plait__heap heap = { 0 };
    int64_t last = INT64_MIN;

    srand48(7);
    for (int i = 0; i < NODES; i++) {
        nodes[i].key = i == 0 ? INT64_MAX : i == 1 ? INT64_MIN : mrand48();
        CHECK_INT(plait__heap_push(&heap, &nodes[i]), 0);
    }
    for (int i = 0; i < NODES; i++) {
        struct plait__heap_node *node = plait__heap_first(&heap);

        CHECK(node->key >= last);
        last = node->key;
        plait__heap_remove(&heap, node);
    }
    CHECK(plait__heap_first(&heap) == NULL);
    plait__heap_fini(&heap);
}

TEST(fini_lets_the_nodes_go)
{
    struct plait__heap heap = { 0 };
    struct plait__heap_node node = { .key = 3 };

    CHECK_INT(plait__heap_push(&heap, &node), 0);
    plait__heap_fini(&heap);
    CHECK_INT(node.index, 0);
    CHECK_INT(plait__heap_push(&heap, &node), 0);
    plait__heap_fini(&heap);
}

TEST(all_keys_are_shifted_at_once)
{
    struct plait__heap heap = { 0 };
    struct plait__heap_node nodes[3] = { { .key = 5 }, { .key = 3 }, { .key = 4 } };

    for (int i = 0; i < 3; i++)
        CHECK_INT(plait__heap_push(&heap, &nodes[i]), 0);
    plait__heap_shift(&heap, 7);
    check_order(&heap);
    CHECK_INT(plait__heap_first(&heap)->key, 10);
    CHECK_INT(nodes[0].key, 12);
    plait__heap_fini(&heap);
}
