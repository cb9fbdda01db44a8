/* Lists in the environment.
 * SPDX-License-Identifier: MIT
 */
#include "base/env.h"

#include <stdlib.h>
#include <string.h>

bool plait__env_lists(const char *variable, const char *name)
{
    const char *list = getenv(variable);
    size_t len = strlen(name);

    while (list != NULL && *list != '\0') {
        size_t n = strcspn(list, ",");
        if (n == len && memcmp(list, name, len) == 0)
            return true;
        list += n;
        list += *list == ',';
    }
    return false;
}
