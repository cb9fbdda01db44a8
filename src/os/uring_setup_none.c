/* No io_uring: this build has no liburing.
 * SPDX-License-Identifier: MIT
 */
#include "os/uring_setup.h"

bool plait__os_uring_works(void)
{
    return false;
}

bool plait__os_uring_has_futexes(void)
{
    return false;
}
