/* Clocks.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_CLOCK_H
#define PLAIT__OS_CLOCK_H

#include <stdint.h>

/* Nanoseconds on CLOCK_MONOTONIC: the clock of all deadlines. Cannot fail; async-signal-safe. */
int64_t plait__os_now_ns(void);

/* The same clock as the kernel last ticked, some milliseconds ago at most; costs next to nothing. */
int64_t plait__os_tick_ns(void);

/* Nanoseconds since the epoch, for what people read. Cannot fail; may jump. */
int64_t plait__os_real_ns(void);

#endif
