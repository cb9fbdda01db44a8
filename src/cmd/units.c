/* Numbers with units.
 * SPDX-License-Identifier: MIT
 *
 * A number is kept as digits before and after the point, both as integers, and is multiplied by its
 * unit in 128 bits: 18 digits of fraction times the largest unit (2^60, or a day in nanoseconds)
 * stay below 2^127.
 */
#include "cmd/units.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    FRACTION_DIGITS = 18
};

/* A number as it was written, before it has a unit. */
struct decimal {
    uint64_t whole;
    uint64_t fraction; /* of `scale` */
    uint64_t scale;    /* a power of ten */
};

struct unit {
    const char *name;
    int64_t ns;
};

/* Longer names first where one begins another. */
static const struct unit durations[] = {
    { "ns", 1 },
    { "us", 1000 },
    { "ms", 1000000 },
    { "s", 1000000000 },
    { "m", 60 * INT64_C(1000000000) },
    { "h", 3600 * INT64_C(1000000000) },
    { "d", 86400 * INT64_C(1000000000) },
    { "S", 1000000000 },
    { "M", 60 * INT64_C(1000000000) },
    { "H", 3600 * INT64_C(1000000000) },
    { "D", 86400 * INT64_C(1000000000) },
};

static const char prefixes[] = "kmgtpe";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9'; /* isdigit asks the locale */
}

static int read_whole(const char **at, uint64_t *ret)
{
    uint64_t value = 0;

    for (; is_digit(**at); (*at)++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value))
            return -ERANGE;
    *ret = value;
    return 0;
}

/* Digits beyond those that are kept count as one more of the last that is. */
static void read_fraction(const char **at, struct decimal *number)
{
    bool has_rest = false;

    for (int digits = 0; is_digit(**at); (*at)++, digits++) {
        if (digits < FRACTION_DIGITS) {
            number->fraction = number->fraction * 10 + (uint64_t)(**at - '0');
            number->scale *= 10;
        } else if (**at != '0') {
            has_rest = true;
        }
    }
    number->fraction += has_rest;
}

/* "12", "12.5" or ".5"; *at is moved behind it. */
static int read_decimal(const char **at, struct decimal *ret)
{
    struct decimal number = { .scale = 1 };
    bool has_whole = is_digit(**at);
    int rc = read_whole(at, &number.whole);

    if (rc < 0)
        return rc;
    if (**at == '.') {
        (*at)++;
        if (!is_digit(**at))
            return -EINVAL;
        read_fraction(at, &number);
    } else if (!has_whole) {
        return -EINVAL;
    }
    *ret = number;
    return 0;
}

/* number × unit, rounded up. */
static int multiply(const struct decimal *number, uint64_t unit, uint64_t *ret)
{
    unsigned __int128 product = (unsigned __int128)number->fraction * unit;
    uint64_t part = (uint64_t)(product / number->scale), whole, sum;

    if (product % number->scale != 0)
        part++;
    if (__builtin_mul_overflow(number->whole, unit, &whole) ||
        __builtin_add_overflow(whole, part, &sum))
        return -ERANGE;
    *ret = sum;
    return 0;
}

static const struct unit *read_unit(const char **at)
{
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        size_t len = strlen(durations[i].name);

        if (strncmp(*at, durations[i].name, len) == 0) {
            *at += len;
            return &durations[i];
        }
    }
    return NULL;
}

int cmd_parse_duration(const char *text, int64_t *ret_ns)
{
    static const struct unit seconds = { "", 1000000000 };
    const char *at = text;
    uint64_t total = 0;

    do {
        struct decimal number;
        const struct unit *unit;
        bool is_first = at == text;
        uint64_t ns;
        int rc = read_decimal(&at, &number);

        if (rc < 0)
            return rc;
        unit = is_first && *at == '\0' ? &seconds : read_unit(&at);
        if (unit == NULL)
            return -EINVAL;
        rc = multiply(&number, (uint64_t)unit->ns, &ns);
        if (rc < 0)
            return rc;
        if (__builtin_add_overflow(total, ns, &total) || total > INT64_MAX)
            return -ERANGE;
    } while (*at != '\0');
    *ret_ns = (int64_t)total;
    return 0;
}

