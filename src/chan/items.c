/* Items in free order behind a lock.
 * SPDX-License-Identifier: MIT
 */
#include "chan/items.h"
#include "sync/owned.h"

#include <errno.h>
#include <string.h>

enum {
    DEFAULT_BYTES = 1 << 20,
};

#define MOST_BYTES (UINT64_C(1) << 30)

/* ---- making ---- */

static uint32_t cells_of(const plait_priority_queue_opts *opts)
{
    size_t bytes = opts->max_bytes == 0 ? DEFAULT_BYTES : opts->max_bytes;

    return (uint32_t)(bytes / PLAIT__CELL_BYTES);
}

int plait__items_bytes(const plait_priority_queue_opts *opts, size_t *ret)
{
    if (opts->max_bytes != 0 &&
        (opts->max_bytes < PLAIT__CELL_BYTES || opts->max_bytes > MOST_BYTES))
        return -EINVAL;
    *ret = sizeof(struct plait__items) +
           (size_t)cells_of(opts) * (sizeof(struct plait__cell) + sizeof(uint32_t));
    return 0;
}

void plait__items_init(struct plait__items *items, const plait_priority_queue_opts *opts)
{
    bool has_max = opts->max_items != 0 && opts->max_items < UINT32_MAX;

    items->n_cells = cells_of(opts);
    items->max_items = has_max ? (uint32_t)opts->max_items : UINT32_MAX;
    items->newest_first = opts->newest_first;
}

/* ---- cells ---- */

uint32_t plait__items_cells_for(size_t n)
{
    size_t cells = n / PLAIT__CELL_ROOM + (n % PLAIT__CELL_ROOM != 0);

    return cells == 0 ? 1 : cells > UINT32_MAX ? UINT32_MAX : (uint32_t)cells;
}

static uint32_t cell_behind(const struct plait__items *items, uint32_t at)
{
    uint32_t link = items->cells[at].link;

    return link == 0 ? at + 1 : link - 1;
}

static void chain(struct plait__items *items, uint32_t at, uint32_t next)
{
    items->cells[at].link = next + 1;
}

/* What may be read without the lock is written like this, under it. Relaxed: who reads it so has
 * had the lock since what it looks for was done, or only wants a hint. */
static void set(uint32_t *word, uint32_t to)
{
    __atomic_store_n(word, to, __ATOMIC_RELAXED);
}

/* Into the chain of free cells; the cell behind the last one that it took. */
static uint32_t copy_in(struct plait__items *items, const plait_bytes *item)
{
    const char *from = item->bytes;
    size_t left = item->size;
    uint32_t at = items->free;

    for (;; at = cell_behind(items, at)) {
        size_t n = left < PLAIT__CELL_ROOM ? left : PLAIT__CELL_ROOM;
        if (at >= items->touched)
            items->touched = at + 1;
        if (n > 0)
            memcpy(items->cells[at].bytes, from, n);
        left -= n;
        if (left == 0)
            return cell_behind(items, at);
        from += n;
    }
}

/* The first n bytes of an item; the cell that the last one is in. */
static uint32_t copy_out(const struct plait__items *items, uint32_t at, char *to, size_t left)
{
    for (;; at = cell_behind(items, at)) {
        size_t n = left < PLAIT__CELL_ROOM ? left : PLAIT__CELL_ROOM;
        if (n > 0)
            memcpy(to, items->cells[at].bytes, n);
        left -= n;
        if (left == 0)
            return at;
        to += n;
    }
}

/* ---- order ---- */

static uint32_t *heap_of(struct plait__items *items)
{
    return (uint32_t *)(void *)(items->cells + items->n_cells);
}

static bool comes_before(const struct plait__items *items, uint32_t one, uint32_t other)
{
    const struct plait__cell *a = &items->cells[one], *b = &items->cells[other];

    if (a->priority != b->priority)
        return a->priority < b->priority;
    return items->newest_first ? a->stamp > b->stamp : a->stamp < b->stamp;
}

