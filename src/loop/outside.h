/* The words that strands of a loop wait for and that other processes may change: nobody unparks a
 * strand then. The loop looks at the words itself, and sleeps on them.
 * SPDX-License-Identifier: MIT
 *
 * Many strands often wait for one word (of a queue). Those with the same word and value stand in a
 * circle, of which one, the leader, is in the table: looking at all words costs one look for each
 * circle. Nothing is allocated. All fields are the loop's.
 */
#ifndef PLAIT__LOOP_OUTSIDE_H
#define PLAIT__LOOP_OUTSIDE_H

#include "base/list.h"
#include "os/futex.h"

#include <stdbool.h>
#include <stddef.h>

struct plait__strand;

enum {
    PLAIT__OUTSIDE_BUCKETS = 32 /* a power of two */
};

/* One wait of one strand for one word. */
struct plait__outside {
    struct plait__list node;  /* of a leader: in its bucket */
    struct plait__list peers; /* the circle */
    struct plait__futex on;
    struct plait__strand *strand;
    bool leads;
};

/* Zero bytes are an empty table. */
struct plait__outside_table {
    struct plait__list buckets[PLAIT__OUTSIDE_BUCKETS]; /* zero before the first use */
    size_t n;                                           /* leaders */
};

void plait__outside_add(struct plait__outside_table *table, struct plait__outside *outside);
void plait__outside_remove(struct plait__outside_table *table, struct plait__outside *outside);
/* Calls wake for each strand of which a word has changed. It may not change the table. */
void plait__outside_look(const struct plait__outside_table *table,
                         void (*wake)(struct plait__strand *strand));
/* Up to max different words and their values; how many. */
size_t plait__outside_list(const struct plait__outside_table *table, struct plait__futex *ret,
                           size_t max);

#endif
