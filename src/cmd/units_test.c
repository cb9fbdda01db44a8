/* Numbers with units.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/units.h"

#include "test.h"

#include <errno.h>
#include <string.h>

static const int64_t untouched = 424242;

static void check_duration(const char *text, int64_t want_ns)
{
    int64_t ns = -1;
    int rc = cmd_parse_duration(text, &ns);

    if (rc != 0 || ns != want_ns)
        test_fail(__FILE__, __LINE__, "\"%s\" is %lld (rc %d), not %lld", text, (long long)ns, rc,
                  (long long)want_ns);
}

static void check_no_duration(const char *text, int want)
{
    int64_t ns = untouched;
    int rc = cmd_parse_duration(text, &ns);

    if (rc != want || ns != untouched)
        test_fail(__FILE__, __LINE__, "\"%s\" gives %d, not %d, and %lld", text, rc, want,
                  (long long)ns);
}

static void check_size(const char *text, uint64_t want)
{
    uint64_t bytes = 77;
    int rc = cmd_parse_size(text, &bytes);

    if (rc != 0 || bytes != want)
        test_fail(__FILE__, __LINE__, "\"%s\" is %llu (rc %d), not %llu", text,
                  (unsigned long long)bytes, rc, (unsigned long long)want);
}

static void check_no_size(const char *text, int want)
{
    uint64_t bytes = 77;
    int rc = cmd_parse_size(text, &bytes);

    if (rc != want || bytes != 77)
        test_fail(__FILE__, __LINE__, "\"%s\" gives %d, not %d", text, rc, want);
}

TEST(durations_have_units_and_seconds_are_the_default)
{
    check_duration("0", 0);
    check_duration("10", INT64_C(10000000000));
    check_duration("10s", INT64_C(10000000000));
    check_duration("1.5m", INT64_C(90000000000));
    check_duration("2h", INT64_C(7200000000000));
    check_duration("1d", INT64_C(86400000000000));
    check_duration("100ms", 100000000);
    check_duration("5us", 5000);
    check_duration("7ns", 7);
    check_duration(".5", 500000000);
    check_duration("00010.500", INT64_C(10500000000));
    check_duration("5M", INT64_C(300000000000));
}

TEST(durations_add_up_as_in_gnu_parallel)
{
    check_duration("1d3.5h16.6m4s", INT64_C(100000000000000));
    check_duration("1h30m", INT64_C(5400000000000));
    check_duration("1m1ms", INT64_C(60001000000));
    check_duration("1s1s", INT64_C(2000000000));
    check_duration("1D1H1M1S", INT64_C(90061000000000));
}

TEST(durations_are_exact_and_never_rounded_to_nothing)
{
    check_duration("0.1", 100000000);
    check_duration("0.123456789", 123456789);
    check_duration("0.1234567891", 123456790);
    check_duration("0.0000000000000000000000000001ns", 1);
    check_duration("0.00000000000000000000000000000ns", 0);
    check_duration("9223372036.854775807", INT64_MAX);
    check_duration("9223372036854775807ns", INT64_MAX);
}

TEST(durations_that_do_not_fit_are_out_of_range)
{
    check_no_duration("9223372036.854775808", -ERANGE);
    check_no_duration("9223372036854775808ns", -ERANGE);
    check_no_duration("18446744073709551616ns", -ERANGE);
    check_no_duration("106752d", -ERANGE);
    check_no_duration("9223372036s854775808ns", -ERANGE);
    check_no_duration("99999999999999999999999999999999999999", -ERANGE);
}

TEST(nonsense_is_no_duration)
{
    static const char *const nonsense[] = {
        "",         " ",    "s",     ".",   "5.",   "5.s",   "1..5", "1.5.5", "-1",
        "+1",       " 1",   "1 ",    "1 s", "1m30", "1x",    "1sx",  "nan",   "inf",
        "infinity", "0x10", "1e3",   "1,5", "1mss", "1\n",   "1s\n", "m1",    "1MS",
        "1Us",      "१",    "1\xff", "1%",  "--",   "1h-5m", "1s.",  "1s.m",  "NaN",
    };

    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
        check_no_duration(nonsense[i], -EINVAL);
}

TEST(sizes_have_the_units_of_gnu_parallel)
{
    check_size("0", 0);
    check_size("512", 512);
    check_size("512k", 512000);
    check_size("1K", 1024);
    check_size("1.5M", 1572864);
    check_size("1.5m", 1500000);
    check_size("2G", UINT64_C(2147483648));
    check_size("2g", UINT64_C(2000000000));
    check_size("1T", UINT64_C(1099511627776));
    check_size("1P", UINT64_C(1125899906842624));
    check_size("1E", UINT64_C(1152921504606846976));
    check_size("1e", UINT64_C(1000000000000000000));
    check_size("1Ki", 1024);
    check_size("1ki", 1024);
    check_size(".5K", 512);
    check_size("0.1K", 103);
    check_size("18446744073709551615", UINT64_MAX);
}

TEST(sizes_that_do_not_fit_are_out_of_range)
{
    check_no_size("18446744073709551616", -ERANGE);
    check_no_size("16E", -ERANGE);
    check_no_size("15.99999999999999999999999999E", -ERANGE);
    check_no_size("18446744073709551615.5", -ERANGE);
    check_size("15.999999999999999999E", UINT64_MAX);
}

TEST(nonsense_is_no_size)
{
    static const char *const nonsense[] = { "",    "K",   "1KK", "1Kii", "1i",    "1B", "1KB",
                                            "-1",  "1 K", "1Q",  "1[",   "1\x0b", "1.", "1.K",
                                            "nan", "inf", "1K ", "0x1",  "1\xeb", "1%" };

    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
        check_no_size(nonsense[i], -EINVAL);
}

TEST(percents_are_whole_numbers)
{
    uint64_t percent = 7;

    CHECK_INT(cmd_parse_percent("50", &percent), -EINVAL);
    CHECK_INT(cmd_parse_percent("%", &percent), -EINVAL);
    CHECK_INT(cmd_parse_percent("", &percent), -EINVAL);
    CHECK_INT(cmd_parse_percent("1.5%", &percent), -EINVAL);
    CHECK_INT(cmd_parse_percent("-1%", &percent), -EINVAL);
    CHECK_INT(cmd_parse_percent("50%%", &percent), -EINVAL);
    CHECK_INT(cmd_parse_percent("99999999999999999999%", &percent), -ERANGE);
    CHECK_INT(percent, 7);
    CHECK_INT(cmd_parse_percent("50%", &percent), 0);
    CHECK_INT(percent, 50);
    CHECK_INT(cmd_parse_percent("300%", &percent), 0);
    CHECK_INT(percent, 300);
}

TEST(whole_numbers_are_digits)
{
    uint64_t value = 7;

    CHECK_INT(cmd_parse_u64("", &value), -EINVAL);
    CHECK_INT(cmd_parse_u64("-1", &value), -EINVAL);
    CHECK_INT(cmd_parse_u64("+1", &value), -EINVAL);
    CHECK_INT(cmd_parse_u64(" 1", &value), -EINVAL);
    CHECK_INT(cmd_parse_u64("1 ", &value), -EINVAL);
    CHECK_INT(cmd_parse_u64("0x1", &value), -EINVAL);
    CHECK_INT(cmd_parse_u64("18446744073709551616", &value), -ERANGE);
    CHECK_INT(value, 7);
    CHECK_INT(cmd_parse_u64("18446744073709551615", &value), 0);
    CHECK(value == UINT64_MAX);
    CHECK_INT(cmd_parse_u64("007", &value), 0);
    CHECK_INT(value, 7);
}

TEST(durations_are_written_for_people)
{
    static const struct {
        int64_t ns;
        const char *want;
    } cases[] = {
        { -5, "0 s" },
        { 0, "0 s" },
        { 7, "7 ns" },
        { 999, "999 ns" },
        { 1000, "1 us" },
        { 850499, "850 us" },
        { 999500, "1 ms" },
        { 420000000, "420 ms" },
        { 999499999, "999 ms" },
        { 999500000, "1.0 s" },
        { 4240000000, "4.2 s" },
        { 4250000000, "4.3 s" },
        { 59949999999, "59.9 s" },
        { 59950000000, "1m 00s" },
        { 185000000000, "3m 05s" },
        { 3599499999999, "59m 59s" },
        { 3599500000000, "1h 00m" },
        { 4320000000000, "1h 12m" },
        { 86369000000000, "23h 59m" },
        { 86370000000000, "1d 00h" },
        { 183600000000000, "2d 03h" },
        { INT64_MAX, "106752d 00h" },
    };

    char buf[CMD_FORMAT_CAP];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_STR(cmd_format_duration(buf, sizeof(buf), cases[i].ns), cases[i].want);
}

TEST(bytes_are_written_for_people)
{
    static const struct {
        uint64_t bytes;
        const char *want;
    } cases[] = {
        { 0, "0 B" },
        { 1023, "1023 B" },
        { 1024, "1.0 K" },
        { 1126, "1.1 K" },
        { 16000000, "15.3 M" },
        { 104805171, "99.9 M" },
        { 104857600, "100 M" },
        { UINT64_C(998579896320), "930 G" },
        { 1048575, "1.0 M" },
        { 1047552, "1023 K" },
        { UINT64_C(1181116007), "1.1 G" },
        { UINT64_C(1) << 60, "1.0 E" },
        { UINT64_MAX, "16.0 E" },
    };

    char buf[CMD_FORMAT_CAP];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_STR(cmd_format_bytes(buf, sizeof(buf), cases[i].bytes), cases[i].want);
}

TEST(a_short_buffer_is_not_overrun)
{
    char buf[4] = "";

    CHECK_STR(cmd_format_duration(buf, sizeof(buf), INT64_MAX), "106");
    CHECK_STR(cmd_format_bytes(buf, sizeof(buf), UINT64_MAX), "16.");
}
