/* Queues of one process.
 * SPDX-License-Identifier: MIT
 *
 * What plait/queue.h promises, of a handle for which plait__queue_is_own: the same calls, whose
 * arguments have been looked at.
 */
#ifndef PLAIT__CHAN_QUEUE_OWN_H
#define PLAIT__CHAN_QUEUE_OWN_H

#include "chan/ring.h"
#include <plait/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct plait__how;
struct plait__watch;

/* With the bounds of such a ring. 0, -ENOMEM. */
int plait__own_create(plait_queue **ret, const struct plait__ring *plan);
void plait__own_destroy(plait_queue *handle);
int plait__own_close(plait_queue *handle, bool drops);

int plait__own_put(plait_queue *handle, unsigned lane, const void *bytes, size_t n,
                   plait_deadline until);
int plait__own_reserve(plait_queue *handle, void **ret, size_t n, plait_deadline until);
int plait__own_commit(plait_queue *handle, void *bytes, size_t n);
int plait__own_abort(plait_queue *handle, void *bytes);

ssize_t plait__own_get(plait_queue *handle, void *buf, size_t cap, plait_deadline until);
ssize_t plait__own_peek(plait_queue *handle, void *buf, size_t cap, plait_deadline until);
ssize_t plait__own_get_many(plait_queue *handle, const plait_queue_batch *batch,
                            plait_deadline until);
ssize_t plait__own_borrow(plait_queue *handle, const void **ret, plait_deadline until);
int plait__own_release(plait_queue *handle, const void *bytes);
int plait__own_lease(plait_queue *handle, plait_lease *ret, plait_deadline until);
/* `back`: it is undone. */
int plait__own_end_lease(const plait_lease *lease, bool back);

size_t plait__own_size(const plait_queue *handle);
bool plait__own_is_full(const plait_queue *handle);
int plait__own_task_done(plait_queue *handle);
int plait__own_join(plait_queue *handle, plait_deadline until);

/* A select looks whether a get would wait; with `puts`, whether a put of n bytes would. */
int plait__own_look(plait_queue *handle, struct plait__watch *watch, struct plait__how how);
int plait__own_look_put(plait_queue *handle, struct plait__watch *watch, struct plait__how how,
                        size_t n);
void plait__own_leave(plait_queue *handle, const struct plait__watch *watch);

#endif
