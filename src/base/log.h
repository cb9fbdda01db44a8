/* Messages of the library to whoever listens.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__BASE_LOG_H
#define PLAIT__BASE_LOG_H

#include <plait/log.h>

/* One message, without "plait: " and newline. Never allocates, never changes errno; cut at about a
 * thousand bytes; control characters, which a hostile name may hold, become '?'. */
void plait__log(plait_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
