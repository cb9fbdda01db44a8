/* A result as one JSON object, by jansson.
 * SPDX-License-Identifier: MIT
 *
 * Each add_ function gives the object one member and returns 0 or -ENOMEM: with all text checked to be UTF-8 before,
 * jansson has no other reason to fail.
 */
#include "cmd/map/json.h"

#include "cmd/dump_json.h"
#include "cmd/map/printable.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    REAL_DIGITS = 15,
    NAME_BYTES = 64
};

bool map_json_available(void)
{
    return true;
}

static int add(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new_nocheck(object, name, value) < 0 ? -ENOMEM : 0;
}

static json_t *encode_base64(const char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct plait__buf text = { 0 };
    json_t *value = NULL;
    int rc = plait__buf_reserve(&text, len / 3 * 4 + 4);

    for (size_t at = 0; at < len && rc == 0; at += 3) {
        size_t n = len - at < 3 ? len - at : 3;
        uint32_t word = 0;
        char quad[4];

        for (size_t i = 0; i < 3; i++)
            word = word << 8 | (i < n ? (unsigned char)bytes[at + i] : 0U);
        for (size_t i = 0; i < 4; i++)
            quad[i] = i <= n ? digits[word >> (18 - 6 * i) & 63] : '=';
        rc = plait__buf_add(&text, quad, sizeof quad);
    }
    if (rc == 0)
        value = json_stringn_nocheck(text.data ? text.data : "", text.len);
    plait__buf_fini(&text);
    return value;
}

static int add_text(json_t *object, const char *name, const char *bytes, size_t len)
{
    char other[NAME_BYTES];

    if (map_utf8_is_valid(bytes, len))
        return add(object, name, json_stringn_nocheck(bytes, len));
    snprintf(other, sizeof other, "%s_base64", name);
    return add(object, other, encode_base64(bytes, len));
}

static int add_values(json_t *object, const struct map_values *values)
{
    json_t *array = json_array();
    bool text = true;

    for (size_t i = 0; i < values->n; i++)
        text = text && map_utf8_is_valid(values->v[i], strlen(values->v[i]));
    for (size_t i = 0; i < values->n; i++) {
        const char *value = values->v[i];
        size_t len = strlen(value);

        if (json_array_append_new(array, text ? json_stringn_nocheck(value, len)
                                              : encode_base64(value, len)) < 0) {
            json_decref(array);
            return -ENOMEM;
        }
    }
    return add(object, text ? "values" : "values_base64", array);
}

static int add_id(json_t *object, const char *name, uint64_t id)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%" PRIu64, id);
    return add(object, name, json_string(digits));
}

static int add_int(json_t *object, const char *name, int64_t number)
{
    return add(object, name, json_integer(number));
}

static int add_seconds(json_t *object, const char *name, int64_t ns)
{
    return add(object, name, json_real((double)ns / 1e9));
}

static int add_start(json_t *object, int64_t start_ns)
{
    time_t seconds = (time_t)(start_ns / 1000000000);
    char text[64];
    struct tm tm;
    size_t n;

    if (start_ns <= 0 || !gmtime_r(&seconds, &tm))
        return add(object, "start", json_null());
    n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof text - n, ".%03dZ", (int)(start_ns / 1000000 % 1000));
    return add(object, "start", json_string(text));
}

static int add_identity(json_t *object, const struct map_result *result)
{
    char host[256] = "";
    int rc = add_id(object, "seq", result->seq);

    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    if (rc == 0)
        rc = add_int(object, "attempt", result->attempt);
    if (rc == 0)
        rc = result->pid > 0 ? add_id(object, "pid", (uint64_t)result->pid)
                             : add(object, "pid", json_null());
    if (rc == 0)
        rc = add_text(object, "host", host, strlen(host));
    if (rc == 0 && result->line)
        rc = add_text(object, "command", result->line, strlen(result->line));
    if (rc == 0 && result->values)
        rc = add_values(object, result->values);
    return rc;
}

static int add_ending(json_t *object, const struct map_result *result)
{
    bool by_signal = result->signal != 0;
    int rc = add_start(object, result->start_ns);

    if (rc == 0)
        rc = add_seconds(object, "run_s", result->run_ns);
    if (rc == 0)
        rc = add(object, "exit", by_signal ? json_null() : json_integer(result->exit_status));
    if (rc == 0)
        rc = add(object, "signal", by_signal ? json_integer(result->signal) : json_null());
    if (rc == 0)
        rc = add(object, "core", json_boolean(result->core));
    if (rc == 0)
        rc = add(object, "timed_out", json_boolean(result->timed_out));
    if (rc == 0)
        rc = add(object, "keeper_died", json_boolean(result->keeper_died));
    if (rc == 0 && result->message != NULL)
        rc = add_text(object, "message", result->message, strlen(result->message));
    if (rc == 0 && result->start_error != 0) {
        const char *why = strerror(result->start_error);

        return add_text(object, "start_error", why, strlen(why));
    }
    return rc < 0 ? rc : add(object, "start_error", json_null());
}

static int add_usage(json_t *object, const struct map_result *result)
{
    int rc = add_seconds(object, "user_s", result->user_ns);

    if (rc == 0)
        rc = add_seconds(object, "system_s", result->system_ns);
    if (rc == 0)
        rc = add(object, "max_rss_kib",
                 result->peak_kib > 0 ? json_integer(result->peak_kib) : json_null());
    if (rc == 0)
        rc = add_int(object, "stdout_bytes", (int64_t)result->out_bytes);
    if (rc == 0)
        rc = add_int(object, "stderr_bytes", (int64_t)result->err_bytes);
    return rc;
}

static int add_output(json_t *object, const char *name, const struct plait__buf *output)
{
    if (!output)
        return 0;
    return add_text(object, name, output->data ? output->data : "", output->len);
}

int map_json_result(struct plait__buf *line, const struct map_result *result,
                    const struct plait__buf *out, const struct plait__buf *err)
{
    size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS), before = line->len;
    json_t *object = json_object();
    int rc = object ? add_identity(object, result) : -ENOMEM;

    if (rc == 0)
        rc = add_ending(object, result);
    if (rc == 0)
        rc = add_usage(object, result);
    if (rc == 0)
        rc = add_output(object, "stdout", out);
    if (rc == 0)
        rc = add_output(object, "stderr", err);
    if (rc == 0)
        rc = cmd_dump_json(line, object, flags);
    if (rc == 0)
        rc = plait__buf_add_char(line, '\n');
    json_decref(object);
    if (rc < 0) {
        line->len = before;
        if (line->data)
            line->data[before] = '\0';
    }
    return rc;
}
