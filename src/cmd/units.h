/* Numbers with units: read exactly, written for people.
 * SPDX-License-Identifier: MIT
 *
 * All parsers take the whole string or refuse it: -EINVAL for what is no such number (empty, a
 * sign, a blank, "nan", trailing garbage), -ERANGE for what is too large. Nothing goes through
 * floating point. What has more digits than fit is rounded up, so that nothing which is not zero
 * becomes zero.
 */
#ifndef PLAIT__CMD_UNITS_H
#define PLAIT__CMD_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* "10" and "10s", "1.5m", "2h", "1d", "100ms", "5us", "7ns", and several in a row: "1d3.5h16.6m4s".
 * d, h, m and s may be upper case, as GNU parallel has it. A number without unit means seconds and
 * stands alone. */
int cmd_parse_duration(const char *text, int64_t *ret_ns);

/* "512", "2G", "1.5M", "512k": K, M, G, T, P, E are powers of 1024, k, m, g, t, p, e of 1000, as
 * GNU parallel has it; Ki, Mi… (ki, mi…) are powers of 1024 too. */
int cmd_parse_size(const char *text, uint64_t *ret_bytes);

/* "50%", whole numbers only, also above 100. */
int cmd_parse_percent(const char *text, uint64_t *ret);

/* Decimal digits. */
int cmd_parse_u64(const char *text, uint64_t *ret);

/* Room enough for each of the two below. */
enum {
    CMD_FORMAT_CAP = 32
};

/* "850 us", "420 ms", "4.2 s", "3m 05s", "1h 12m", "2d 03h". A negative length counts as 0. Returns
 * buf. */
char *cmd_format_duration(char *buf, size_t cap, int64_t ns);

/* "512 B", "1.1 K", "15.6 M", "930 G": powers of 1024. Returns buf. */
char *cmd_format_bytes(char *buf, size_t cap, uint64_t bytes);

#endif
