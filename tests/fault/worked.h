/* What the programs of tasks say of their calls while calls of the system fail below them.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_FAULT_WORKED_H
#define PLAIT_TESTS_FAULT_WORKED_H

#include <plait.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int n_errors;

/* Did the call work? */
static bool worked(const char *what, int rc)
{
    if (rc >= 0)
        return true;
    if (rc < -4095 && rc != PLAIT_EKEEPER && rc != PLAIT_ETHREADS) {
        fprintf(stderr, "%s returned %d, which is no error\n", what, rc);
        abort();
    }
    fprintf(stderr, "%s: %s\n", what, plait_errname(rc));
    n_errors++;
    return false;
}

static void must(const char *what, bool holds)
{
    if (holds)
        return;
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

#endif
