/* The pool of stacks.
 * SPDX-License-Identifier: MIT
 *
 * A slab is one mapping of stacks of one size; each stack has a cell outside of it, which is what
 * lists link, so that a free stack's memory is not touched. A slab's cells are carved from the left
 * on: what was never used is in no list.
 */
#include "loop/stacks.h"
#include "os/memory.h"
#include "os/stack.h"
#include "wait/mutex.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 32,            /* go from the depot to a loop at once */
    OWN_MOST = 128,        /* a loop that has more free ones gives half of them to the depot */
    SLAB_FIRST = 64,       /* stacks in the first slab of a size; doubled for each next one */
    SLAB_MOST = 512,       /* a larger one would hold everybody up too long */
    KEPT_BYTES = 16 << 10, /* of a free stack; what is below is given back */
    COLOUR = 64,           /* a line of the cache */
    COLOURS = 16
};

struct plait__stack_cell {
    struct plait__stack_cell *next; /* list's owner */
    uint32_t index;                 /* in its slab; const */
    bool is_clean;                  /* not touched since it was mapped or trimmed; list's owner */
};

struct slab {
    struct slab *next;   /* this and the next three: depot's lock */
    size_t n_carved;     /* cells that were given out at least once */
    size_t n_depot;      /* of them, in the depot's list */
    uint32_t generation; /* the rest is const */
    uint8_t size_class, guards;
    size_t count;
    char *base;
    struct plait__stack_cell cells[];
};

static struct {
    struct plait__mutex lock;
    uint32_t generation; /* lock, like all: one more in each forked child */

    struct {
        struct plait__stack_cell *free;
        struct slab *slabs; /* the first may have cells that are not carved yet */
        size_t next_count;
    } classes[PLAIT__STACK_CLASSES];
    struct plait__list known;       /* struct plait__stacks */
    intptr_t gone_used, gone_alone; /* counts of those that were known and are no more */
} depot;

static const size_t class_bytes[PLAIT__STACK_CLASSES] = { 64 << 10, 192 << 10, 1 << 20 };

static void add_to(intptr_t *count, intptr_t n)
{
    __atomic_store_n(count, *count + n, __ATOMIC_RELAXED);
}

static void set_n(struct plait__stacks *own, unsigned size_class, size_t n)
{
    __atomic_store_n(&own->free[size_class].n, n, __ATOMIC_RELAXED);
}

static unsigned class_of(size_t bytes)
{
    unsigned size_class = bytes == 0 ? PLAIT__STACK_DEFAULT : PLAIT__STACK_SMALL;

    while (size_class < PLAIT__STACK_CLASSES && class_bytes[size_class] < bytes)
        size_class++;
    return size_class;
}

static struct slab *slab_of(struct plait__stack_cell *cell)
{
    struct plait__stack_cell *first = cell - cell->index;

    return (struct slab *)(void *)((char *)first - offsetof(struct slab, cells));
}

static void describe(struct plait__stack_cell *cell, struct plait__stack *ret)
{
    const struct slab *slab = slab_of(cell);
    size_t bytes = class_bytes[slab->size_class], page = plait__os_page_bytes();

    *ret = (struct plait__stack){ .low = slab->base + cell->index * bytes + page,
                                  .bytes = bytes - page - cell->index % COLOURS * COLOUR,
                                  .cell = cell,
                                  .size_class = slab->size_class,
                                  .guard = slab->guards };
}

/* With the depot's lock. Fewer than wanted where there are not so many addresses. */
static int map_slab(unsigned size_class)
{
    size_t wanted = depot.classes[size_class].next_count, count;
    unsigned guards = PLAIT__GUARD_NONE;
    struct slab *slab = NULL;
    void *base = NULL;

    wanted = wanted > 0 ? wanted : SLAB_FIRST;
    count = wanted;
    while (plait__os_stacks_map(&base, count, class_bytes[size_class], &guards) < 0)
        if ((count /= 2) == 0)
            return -ENOMEM;
    slab = calloc(1, sizeof *slab + count * sizeof slab->cells[0]);
    if (slab == NULL) {
        plait__os_stacks_unmap(base, count, class_bytes[size_class], guards);
        return -ENOMEM;
    }
    slab->generation = depot.generation;
    slab->size_class = (uint8_t)size_class;
    slab->guards = (uint8_t)guards;
    slab->count = count;
    slab->base = base;
    slab->next = depot.classes[size_class].slabs;
    depot.classes[size_class].slabs = slab;
    depot.classes[size_class].next_count = wanted < SLAB_MOST ? wanted * 2 : SLAB_MOST;
    return 0;
}