/* Puts the item into the heap, at this place or above it. */
static void rise(struct plait__items *items, uint32_t place, uint32_t item)
{
    uint32_t *heap = heap_of(items);

    while (place > 0 && comes_before(items, item, heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = item;
}

/* Puts the item into the heap of so many, at this place or below it. */
static void sink(struct plait__items *items, uint32_t count, uint32_t place, uint32_t item)
{
    uint32_t *heap = heap_of(items);

    for (;;) {
        uint32_t below = 2 * place + 1;
        if (below + 1 < count && comes_before(items, heap[below + 1], heap[below]))
            below++;
        if (below >= count || !comes_before(items, heap[below], item))
            break;
        heap[place] = heap[below];
        place = below;
    }
    heap[place] = item;
}

/* ---- after a death ---- */

/* Marks the cells of all items, where the heap will be; how many. */
static uint32_t mark_used(struct plait__items *items)
{
    uint32_t *is_used = heap_of(items), used = 0;

    memset(is_used, 0, items->touched * sizeof *is_used);
    for (uint32_t i = 0; i < items->touched; i++)
        if (items->cells[i].stamp != 0) {
            uint32_t cells = plait__items_cells_for(items->cells[i].size), at = i;
            used += cells;
            for (; cells > 0; cells--, at = cell_behind(items, at))
                is_used[at] = 1;
        }
    return used;
}

static void chain_unused(struct plait__items *items)
{
    const uint32_t *is_used = heap_of(items);
    uint32_t next = items->touched;

    for (uint32_t i = items->touched; i-- > 0;)
        if (!is_used[i]) {
            chain(items, i, next);
            next = i;
        }
    items->free = next;
}

static uint32_t order_all(struct plait__items *items)
{
    uint32_t *heap = heap_of(items), count = 0;

    for (uint32_t i = 0; i < items->touched; i++)
        if (items->cells[i].stamp != 0)
            heap[count++] = i;
    for (uint32_t place = count / 2; place-- > 0;)
        sink(items, count, place, heap[place]);
    return count;
}

/* Whoever is killed in here leaves the lock broken: the next one does it again. */
static void rebuild(struct plait__items *items)
{
    uint64_t puts = items->puts;

    set(&items->n_used, mark_used(items));
    chain_unused(items);
    set(&items->count, order_all(items));
    for (uint32_t i = 0; i < items->touched; i++)
        if (items->cells[i].stamp > puts)
            puts = items->cells[i].stamp;
    __atomic_store_n(&items->puts, puts, __ATOMIC_RELAXED);
}

/* ---- the lock ---- */

static int enter_slowly(struct plait__items *items, plait_deadline until)
{
    int rc = plait__owned_acquire_slowly(&items->lock, true, until);

    if (rc == 1) {
        rebuild(items);
        plait__owned_mend(&items->lock);
    }
    return rc < 0 ? rc : 0;
}

/* A queue with an item in it is not said to be empty because somebody else is looking at it: so
 * others inside are given the time to leave. */
static int enter(struct plait__items *items, plait_deadline until)
{
    uint32_t self = plait__member_self(), free = 0;
    plait_deadline patience;

    /* acquire: pairs with the release of the last one */
    if (self != 0 && __atomic_compare_exchange_n(&items->lock, &free, self, false, __ATOMIC_ACQUIRE,
                                                 __ATOMIC_RELAXED))
        return 0;
    patience = plait_after_ms(PLAIT__ITEMS_PATIENCE_MS);
    return enter_slowly(items, until.ns > patience.ns ? until : patience);
}

static void leave(struct plait__items *items)
{
    plait__owned_release(&items->lock);
}

/* ---- putting and getting ---- */

static int put(struct plait__items *items, int64_t priority, const plait_bytes *item)
{
    uint32_t cells = plait__items_cells_for(item->size), first = items->free, behind;
    struct plait__cell *cell = &items->cells[first];

    if (__atomic_load_n(&items->end, __ATOMIC_SEQ_CST) != 0)
        return -EPIPE;
    if (!plait__items_may_put(items, cells))
        return -EAGAIN;
    behind = copy_in(items, item);
    cell->priority = priority;
    cell->size = (uint32_t)item->size;
    /* release: who finds the stamp finds the item; it is in */
    __atomic_store_n(&cell->stamp, items->puts + 1, __ATOMIC_RELEASE);
    /* release: after the stamp, for it is only made larger by a rebuild */
    __atomic_store_n(&items->puts, items->puts + 1, __ATOMIC_RELEASE);
    items->free = behind;
    set(&items->n_used, items->n_used + cells);
    rise(items, items->count, first);
    set(&items->count, items->count + 1);
    return 0;
}

int plait__items_put(struct plait__items *items, int64_t priority, const plait_bytes *item,
                     plait_deadline until)
{
    int rc;

    if (plait__items_cells_for(item->size) > items->n_cells)
        return -EMSGSIZE;
    rc = enter(items, until);
    if (rc < 0)
        return rc;
    rc = put(items, priority, item);
    leave(items);
    return rc;
}

/* pre: its stamp is 0; it is the first in the heap. */
static void forget(struct plait__items *items, uint32_t first, uint32_t last)
{
    uint32_t cells = plait__items_cells_for(items->cells[first].size), count = items->count - 1;

    set(&items->count, count);
    if (count > 0)
        sink(items, count, 0, heap_of(items)[count]);
    chain(items, last, items->free);
    items->free = first;
    set(&items->n_used, items->n_used - cells);
}

static ssize_t get(struct plait__items *items, struct plait__items_hand *hand, bool keeps)
{
    uint32_t end = __atomic_load_n(&items->end, __ATOMIC_SEQ_CST), first, last;
    struct plait__cell *cell;
    size_t n;

    if ((end & PLAIT__ITEMS_DROPPED) || (end != 0 && items->count == 0))
        return -EPIPE;
    if (items->count == 0)
        return -EAGAIN;
    first = heap_of(items)[0];
    cell = &items->cells[first];
    n = cell->size;
    if (!keeps && n > hand->cap)
        return -EMSGSIZE;
    hand->priority = cell->priority;
    last = copy_out(items, first, hand->buf, n < hand->cap ? n : hand->cap);
    if (!keeps) {
        /* release: it has been copied; it is handed over */
        __atomic_store_n(&cell->stamp, 0, __ATOMIC_RELEASE);
        forget(items, first, last);
    }
    return (ssize_t)n;
}

static ssize_t take_first(struct plait__items *items, struct plait__items_hand *hand, bool keeps,
                          plait_deadline until)
{
    ssize_t rc = enter(items, until);

    if (rc < 0)
        return rc;
    rc = get(items, hand, keeps);
    leave(items);
    return rc;
}

ssize_t plait__items_get(struct plait__items *items, struct plait__items_hand *hand,
                         plait_deadline until)
{
    return take_first(items, hand, false, until);
}

ssize_t plait__items_peek(struct plait__items *items, struct plait__items_hand *hand,
                          plait_deadline until)
{
    return take_first(items, hand, true, until);
}

/* ---- tasks ---- */

/* How many are not finished. Of dropped ones only what had been got counts. */
static int64_t unfinished(const struct plait__items *items)
{
    bool is_dropped = (__atomic_load_n(&items->end, __ATOMIC_SEQ_CST) & PLAIT__ITEMS_DROPPED) != 0;
    uint64_t finished = __atomic_load_n(&items->finished, __ATOMIC_SEQ_CST);
    uint64_t never = is_dropped ? __atomic_load_n(&items->count, __ATOMIC_RELAXED) : 0;

    return (int64_t)(__atomic_load_n(&items->puts, __ATOMIC_RELAXED) - never - finished);
}

int plait__items_are_finished(struct plait__items *items, plait_deadline until)
{
    int rc = enter(items, until);

    if (rc < 0)
        return rc;
    rc = unfinished(items) <= 0 ? 0 : -EAGAIN;
    leave(items);
    return rc;
}

int plait__items_task_done(struct plait__items *items, bool *ret_is_last)
{
    uint64_t finished = __atomic_load_n(&items->finished, __ATOMIC_SEQ_CST);

    do
        if (unfinished(items) <= 0)
            return -EINVAL;
    while (!__atomic_compare_exchange_n(&items->finished, &finished, finished + 1, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    *ret_is_last = unfinished(items) <= 0;
    return 0;
}

void plait__items_end(struct plait__items *items, uint32_t how)
{
    __atomic_fetch_or(&items->end, how, __ATOMIC_SEQ_CST);
}

/* ---- looking ---- */

/* The counts are right after it, whoever was killed before he had changed them all. While somebody
 * who lives is inside, they are as they were before him, or after. */
static void settle(struct plait__items *items)
{
    if (__atomic_load_n(&items->lock, __ATOMIC_SEQ_CST) != 0 &&
        enter_slowly(items, PLAIT_NOWAIT) == 0)
        leave(items);
}

uint32_t plait__items_count(struct plait__items *items)
{
    settle(items);
    if (__atomic_load_n(&items->end, __ATOMIC_SEQ_CST) & PLAIT__ITEMS_DROPPED)
        return 0;
    return __atomic_load_n(&items->count, __ATOMIC_RELAXED);
}

bool plait__items_have_room(struct plait__items *items, uint32_t cells)
{
    settle(items);
    return plait__items_may_put(items, cells);
}

bool plait__items_may_get(const struct plait__items *items)
{
    return __atomic_load_n(&items->count, __ATOMIC_RELAXED) > 0 ||
           __atomic_load_n(&items->end, __ATOMIC_SEQ_CST) != 0;
}

bool plait__items_may_put(const struct plait__items *items, uint32_t cells)
{
    return __atomic_load_n(&items->count, __ATOMIC_RELAXED) < items->max_items &&
           cells <= items->n_cells - __atomic_load_n(&items->n_used, __ATOMIC_RELAXED);
}
