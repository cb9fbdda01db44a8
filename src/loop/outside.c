/* The words that strands of a loop wait for and that other processes may change.
 * SPDX-License-Identifier: MIT
 */
#include "loop/outside.h"

#include <stdint.h>

static struct plait__list *bucket_of(struct plait__outside_table *table, const uint32_t *word)
{
    uint64_t hash = (uint64_t)(uintptr_t)word * UINT64_C(0x9E3779B97F4A7C15);
    struct plait__list *bucket = &table->buckets[(hash >> 32) % PLAIT__OUTSIDE_BUCKETS];

    if (bucket->next == NULL)
        plait__list_init(bucket);
    return bucket;
}

static struct plait__outside *find_leader(struct plait__list *bucket, const struct plait__futex *on)
{
    list_for_each (node, bucket) {
        struct plait__outside *leader = plait__list_entry(node, struct plait__outside, node);
        if (leader->on.word == on->word && leader->on.expected == on->expected)
            return leader;
    }
    return NULL;
}

void plait__outside_add(struct plait__outside_table *table, struct plait__outside *outside)
{
    struct plait__list *bucket = bucket_of(table, outside->on.word);
    struct plait__outside *leader = find_leader(bucket, &outside->on);

    outside->leads = leader == NULL;
    plait__list_init(&outside->node);
    plait__list_init(&outside->peers);
    if (leader != NULL) {
        plait__list_push_back(&leader->peers, &outside->peers);
        return;
    }
    plait__list_push_back(bucket, &outside->node);
    table->n++;
}

void plait__outside_remove(struct plait__outside_table *table, struct plait__outside *outside)
{
    struct plait__list *next = outside->peers.next;

    if (outside->leads && next == &outside->peers)
        table->n--;
    else if (outside->leads) {
        struct plait__outside *heir = plait__list_entry(next, struct plait__outside, peers);
        heir->leads = true;
        plait__list_push_back(&outside->node, &heir->node);
    }
    plait__list_remove(&outside->node);
    plait__list_remove(&outside->peers);
}

static void wake_circle(const struct plait__outside *leader,
                        void (*wake)(struct plait__strand *strand))
{
    wake(leader->strand);
    list_for_each (node, &leader->peers)
        wake(plait__list_entry(node, struct plait__outside, peers)->strand);
}

void plait__outside_look(const struct plait__outside_table *table,
                         void (*wake)(struct plait__strand *strand))
{
    if (table->n == 0)
        return;
    for (size_t i = 0; i < PLAIT__OUTSIDE_BUCKETS; i++) {
        const struct plait__list *bucket = &table->buckets[i];
        if (bucket->next == NULL)
            continue;
        list_for_each (node, bucket) {
            struct plait__outside *leader = plait__list_entry(node, struct plait__outside, node);
            if (__atomic_load_n(leader->on.word, __ATOMIC_SEQ_CST) != leader->on.expected)
                wake_circle(leader, wake);
        }
    }
}

size_t plait__outside_list(const struct plait__outside_table *table, struct plait__futex *ret,
                           size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < PLAIT__OUTSIDE_BUCKETS && table->n > 0; i++) {
        const struct plait__list *bucket = &table->buckets[i];
        if (bucket->next == NULL)
            continue;
        list_for_each (node, bucket) {
            if (n == max)
                return n;
            ret[n++] = plait__list_entry(node, struct plait__outside, node)->on;
        }
    }
    return n;
}
