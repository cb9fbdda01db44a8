/* A result as one JSON object, for --log-json and --json.
 * SPDX-License-Identifier: MIT
 *
 *     {"seq":"17","attempt":1,"pid":"4711","host":"box","command":"gzip a","values":["a"],
 *      "start":"2026-11-21T02:10:37.795Z","run_s":0.003,"exit":0,"signal":null,"core":false,"timed_out":false,
 *      "keeper_died":false,"start_error":null,"user_s":0.001,"system_s":0.001,"max_rss_kib":2048,
 *      "stdout_bytes":0,"stderr_bytes":0,"stdout":"","stderr":""}
 *
 * Ids are strings. null: pid, start of a job that was never started; exit of one that a signal ended, and the reverse;
 * max_rss_kib when not known. JSON is text: a command, an output, or values of which one is not valid UTF-8 come as
 * command_base64, stdout_base64 (stderr_…), values_base64 *instead*, with the exact bytes.
 */
#ifndef PLAIT__CMD_MAP_JSON_H
#define PLAIT__CMD_MAP_JSON_H

#include "base/buf.h"
#include "cmd/map/result.h"

/* Was plait built with JSON? */
bool map_json_available(void);

/* Adds the result to `line`, with a newline. out and err: the job's output for --json, or NULL to leave them out.
 * 0, -ENOMEM, or -ENOSYS when plait was built without jansson. `line` is untouched on failure. */
int map_json_result(struct plait__buf *line, const struct map_result *result,
                    const struct plait__buf *out, const struct plait__buf *err);

#endif
