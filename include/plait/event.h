/* Events.
 * SPDX-License-Identifier: MIT
 *
 *     plait_event *ready = …;                        // zero bytes: not set
 *
 *     plait_event_wait(ready, plait_after_ms(500));  // here
 *     plait_event_set(ready);                        // there: all who wait go on
 *
 * A flag that tasks wait for. Who waited when it was set goes on even if it is cleared at once,
 * which Python's Event does not promise.
 *
 * It lies in private memory, in the family's heap or a named segment, as locks do (plait/lock.h).
 * Nobody may wait on it when its memory is given back.
 */
#ifndef PLAIT_EVENT_H
#define PLAIT_EVENT_H

#include <plait/export.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stdint.h>

PLAIT_BEGIN

/* An event; 64 bytes, its fields are plait's own. */
typedef struct plait_event {
    uint32_t word; /* is it set, does somebody wait, how often was it set */
    uint32_t pad;
    uint64_t spare[7];
} plait_event;

/* Set the event; all who wait go on.
 *
 *   event     the event.
 *   Returns   0, also when it was set already.
 *   Blocks    no.
 *   From      any task; not a signal handler.
 *   Errors    -EINVAL  event is NULL.
 *   Fork      usable in the child; in private memory it is a copy.
 *   Since     0.1
 */
PLAIT_API int plait_event_set(plait_event *event);

/* Clear the event; who waits from now on waits until it is set again.
 *
 *   event     the event.
 *   Returns   0, also when it was not set.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    -EINVAL  event is NULL.
 *   Fork      usable in the child; in private memory it is a copy.
 *   Since     0.1
 */
PLAIT_API int plait_event_clear(plait_event *event);

/* Is the event set?
 *
 *   event     the event; NULL is not set.
 *   Returns   true when it is set. What was written before it was set can be read then.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_event_is_set(const plait_event *event);

/* Wait until the event is set.
 *
 *   event     the event.
 *   until     how long to wait.
 *   Returns   0: it is set, or was in the meantime.
 *   Blocks    until the event is set or the deadline. A cancellation point.
 *   From      any task; any process of the family when it is in the family's heap.
 *   Errors    -ETIMEDOUT  not set until the deadline.
 *             -ECANCELED  the task was asked to end.
 *             -EINVAL     event is NULL.
 *   Fork      usable in the child; in private memory it is a copy.
 *   Since     0.1
 */
PLAIT_API int plait_event_wait(plait_event *event, plait_deadline until);

PLAIT_END

#endif
