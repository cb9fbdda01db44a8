/* Arithmetic on points in time; saturating, without a clock.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__BASE_TIME_H
#define PLAIT__BASE_TIME_H

#include <plait/time.h>
#include <stdint.h>

#define PLAIT__SECOND_NS INT64_C(1000000000)

/* Milliseconds as nanoseconds; what is too much becomes INT64_MAX, what is negative 0. */
int64_t plait__ns_of_ms(int64_t ms);
/* The point `ns` after now; a negative `ns` counts as 0, what is too far to say is
 * PLAIT_FOREVER. */
plait_deadline plait__deadline_after(int64_t now_ns, int64_t ns);
/* Nanoseconds from now until then: 0 when it has passed, INT64_MAX for PLAIT_FOREVER. */
int64_t plait__deadline_left(int64_t now_ns, plait_deadline until);
plait_deadline plait__deadline_earlier(plait_deadline a, plait_deadline b);

#endif
