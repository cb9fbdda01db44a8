/* A descriptor that is readable from a point in time on.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_TIMER_H
#define PLAIT__OS_TIMER_H

#include <stdint.h>

/* The descriptor, closed on exec; or -errno. Never readable until it is set. */
int plait__os_timer(void);
/* Readable from until_ns on (monotonic; INT64_MAX: never). */
void plait__os_timer_set(int timer, int64_t until_ns);

#endif