/* With the depot's lock. */
static struct plait__stack_cell *take_from_depot(unsigned size_class)
{
    struct plait__stack_cell *cell = depot.classes[size_class].free;
    struct slab *slab = depot.classes[size_class].slabs;

    if (cell != NULL) {
        depot.classes[size_class].free = cell->next;
        slab_of(cell)->n_depot--;
    } else if (slab != NULL && slab->n_carved < slab->count) {
        cell = &slab->cells[slab->n_carved];
        cell->index = (uint32_t)slab->n_carved++;
        cell->is_clean = true;
    }
    return cell;
}

/* With the depot's lock. */
static void make_known(struct plait__stacks *own)
{
    if (depot.known.next == NULL)
        plait__list_init(&depot.known);
    if (own->known_since == depot.generation + 1)
        return;
    plait__list_push_back(&depot.known, &own->known);
    own->known_since = depot.generation + 1;
}

static void push_own(struct plait__stacks *own, unsigned size_class, struct plait__stack_cell *cell)
{
    cell->next = own->free[size_class].first;
    own->free[size_class].first = cell;
    set_n(own, size_class, own->free[size_class].n + 1);
}

static struct plait__stack_cell *pop_own(struct plait__stacks *own, unsigned size_class)
{
    struct plait__stack_cell *cell = own->free[size_class].first;

    if (cell != NULL) {
        own->free[size_class].first = cell->next;
        set_n(own, size_class, own->free[size_class].n - 1);
    }
    return cell;
}

static int refill(struct plait__stacks *own, unsigned size_class)
{
    struct plait__stack_cell *cell;
    int rc = 0, n = 0;

    plait__mutex_lock(&depot.lock);
    make_known(own);
    while (n < BATCH && (cell = take_from_depot(size_class)) != NULL) {
        push_own(own, size_class, cell);
        n++;
    }
    if (n == 0 && (rc = map_slab(size_class)) == 0)
        while (n < BATCH && (cell = take_from_depot(size_class)) != NULL) {
            push_own(own, size_class, cell);
            n++;
        }
    plait__mutex_unlock(&depot.lock);
    return rc;
}

/* With the depot's lock. */
static void give_to_depot(struct plait__stacks *own, unsigned size_class, size_t n)
{
    struct plait__stack_cell *cell;

    while (n-- > 0 && (cell = pop_own(own, size_class)) != NULL) {
        cell->next = depot.classes[size_class].free;
        depot.classes[size_class].free = cell;
        slab_of(cell)->n_depot++;
    }
}

static int get_alone(struct plait__stacks *own, size_t bytes, struct plait__stack *ret)
{
    size_t page = plait__os_page_bytes();
    unsigned guard;
    void *base;

    if (bytes > SIZE_MAX / 2)
        return -ENOMEM;
    bytes = (bytes + page - 1) & ~(page - 1);
    if (plait__os_stacks_map(&base, 1, bytes, &guard) < 0)
        return -ENOMEM;
    *ret = (struct plait__stack){ .low = (char *)base + page,
                                  .bytes = bytes - page,
                                  .size_class = PLAIT__STACK_ALONE,
                                  .guard = (uint8_t)guard };
    plait__mutex_lock(&depot.lock);
    make_known(own);
    plait__mutex_unlock(&depot.lock);
    add_to(&own->n_alone, 1);
    return 0;
}

int plait__stack_get(struct plait__stacks *own, size_t bytes, struct plait__stack *ret)
{
    unsigned size_class = class_of(bytes);
    struct plait__stack_cell *cell;
    int rc;

    if (size_class == PLAIT__STACK_ALONE)
        return get_alone(own, bytes, ret);
    if (own->free[size_class].first == NULL && (rc = refill(own, size_class)) < 0)
        return rc;
    cell = pop_own(own, size_class);
    cell->is_clean = false;
    add_to(&own->n_used, 1);
    describe(cell, ret);
    return 0;
}

/* Without a loop: straight to the depot. */
static void put_in_depot(const struct plait__stack *stack)
{
    struct plait__stacks own = { 0 };

    plait__mutex_lock(&depot.lock);
    if (stack->cell == NULL)
        depot.gone_alone--;
    else {
        depot.gone_used--;
        push_own(&own, stack->size_class, stack->cell);
        give_to_depot(&own, stack->size_class, 1);
    }
    plait__mutex_unlock(&depot.lock);
}

