/* Items in free order behind a lock, and a SIGKILL at any instruction: what a priority queue is.
 * SPDX-License-Identifier: MIT
 *
 * One block of shared memory that holds no pointer. An item is a chain of cells of 64 bytes. Its
 * first cell has a stamp: which put it was, counted from 1. The stamp is the item: it is in when
 * its stamp has been written, and handed over when that is 0 again; each is one store. All else
 * (which cells are free, which item is the first, how many there are) is only there to find things
 * fast, and is made again from the stamps by the next one to take the lock from the dead:
 *
 *     put  copy into free cells · write the stamp ·      take them from the free ones, order them
 *     get  copy out of the first item · clear its stamp · give its cells back, order the rest
 *                                      \ killed here, or anywhere: rebuilt from the stamps
 *
 * Zero bytes are a block without items: a link of 0 means the next cell in memory, so that the free
 * cells are chained without being touched.
 */
#ifndef PLAIT__CHAN_ITEMS_H
#define PLAIT__CHAN_ITEMS_H

#include <plait/priority_queue.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PLAIT__CELL_BYTES = 64,
    PLAIT__CELL_ROOM = 40,
    PLAIT__ITEMS_PATIENCE_MS = 100, /* for another task inside, whatever the deadline */
    PLAIT__ITEMS_CLOSED = 1,        /* nothing comes in */
    PLAIT__ITEMS_DROPPED = 2,       /* and nothing goes out */
};

/* Lock; the fields behind `stamp` belong to a cell as long as it is an item's. */
struct plait__cell {
    uint64_t stamp; /* 0: no item begins here */
    int64_t priority;
    uint32_t size;
    uint32_t link; /* 1 + the next cell of the item or of the free ones; 0: the one behind this */
    char bytes[PLAIT__CELL_ROOM];
};

struct plait__items {
    /* const after init */
    uint32_t n_cells;
    uint32_t max_items;
    bool newest_first; /* of those with the same priority */

    uint32_t lock;    /* who is inside; broken: to be rebuilt */
    uint32_t end;     /* atomic: PLAIT__ITEMS_CLOSED, PLAIT__ITEMS_DROPPED */
    uint32_t touched; /* lock: cells from here on have never been used */
    /* lock writes them, atomic; made again from the stamps */
    uint64_t puts;
    uint32_t count;    /* of items */
    uint32_t n_used;   /* cells */
    uint32_t free;     /* lock: the first free cell; n_cells: none */
    uint64_t finished; /* atomic: items that plait__items_task_done was called for */

    /* lock; a binary heap of items follows the cells: the number of their first cell */
    struct plait__cell cells[];
};

/* Where an item goes. */
struct plait__items_hand {
    void *buf;
    size_t cap;
    int64_t priority; /* gets its priority */
};

/* How many bytes they take. 0, -EINVAL. */
int plait__items_bytes(const plait_priority_queue_opts *opts, size_t *ret);
/* pre: zero bytes; opts as for plait__items_bytes. */
void plait__items_init(struct plait__items *items, const plait_priority_queue_opts *opts);

/* How many cells an item of n bytes takes. */
uint32_t plait__items_cells_for(size_t n);

/* These wait for nothing but other tasks inside, at least PATIENCE long: -ETIMEDOUT, -ECANCELED.
 * -ENOMEM, -EUSERS: this process cannot join the family. -EAGAIN: there is no room, or no item. */

/* Or -EPIPE: closed · -EMSGSIZE: it never fits. */
int plait__items_put(struct plait__items *items, int64_t priority, const plait_bytes *item,
                     plait_deadline until);
/* Its size; or -EPIPE: closed and drained, or dropped · -EMSGSIZE: cap is too small. */
ssize_t plait__items_get(struct plait__items *items, struct plait__items_hand *hand,
                         plait_deadline until);
/* Its size; copies what fits. Or -EPIPE. */
ssize_t plait__items_peek(struct plait__items *items, struct plait__items_hand *hand,
                          plait_deadline until);
/* 0: each item is finished, of dropped ones those that had been got; or -EAGAIN. */
int plait__items_are_finished(struct plait__items *items, plait_deadline until);

/* 0, -EINVAL: nothing is unfinished. *ret_is_last: nothing is any more. */
int plait__items_task_done(struct plait__items *items, bool *ret_is_last);

/* `how`: PLAIT__ITEMS_CLOSED, PLAIT__ITEMS_DROPPED or both. */
void plait__items_end(struct plait__items *items, uint32_t how);

/* At some moment during the call; what a killed process left half done counts as done. */
uint32_t plait__items_count(struct plait__items *items);
bool plait__items_have_room(struct plait__items *items, uint32_t cells);
/* Without a look at the dead: may a get (a put of so many cells) find something to do? */
bool plait__items_may_get(const struct plait__items *items);
bool plait__items_may_put(const struct plait__items *items, uint32_t cells);

#endif
