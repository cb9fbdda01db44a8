/* What a broken invariant does.
 * SPDX-License-Identifier: MIT
 *
 * Past the log callback on purpose: what it would call may stand on the invariant that broke.
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void plait__assert_failed(const char *expr, const char *file, int line)
{
    char text[512];
    size_t len;

    snprintf(text, sizeof(text), "plait: %s:%d: broken: %s", file, line, expr);
    len = strlen(text);
    text[len] = '\n'; /* instead of the NUL */
    if (write(STDERR_FILENO, text, len + 1) < 0)
        abort(); /* there is nobody left to tell */
    abort();
}
