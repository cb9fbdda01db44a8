/* Loops that share what has not begun.
 * SPDX-License-Identifier: MIT
 *
 * Who is hungry says that it sleeps and looks at the shelf then; who gives fills the shelf and looks
 * then who sleeps: both seq_cst, so one of them sees the other. What lies on the shelf while all are
 * busy is taken by whoever looks outside next with nothing fresh of its own. Who leaves puts back what
 * it has from there, and sees to it that somebody takes it; the last one takes all.
 */
#include "loop/balance.h"
#include "loop/inside.h"
#include "wait/mutex.h"

enum {
    TAKE_MOST = 64, /* at once */
    KEEP_MOST = 128 /* of one that keeps its thread busy, the others wait for no more than these */
};

static struct {
    struct plait__mutex lock;
    struct plait__fresh *first, *last; /* lock */
    uint32_t n;                        /* atomic; changed with the lock: how many lie there */
    uint32_t n_hungry;                 /* atomic; changed with the lock */
    struct plait__loop *hungry;        /* lock */
    uint32_t n_members;                /* lock */
} shelf;

void plait__balance_join(struct plait__loop *loop)
{
    if (loop->is_balanced)
        return;
    loop->is_balanced = true;
    plait__mutex_lock(&shelf.lock);
    shelf.n_members++;
    plait__mutex_unlock(&shelf.lock);
}

/* With the lock. */
static void stop_being_hungry(struct plait__loop *loop)
{
    struct plait__loop **at = &shelf.hungry;

    while (*at != NULL && *at != loop)
        at = &(*at)->next_hungry;
    if (*at != NULL) {
        *at = loop->next_hungry;
        __atomic_fetch_sub(&shelf.n_hungry, 1, __ATOMIC_SEQ_CST);
    }
    __atomic_store_n(&loop->is_hungry, false,
                     __ATOMIC_RELAXED); /* the loop looks without the lock */
}

void plait__balance_is_fed(struct plait__loop *loop)
{
    if (!__atomic_load_n(&loop->is_hungry, __ATOMIC_RELAXED))
        return;
    plait__mutex_lock(&shelf.lock);
    stop_being_hungry(loop);
    plait__mutex_unlock(&shelf.lock);
}

/* With the lock: behind what lies there. */
static void put_on_shelf(struct plait__fresh *first, struct plait__fresh *last, uint32_t n)
{
    if (shelf.first == NULL)
        shelf.first = first;
    else
        shelf.last->next = first;
    shelf.last = last;
    __atomic_fetch_add(&shelf.n, n, __ATOMIC_SEQ_CST);
}

/* With the lock. */
static struct plait__fresh *take_from_shelf(void)
{
    struct plait__fresh *fresh = shelf.first;

    if (fresh != NULL) {
        shelf.first = fresh->next;
        __atomic_fetch_sub(&shelf.n, 1, __ATOMIC_SEQ_CST);
    }
    return fresh;
}

/* With the lock: what others may have put there goes back, in its order. */
static void put_back(struct plait__loop *loop)
{
    struct plait__fresh *fresh = loop->first_fresh;

    loop->first_fresh = loop->last_fresh = NULL;
    loop->n_fresh = 0;
    while (fresh != NULL) {
        struct plait__fresh *next = fresh->next;
        if (fresh->was_shared) {
            fresh->next = NULL;
            put_on_shelf(fresh, fresh, 1);
        } else {
            plait__loop_push_fresh(loop, fresh);
        }
        fresh = next;
    }
}

void plait__balance_leave(struct plait__loop *loop)
{
    struct plait__loop *hungry = NULL;
    struct plait__fresh *fresh;

    if (!loop->is_balanced)
        return;
    loop->is_balanced = false;
    plait__mutex_lock(&shelf.lock);
    stop_being_hungry(loop);
    shelf.n_members--;
    if (shelf.n_members > 0)
        put_back(loop);
    else
        while ((fresh = take_from_shelf()) != NULL)
            plait__loop_push_fresh(loop, fresh);
    if (shelf.first != NULL && shelf.hungry != NULL) {
        hungry = shelf.hungry;
        stop_being_hungry(hungry);
    }
    plait__mutex_unlock(&shelf.lock);
    if (hungry != NULL)
        plait__loop_kick(hungry);
}

/* The newer half: the older ones begin here in a moment. */
static struct plait__fresh *cut_half(struct plait__loop *loop, uint32_t *ret_n)
{
    size_t keep = (loop->n_fresh + 1) / 2;
    struct plait__fresh *last = loop->first_fresh, *half;

    for (size_t i = 1; i < keep; i++)
        last = last->next;
    half = last->next;
    last->next = NULL;
    loop->last_fresh = last;
    *ret_n = (uint32_t)(loop->n_fresh - keep);
    loop->n_fresh = keep;
    return half;
}

void plait__balance_give(struct plait__loop *loop)
{
    struct plait__fresh *half, *last;
    struct plait__loop *hungry;
    uint32_t n;

    /* relaxed: who becomes hungry a moment later is seen the next time */
    if (loop->n_fresh < 2 ||
        (loop->n_fresh < KEEP_MOST && __atomic_load_n(&shelf.n_hungry, __ATOMIC_RELAXED) == 0))
        return;
    last = loop->last_fresh;
    half = cut_half(loop, &n);
    plait__mutex_lock(&shelf.lock);
    put_on_shelf(half, last, n);
    hungry = shelf.hungry;
    if (hungry != NULL)
        stop_being_hungry(hungry);
    plait__mutex_unlock(&shelf.lock);
    if (hungry != NULL)
        plait__loop_kick(hungry);
}

bool plait__balance_take(struct plait__loop *loop)
{
    uint32_t n = 0, most;

    if (!loop->is_balanced)
        return false;
    plait__mutex_lock(&shelf.lock);
    most = shelf.n / 2 + 1 < TAKE_MOST ? shelf.n / 2 + 1 : TAKE_MOST;
    for (; n < most && shelf.first != NULL; n++) {
        struct plait__fresh *fresh = take_from_shelf();
        fresh->was_shared = true;
        plait__loop_push_fresh(loop, fresh);
    }
    if (n == 0 && !loop->is_hungry) {
        __atomic_store_n(&loop->is_hungry, true, __ATOMIC_RELAXED);
        loop->next_hungry = shelf.hungry;
        shelf.hungry = loop;
        __atomic_fetch_add(&shelf.n_hungry, 1, __ATOMIC_SEQ_CST);
    }
    plait__mutex_unlock(&shelf.lock);
    return n > 0;
}

bool plait__balance_has_any(void)
{
    return __atomic_load_n(&shelf.n, __ATOMIC_SEQ_CST) != 0;
}

void plait__balance_reset(void)
{
    shelf.lock = (struct plait__mutex){ 0 };
    shelf.first = shelf.last = NULL;
    shelf.n = shelf.n_hungry = shelf.n_members = 0;
    shelf.hungry = NULL;
}