static void put_in_own(struct plait__stacks *own, const struct plait__stack *stack)
{
    unsigned size_class = stack->size_class;

    if (stack->cell == NULL) {
        add_to(&own->n_alone, -1);
        return;
    }
    add_to(&own->n_used, -1);
    push_own(own, size_class, stack->cell);
    if (own->free[size_class].n > OWN_MOST) {
        plait__mutex_lock(&depot.lock);
        make_known(own);
        give_to_depot(own, size_class, OWN_MOST / 2);
        plait__mutex_unlock(&depot.lock);
    }
}

void plait__stack_put(struct plait__stacks *own, const struct plait__stack *stack)
{
    size_t page = plait__os_page_bytes();

    if (stack->cell == NULL)
        plait__os_stacks_unmap((char *)stack->low - page, 1, stack->bytes + page, stack->guard);
    else if (plait__os_stack_is_deep(stack->low, stack->bytes, KEPT_BYTES))
        plait__os_stack_trim(stack->low, stack->bytes, KEPT_BYTES); /* or the memory stays */
    if (own == NULL)
        put_in_depot(stack);
    else
        put_in_own(own, stack);
}

void plait__stacks_fini(struct plait__stacks *own)
{
    plait__mutex_lock(&depot.lock);
    make_known(own);
    for (unsigned i = 0; i < PLAIT__STACK_CLASSES; i++)
        give_to_depot(own, i, SIZE_MAX);
    plait__list_remove(&own->known);
    depot.gone_used += own->n_used;
    depot.gone_alone += own->n_alone;
    plait__mutex_unlock(&depot.lock);
    *own = (struct plait__stacks){ 0 };
}

/* Is all of it in the depot? What another process of the family mapped stays. */
static bool is_idle(const struct slab *slab)
{
    return slab->n_depot == slab->n_carved && slab->generation == depot.generation;
}

/* With the depot's lock: takes the cells of idle slabs out of the list, and the memory of the rest. */
static void trim_list(unsigned size_class)
{
    struct plait__stack_cell **link = &depot.classes[size_class].free, *cell;
    size_t whole =
        class_bytes[size_class] - plait__os_page_bytes(); /* with what colours left out */
    struct plait__stack stack;

    while ((cell = *link) != NULL) {
        if (is_idle(slab_of(cell))) {
            *link = cell->next;
            continue;
        }
        describe(cell, &stack);
        if (!cell->is_clean && plait__os_stack_trim(stack.low, whole, 0) == 0)
            cell->is_clean = true;
        link = &cell->next;
    }
}

/* With the depot's lock. */
static void unmap_idle(unsigned size_class)
{
    struct slab **link = &depot.classes[size_class].slabs, *slab;

    while ((slab = *link) != NULL) {
        if (is_idle(slab)) {
            *link = slab->next;
            plait__os_stacks_unmap(slab->base, slab->count, class_bytes[size_class], slab->guards);
            free(slab);
        } else
            link = &slab->next;
    }
}

void plait__stacks_trim(struct plait__stacks *own)
{
    plait__mutex_lock(&depot.lock);
    for (unsigned i = 0; i < PLAIT__STACK_CLASSES; i++) {
        if (own != NULL) {
            make_known(own);
            give_to_depot(own, i, SIZE_MAX);
        }
        trim_list(i);
        unmap_idle(i);
    }
    plait__mutex_unlock(&depot.lock);
}

void plait__stacks_reset(void)
{
    uint32_t generation = depot.generation + 1;

    memset(&depot, 0, sizeof depot);
    depot.generation = generation;
}

void plait__stacks_stats(struct plait__stacks_stats *ret)
{
    intptr_t used, alone;

    *ret = (struct plait__stacks_stats){ 0 };
    plait__mutex_lock(&depot.lock);
    used = depot.gone_used;
    alone = depot.gone_alone;
    for (unsigned i = 0; i < PLAIT__STACK_CLASSES; i++)
        for (const struct slab *slab = depot.classes[i].slabs; slab != NULL; slab = slab->next) {
            ret->mapped += slab->count;
            ret->by_guard[slab->guards] += slab->count;
            ret->mapped_bytes += slab->count * class_bytes[i];
        }
    if (depot.known.next != NULL)
        list_for_each (node, &depot.known) {
            struct plait__stacks *own = plait__list_entry(node, struct plait__stacks, known);
            used += __atomic_load_n(&own->n_used, __ATOMIC_RELAXED);
            alone += __atomic_load_n(&own->n_alone, __ATOMIC_RELAXED);
        }
    plait__mutex_unlock(&depot.lock);
    ret->in_use = (size_t)used;
    ret->alone = (size_t)alone;
}
