/* A work-stealing deque.
 * SPDX-License-Identifier: MIT
 */
#include "pool/deque.h"

#include <errno.h>
#include <stdlib.h>

enum {
    FIRST_CAPACITY = 64 /* a power of two */
};

/* Items by their index, modulo the capacity. */
struct plait__deque_buffer {
    struct plait__deque_buffer *older; /* owner: for the end */
    int64_t capacity;                  /* const after create; a power of two */
    void *items[];                     /* atomic, each */
};

static struct plait__deque_buffer *create_buffer(int64_t capacity)
{
    struct plait__deque_buffer *buffer;

    if ((size_t)capacity > (SIZE_MAX / 2 - sizeof *buffer) / sizeof *buffer->items)
        return NULL;
    buffer = malloc(sizeof *buffer + (size_t)capacity * sizeof *buffer->items);
    if (buffer == NULL)
        return NULL;
    buffer->older = NULL;
    buffer->capacity = capacity;
    return buffer;
}

/* relaxed, both: an item is handed over by top and bottom, and a thief that read one which the owner
 * has overwritten since fails at top */
static void *load_item(struct plait__deque_buffer *buffer, int64_t i)
{
    return __atomic_load_n(&buffer->items[i & (buffer->capacity - 1)], __ATOMIC_RELAXED);
}

static void store_item(struct plait__deque_buffer *buffer, int64_t i, void *item)
{
    __atomic_store_n(&buffer->items[i & (buffer->capacity - 1)], item, __ATOMIC_RELAXED);
}

int plait__deque_init(struct plait__deque *deque)
{
    struct plait__deque_buffer *buffer = create_buffer(FIRST_CAPACITY);

    if (buffer == NULL)
        return -ENOMEM;
    *deque = (struct plait__deque){ .buffer = buffer };
    return 0;
}

void plait__deque_fini(struct plait__deque *deque)
{
    while (deque->buffer != NULL) {
        struct plait__deque_buffer *older = deque->buffer->older;
        free(deque->buffer);
        deque->buffer = older;
    }
}

/* The larger buffer, in place; NULL: no memory. */
static struct plait__deque_buffer *grow(struct plait__deque *deque, int64_t top, int64_t bottom)
{
    struct plait__deque_buffer *old = deque->buffer;
    struct plait__deque_buffer *larger = create_buffer(old->capacity * 2);

    if (larger == NULL)
        return NULL;
    for (int64_t i = top; i < bottom; i++)
        store_item(larger, i, load_item(old, i));
    larger->older = old;
    /* release: the partner is the acquire in steal: who sees the buffer sees the items */
    __atomic_store_n(&deque->buffer, larger, __ATOMIC_RELEASE);
    return larger;
}

int plait__deque_push(struct plait__deque *deque, void *item)
{
    /* relaxed: nobody else writes it */
    int64_t bottom = __atomic_load_n(&deque->bottom, __ATOMIC_RELAXED);
    struct plait__deque_buffer *buffer = deque->buffer;

    if (bottom - deque->old_top >= buffer->capacity) {
        /* acquire: the partner is the CAS in steal: the thief has read the item that we overwrite */
        deque->old_top = __atomic_load_n(&deque->top, __ATOMIC_ACQUIRE);
        if (bottom - deque->old_top >= buffer->capacity)
            buffer = grow(deque, deque->old_top, bottom);
        if (buffer == NULL)
            return -ENOMEM;
    }
    store_item(buffer, bottom, item);
    /* seq_cst: as a release, for the item, its partner is the load in steal; the rest is for who
     * sleeps: see the header */
    __atomic_store_n(&deque->bottom, bottom + 1, __ATOMIC_SEQ_CST);
    return 0;
}

/* The owner and the thieves, for the last item: who moves top has it. */
static bool win(struct plait__deque *deque, int64_t top)
{
    /* release, in seq_cst: whoever reuses the place sees that we have read it */
    return __atomic_compare_exchange_n(&deque->top, &top, top + 1, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}

void *plait__deque_take(struct plait__deque *deque)
{
    int64_t bottom = __atomic_load_n(&deque->bottom, __ATOMIC_RELAXED) - 1, top;
    void *item;

    if (bottom < deque->old_top) /* it was empty then, and nothing came */
        return NULL;
    /* seq_cst, both: announced before we look; the partners are the loads in steal */
    __atomic_store_n(&deque->bottom, bottom, __ATOMIC_SEQ_CST);
    top = __atomic_load_n(&deque->top, __ATOMIC_SEQ_CST);
    deque->old_top = top;
    if (top < bottom)
        return load_item(deque->buffer, bottom);
    item = NULL;
    if (top == bottom) {
        item = load_item(deque->buffer, bottom);
        if (!win(deque, top))
            item = NULL;
        deque->old_top = top + 1;
    }
    /* empty: bottom is top again. Relaxed: a thief that sees the old one finds nothing either */
    __atomic_store_n(&deque->bottom, deque->old_top, __ATOMIC_RELAXED);
    return item;
}

bool plait__deque_take_this(struct plait__deque *deque, const void *item)
{
    int64_t bottom = __atomic_load_n(&deque->bottom, __ATOMIC_RELAXED);

    /* what was there once and is not there any more does no harm: take decides */
    return bottom > deque->old_top && load_item(deque->buffer, bottom - 1) == item &&
           plait__deque_take(deque) != NULL;
}

void *plait__deque_peek(const struct plait__deque *deque)
{
    int64_t bottom = __atomic_load_n(&deque->bottom, __ATOMIC_RELAXED);

    /* relaxed: a hint; what is behind it is decided by take */
    if (bottom <= __atomic_load_n(&deque->top, __ATOMIC_RELAXED))
        return NULL;
    return load_item(deque->buffer, bottom - 1);
}

void *plait__deque_steal(struct plait__deque *deque)
{
    for (;;) {
        /* seq_cst, both, and in this order; the partners are the store and the load in take */
        int64_t top = __atomic_load_n(&deque->top, __ATOMIC_SEQ_CST);
        int64_t bottom = __atomic_load_n(&deque->bottom, __ATOMIC_SEQ_CST);
        struct plait__deque_buffer *buffer;
        void *item;
        if (top >= bottom)
            return NULL;
        /* acquire: the partner is the release in grow. After bottom: it is the buffer of that push
         * or a later one, and has the item at top unless that is stolen */
        buffer = __atomic_load_n(&deque->buffer, __ATOMIC_ACQUIRE);
        item = load_item(buffer, top);
        if (win(deque, top))
            return item;
    }
}

size_t plait__deque_count(const struct plait__deque *deque)
{
    /* seq_cst, both: who is about to sleep looks; the partner is the store in push */
    int64_t top = __atomic_load_n(&deque->top, __ATOMIC_SEQ_CST);
    int64_t bottom = __atomic_load_n(&deque->bottom, __ATOMIC_SEQ_CST);

    return bottom > top ? (size_t)(bottom - top) : 0;
}
