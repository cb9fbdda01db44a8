/* The delimiter that -d names.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_INPUT_DELIMITER_H
#define PLAIT__CMD_MAP_INPUT_DELIMITER_H

#include "base/buf.h"

/* One character, or one of \n \t \r \f \v \a \b \\ \xHH \ooo. -EINVAL with one sentence in `error`. */
int map_delimiter_parse(char *ret, const char *text, struct plait__buf *error);

#endif
