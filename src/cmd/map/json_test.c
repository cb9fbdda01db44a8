/* Tests of a result as JSON.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/json.h"

#include "test.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Makes text the wanted line: "host":"@" stands for this host. */
static void put_host(struct plait__buf *text, const char *want)
{
    const char *at = strstr(want, "@\"");
    char host[256] = "";

    CHECK(at != NULL);
    gethostname(host, sizeof host - 1);
    CHECK_INT(plait__buf_add(text, want, (size_t)(at - want)), 0);
    CHECK_INT(plait__buf_add_str(text, host), 0);
    CHECK_INT(plait__buf_add_str(text, at + 1), 0);
}

/* Checks the line for this result; without jansson, that it is refused. */
static void check_json(const struct map_result *result, const char *out, const char *want)
{
    struct plait__buf line = { 0 }, output = { 0 }, text = { 0 };
    int rc;

    if (out)
        CHECK_INT(plait__buf_add_str(&output, out), 0);
    put_host(&text, want);
    rc = map_json_result(&line, result, out ? &output : NULL, NULL);
    if (map_json_available()) {
        CHECK_INT(rc, 0);
        CHECK_STR(line.data, text.data);
    } else {
        CHECK_INT(rc, -ENOSYS);
        CHECK_INT(line.len, 0);
    }
    plait__buf_fini(&line);
    plait__buf_fini(&output);
    plait__buf_fini(&text);
}

TEST(a_result_is_one_object_on_one_line)
{
    char a[] = "a \"b\"\n", b[] = "grün";
    char *v[] = { a, b };
    struct map_values values = { .v = v, .n = 2 };
    struct map_result result = {
        .seq = UINT64_C(18446744073709551615),
        .attempt = 2,
        .pid = 4711,
        .values = &values,
        .line = "gzip a",
        .start_ns = 1795227037795999999,
        .run_ns = 3000000,
        .exit_status = 3,
        .user_ns = 1234567,
        .system_ns = 500000000,
        .peak_kib = 2048,
        .out_bytes = 5,
        .err_bytes = 6,
    };

    check_json(&result, "out\n\033",
               "{\"seq\":\"18446744073709551615\",\"attempt\":2,\"pid\":\"4711\",\"host\":\"@\","
               "\"command\":\"gzip a\",\"values\":[\"a \\\"b\\\"\\n\",\"grün\"],"
               "\"start\":\"2026-11-21T02:10:37.795Z\",\"run_s\":0.003,\"exit\":3,\"signal\":null,"
               "\"core\":false,\"timed_out\":false,\"keeper_died\":false,\"start_error\":null,"
               "\"user_s\":0.001234567,\"system_s\":0.5,\"max_rss_kib\":2048,"
               "\"stdout_bytes\":5,\"stderr_bytes\":6,\"stdout\":\"out\\n\\u001B\"}\n");
}

TEST(what_is_not_known_is_null)
{
    struct map_result result = {
        .seq = 1, .attempt = 1, .line = "x", .signal = 9, .timed_out = true, .start_error = EACCES
    };

    check_json(&result, NULL,
               "{\"seq\":\"1\",\"attempt\":1,\"pid\":null,\"host\":\"@\",\"command\":\"x\","
               "\"start\":null,\"run_s\":0.0,\"exit\":null,\"signal\":9,\"core\":false,"
               "\"timed_out\":true,\"keeper_died\":false,\"start_error\":\"Permission denied\","
               "\"user_s\":0.0,\"system_s\":0.0,\"max_rss_kib\":null,\"stdout_bytes\":0,"
               "\"stderr_bytes\":0}\n");
}

TEST(bytes_that_are_no_text_come_as_base64_instead)
{
    char a[] = "\377", b[] = "ok", c[] = "ab", d[] = "";
    char *v[] = { a, b, c, d };
    struct map_values values = { .v = v, .n = 4 };
    struct map_result result = {
        .seq = 1, .attempt = 1, .pid = 2, .values = &values, .line = "x \377"
    };

    check_json(
        &result, "\300\200ab",
        "{\"seq\":\"1\",\"attempt\":1,\"pid\":\"2\",\"host\":\"@\",\"command_base64\":\"eCD/\","
        "\"values_base64\":[\"/w==\",\"b2s=\",\"YWI=\",\"\"],\"start\":null,\"run_s\":0.0,"
        "\"exit\":0,\"signal\":null,\"core\":false,\"timed_out\":false,\"keeper_died\":false,"
        "\"start_error\":null,\"user_s\":0.0,\"system_s\":0.0,\"max_rss_kib\":null,"
        "\"stdout_bytes\":0,\"stderr_bytes\":0,\"stdout_base64\":\"wIBhYg==\"}\n");
}
