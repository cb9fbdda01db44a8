/* `plait info --json`: what needs jansson, or its stand-in.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_INFO_JSON_H
#define PLAIT__CMD_INFO_JSON_H

#include "base/buf.h"

/* "jansson 2.14"; NULL when plait was built without it. */
const char *cmd_info_json_library(void);

/* All facts as one JSON object, in one line with its newline:
 * {"plait":{"version":…},"cpus":{"online":4,…},…}. Groups and keys are those of facts.h, blanks in
 * them as '_'; a number that is none is null. 0, -ENOMEM, or -ENOSYS when plait was built without
 * jansson; `ret` is untouched on failure. */
int cmd_info_json(struct plait__buf *ret);

#endif
