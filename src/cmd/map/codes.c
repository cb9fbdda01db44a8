/* Lists of exit statuses.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/codes.h"

#include <stddef.h>

enum {
    CODE_MAX = 255
};

/* One number at *at, which moves behind it; -1: none from 1 to 255. */
static int read_code(const char **at)
{
    int code = 0;

    for (; **at >= '0' && **at <= '9' && code <= CODE_MAX; (*at)++)
        code = code * 10 + (**at - '0');
    return code >= 1 && code <= CODE_MAX ? code : -1;
}

/* One number or range and the comma behind it; NULL: it is none. */
static const char *read_range(const char *at, int *ret_first, int *ret_last)
{
    *ret_first = *ret_last = read_code(&at);
    if (*at == '-') {
        at++;
        *ret_last = read_code(&at);
    }
    if (*ret_first < 0 || *ret_last < *ret_first)
        return NULL;
    if (*at == ',')
        return at[1] == '\0' ? NULL : at + 1;
    return *at == '\0' ? at : NULL;
}

bool map_codes_is_list(const char *codes)
{
    int first, last;

    if (*codes == '\0')
        return false;
    while (codes != NULL && *codes != '\0')
        codes = read_range(codes, &first, &last);
    return codes != NULL;
}

bool map_codes_has(const char *codes, int exit_status)
{
    int first, last;

    while (codes != NULL && *codes != '\0') {
        codes = read_range(codes, &first, &last);
        if (codes != NULL && exit_status >= first && exit_status <= last)
            return true;
    }
    return false;
}
