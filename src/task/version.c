/* The version of the library.
 * SPDX-License-Identifier: MIT
 */
#include <plait/init.h>

const char *plait_version(void)
{
    return PLAIT__VERSION;
}
