/* Lists of exit statuses: "75,100-110".
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_CODES_H
#define PLAIT__CMD_MAP_CODES_H

#include <stdbool.h>

/* Numbers and ranges from 1 to 255, with commas between? */
bool map_codes_is_list(const char *codes);

/* Does such a list name this exit status? */
bool map_codes_has(const char *codes, int exit_status);

#endif
