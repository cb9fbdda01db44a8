/* A work-stealing deque (Chase and Lev): its owner pushes and takes at the bottom, thieves steal at
 * the top.
 * SPDX-License-Identifier: MIT
 *
 *     top                            bottom
 *      v                               v
 *     [ oldest | …            | newest ]
 *      thieves                    owner
 *
 * `top` only grows. Thieves agree on who gets the oldest by a CAS on it; the owner goes the same
 * way for the last item, and needs no CAS for the others. The bad interleaving is that of the last
 * but one: the owner takes index b while a thief takes b too. It can't happen: the owner announces
 * b as the new bottom before it looks at top, a thief looks at top before it looks at bottom, and
 * all four are seq_cst: either the thief sees the announcement, or the owner sees how far the
 * thieves are. The thread sanitizer knows no fences, therefore there are none.
 *
 * models/deque.pml is the model of it.
 *
 * The buffer grows, and never shrinks. A thief may still read an old one, so these stay until
 * the end; all of them together are smaller than the last.
 */
#ifndef PLAIT__POOL_DEQUE_H
#define PLAIT__POOL_DEQUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plait__deque_buffer;

struct plait__deque {
    int64_t top;     /* atomic: the oldest item's index; thieves, and the owner for the last item */
    char apart[56];  /* thieves do not disturb the owner's line */
    int64_t bottom;  /* atomic: one behind the newest item's index; written by the owner */
    int64_t old_top; /* owner: top as it last saw it; the true one is not less */
    struct plait__deque_buffer *buffer; /* atomic: written by the owner */
};

/* 0 or -ENOMEM. */
int plait__deque_init(struct plait__deque *deque);
/* Nobody uses it any more. Zero bytes are fine. */
void plait__deque_fini(struct plait__deque *deque);

/* Owner: adds the newest. 0, or -ENOMEM: it could not grow, nothing was added. Seq_cst: who looks at
 * the deque after it has seen what the owner stores next finds the item, or others have it. */
int plait__deque_push(struct plait__deque *deque, void *item);
/* Owner: the newest; NULL: it is empty. */
void *plait__deque_take(struct plait__deque *deque);
/* Owner: the same, if it is this one. False: it is not, or a thief was faster. */
bool plait__deque_take_this(struct plait__deque *deque, const void *item);
/* Owner: the newest, left in; NULL: it is empty. A thief may have it in the next moment. */
void *plait__deque_peek(const struct plait__deque *deque);
/* Anybody: the oldest; NULL: it is empty. Goes on while other thieves are faster. */
void *plait__deque_steal(struct plait__deque *deque);
/* Anybody: how many there are, about; exactly as many when nobody else is at work. */
size_t plait__deque_count(const struct plait__deque *deque);

#endif
