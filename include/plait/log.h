/* What plait has to say.
 * SPDX-License-Identifier: MIT
 *
 *     static void to_syslog(plait_log_level level, const char *message, void *arg)
 *     {
 *         syslog(level == PLAIT_LOG_ERROR ? LOG_ERR : LOG_WARNING, "%s", message);
 *     }
 *
 *     plait_log_set(to_syslog, NULL, PLAIT_LOG_WARNING);
 *
 * Errors of a call are returned, never logged. A message is for what no caller is there to be told:
 * a worker that died, a callback that took too long. Until plait_log_set, errors and warnings go to
 * standard error, a line each.
 */
#ifndef PLAIT_LOG_H
#define PLAIT_LOG_H

#include <plait/export.h>

PLAIT_BEGIN

/* How important a message is; each level includes those above it. */
typedef enum plait_log_level {
    PLAIT_LOG_OFF,     /* nothing; no message has this level */
    PLAIT_LOG_ERROR,   /* something that was promised did not happen */
    PLAIT_LOG_WARNING, /* something a person should look at */
    PLAIT_LOG_INFO,    /* what happens: starts and ends */
    PLAIT_LOG_DEBUG    /* how it happens */
} plait_log_level;

/* Called for each message, by the task that has it to say: any task, in any process of the family,
 * several at once. It must not call plait. The message is one line without its newline, and is gone
 * after the call. */
typedef void (*plait_log_fn)(plait_log_level level, const char *message, void *arg);

/* Say who gets the messages, and which.
 *
 *   fn        called for each message; NULL: standard error.
 *   arg       handed to fn as it is.
 *   level     the least important level that is still wanted; PLAIT_LOG_OFF: none.
 *   Blocks    no.
 *   From      any task, but one at a time; best before the first task is started. Another task may
 *             still be inside the former fn when this returns.
 *   Errors    -EINVAL  no such level; nothing changed.
 *   Fork      usable in the child, which starts with what the parent had set.
 *   Since     0.1
 */
PLAIT_API int plait_log_set(plait_log_fn fn, void *arg, plait_log_level level);

PLAIT_END

#endif
