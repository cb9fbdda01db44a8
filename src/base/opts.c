/* Options structs that grow without an ABI break.
 * SPDX-License-Identifier: MIT
 */
#include "base/opts.h"

#include <errno.h>
#include <string.h>

int plait__opts_copy(void *ours, size_t our_bytes, const void *opts, size_t bytes)
{
    const unsigned char *theirs = opts;

    if (opts == NULL)
        bytes = 0;
    for (size_t i = our_bytes; i < bytes; i++)
        if (theirs[i] != 0)
            return -E2BIG;
    memset(ours, 0, our_bytes);
    if (bytes > 0)
        memcpy(ours, opts, bytes < our_bytes ? bytes : our_bytes);
    return 0;
}
