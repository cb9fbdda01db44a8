/* A JSON value as text, by jansson.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_DUMP_JSON_H
#define PLAIT__CMD_DUMP_JSON_H

#include "base/buf.h"

#include <jansson.h>
#include <stddef.h>

/* Adds the text to ret; flags are jansson's. 0, or -ENOMEM with ret as it was. */
int cmd_dump_json(struct plait__buf *ret, const json_t *value, size_t flags);

#endif
