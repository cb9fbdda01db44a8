/* Errors.
 * SPDX-License-Identifier: MIT
 *
 *     int rc = plait_task_join(task, plait_after_ms(500));
 *     if (rc < 0)
 *         fprintf(stderr, "join: %s (%s)\n", plait_strerror(rc), plait_errname(rc));
 *
 * Every function of plait that can fail returns a negative number when it did not happen: a negated
 * errno value, or one of plait's own codes, which lie at -5000 and below. errno itself is not part
 * of the interface. What can say -EMFILE (no descriptors left) can also say -ENFILE (none left in
 * the whole system).
 */
#ifndef PLAIT_ERROR_H
#define PLAIT_ERROR_H

#include <plait/export.h>

PLAIT_BEGIN

/* plait's own codes: what no errno value says. */
enum {
    /* the keeper died; a new one is made at the next need */
    PLAIT_EKEEPER = -5000,
    /* a keeper or a forked process is needed, but the program has other threads already */
    PLAIT_ETHREADS = -5001,
    /* a barrier was broken: not all who should have come will come */
    PLAIT_EBROKEN = -5002,
    /* the pool is broken: its workers die before they are ready */
    PLAIT_EPOOL = -5003,
    /* the job did not end in a value: plait_future_result says in what */
    PLAIT_ENOVALUE = -5004,
};

/* The text of an error, such as "Connection timed out".
 *
 *   error     a code that a plait function returned; its sign does not matter for errno values.
 *   Returns   a constant string, never NULL; "Success" for 0, "Unknown error" for what nobody
 *             knows.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API const char *plait_strerror(int error);

/* The name of an error, such as "ETIMEDOUT" or "PLAIT_EKEEPER".
 *
 *   error     a code that a plait function returned; its sign does not matter for errno values.
 *   Returns   a constant string, never NULL; "OK" for 0, "UNKNOWN" for what nobody knows.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API const char *plait_errname(int error);

PLAIT_END

#endif
