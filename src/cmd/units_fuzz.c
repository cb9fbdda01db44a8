/* Any string as a duration, a size, a percentage, a number; and any number written for people.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/units.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void require_known(int rc)
{
    require(rc == 0 || rc == -EINVAL || rc == -ERANGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), buf[CMD_FORMAT_CAP];
    int64_t ns = -1;
    uint64_t value = 0, digits = 0;

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    require_known(cmd_parse_duration(text, &ns));
    require(ns >= -1);
    require(strlen(cmd_format_duration(buf, sizeof(buf), ns)) < sizeof(buf) - 1);
    require_known(cmd_parse_size(text, &value));
    require(strlen(cmd_format_bytes(buf, sizeof(buf), value)) < sizeof(buf) - 1);
    require_known(cmd_parse_percent(text, &digits));
    require_known(cmd_parse_u64(text, &digits));
    require(digits == 0 || value == digits ||
            strchr(text, '%') != NULL); /* digits alone are a size too */
    free(text);
    return 0;
}
