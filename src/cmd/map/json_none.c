/* JSON when plait is built without jansson: refused.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/json.h"

#include <errno.h>

bool map_json_available(void)
{
    return false;
}

int map_json_result(struct plait__buf *line, const struct map_result *result,
                    const struct plait__buf *out, const struct plait__buf *err)
{
    (void)line;
    (void)result;
    (void)out;
    (void)err;
    return -ENOSYS;
}
