/* `plait info --json` when plait is built without jansson: refused.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/info_json.h"

#include <errno.h>
#include <stddef.h>

const char *cmd_info_json_library(void)
{
    return NULL;
}

int cmd_info_json(struct plait__buf *ret)
{
    (void)ret;
    return -ENOSYS;
}