/* Reads "", "k", "K", "Ki" …; 0 for anything else. */
static uint64_t read_size_unit(const char *at)
{
    char lower = (char)(*at | 0x20);
    const char *prefix = strchr(prefixes, lower);
    bool is_binary = at[0] != lower || (at[0] != '\0' && at[1] == 'i');
    uint64_t unit = 1;

    if (*at == '\0')
        return 1;
    if (prefix == NULL || at[at[1] == 'i' ? 2 : 1] != '\0')
        return 0;
    for (const char *p = prefixes; p <= prefix; p++)
        unit *= is_binary ? 1024 : 1000;
    return unit;
}

int cmd_parse_size(const char *text, uint64_t *ret_bytes)
{
    const char *at = text;
    struct decimal number;
    uint64_t unit;
    int rc = read_decimal(&at, &number);

    if (rc < 0)
        return rc;
    unit = read_size_unit(at);
    if (unit == 0)
        return -EINVAL;
    return multiply(&number, unit, ret_bytes);
}

/* Digits, then exactly `suffix`. */
static int parse_whole(const char *text, const char *suffix, uint64_t *ret)
{
    const char *at = text;
    uint64_t value;
    int rc = read_whole(&at, &value);

    if (rc < 0)
        return rc;
    if (at == text || strcmp(at, suffix) != 0)
        return -EINVAL;
    *ret = value;
    return 0;
}

int cmd_parse_percent(const char *text, uint64_t *ret)
{
    return parse_whole(text, "%", ret);
}

int cmd_parse_u64(const char *text, uint64_t *ret)
{
    return parse_whole(text, "", ret);
}

static uint64_t divide_rounded(uint64_t n, uint64_t by)
{
    return n / by + (n % by >= by - by / 2);
}

/* Each unit is left for the next when rounding would fill it: 59.96 s are "1m 00s", not "60.0
 * s". */
char *cmd_format_duration(char *buf, size_t cap, int64_t ns)
{
    uint64_t n = ns > 0 ? (uint64_t)ns : 0;
    uint64_t us = divide_rounded(n, 1000), ms = divide_rounded(n, 1000000);
    uint64_t tenths = divide_rounded(n, 100000000), s = divide_rounded(n, 1000000000);
    uint64_t minutes = divide_rounded(s, 60), hours = divide_rounded(s, 3600);

    if (n == 0)
        snprintf(buf, cap, "0 s");
    else if (n < 1000)
        snprintf(buf, cap, "%d ns", (int)n);
    else if (us < 1000)
        snprintf(buf, cap, "%d us", (int)us);
    else if (ms < 1000)
        snprintf(buf, cap, "%d ms", (int)ms);
    else if (tenths < 600)
        snprintf(buf, cap, "%d.%d s", (int)(tenths / 10), (int)(tenths % 10));
    else if (s < 3600)
        snprintf(buf, cap, "%dm %02ds", (int)(s / 60), (int)(s % 60));
    else if (minutes / 60 < 24)
        snprintf(buf, cap, "%dh %02dm", (int)(minutes / 60), (int)(minutes % 60));
    else
        snprintf(buf, cap, "%dd %02dh", (int)(hours / 24), (int)(hours % 24));
    return buf;
}

char *cmd_format_bytes(char *buf, size_t cap, uint64_t bytes)
{
    uint64_t unit = 1;
    size_t i = 0;

    if (bytes < 1024) {
        snprintf(buf, cap, "%d B", (int)bytes);
        return buf;
    }
    do
        unit *= 1024;
    while (prefixes[++i] != '\0' && divide_rounded(bytes, unit) >= 1024);
    uint64_t whole = divide_rounded(bytes, unit);
    uint64_t tenths = bytes / unit * 10 + divide_rounded(bytes % unit * 10, unit);
    char letter = (char)(prefixes[i - 1] & ~0x20);

    if (tenths < 1000)
        snprintf(buf, cap, "%d.%d %c", (int)(tenths / 10), (int)(tenths % 10), letter);
    else
        snprintf(buf, cap, "%d %c", (int)whole, letter);
    return buf;
}
