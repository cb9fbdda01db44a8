/* Foreign bytes made fit for a person's eyes, and UTF-8.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_PRINTABLE_H
#define PLAIT__CMD_MAP_PRINTABLE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes (1 … 4) of the first character of a text that is not empty; 0 when it is not UTF-8. */
size_t map_utf8_next(const char *bytes, size_t len, uint32_t *ret_char);
bool map_utf8_is_valid(const char *bytes, size_t len);

/* Does the reader's locale (LC_ALL, LC_CTYPE, LANG) say UTF-8? */
bool map_locale_is_utf8(void);

struct map_printable {
    bool utf8;      /* characters beyond ASCII may stand as they are */
    size_t columns; /* shortened to so many, with an ellipsis at the end; 0: not shortened */
};

/* Adds the text: control characters, bytes that are no characters, and characters that turn the direction of writing
 * around come as \xNN. Nothing of it can move a terminal's cursor. 0 or -ENOMEM. */
int map_printable_add(struct plait__buf *buf, const char *bytes, size_t len,
                      const struct map_printable *how);

#endif
