/* What plait's log said last: plait_log_set(keep_last, NULL, …).
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_LAST_SAID_H
#define PLAIT_TESTS_LAST_SAID_H

#include <plait.h>

#include <stdio.h>

static char last_said[256]; /* of plait's log */

static void keep_last(plait_log_level level, const char *message, void *arg)
{
    (void)level;
    (void)arg;
    snprintf(last_said, sizeof last_said, "%s", message);
}

#endif
