/* An assertion for our own invariants: always on.
 * SPDX-License-Identifier: MIT
 *
 * For what cannot happen unless plait itself is wrong. A caller's mistake is -EINVAL, not this.
 */
#ifndef PLAIT__BASE_ASSERT_H
#define PLAIT__BASE_ASSERT_H

#define PLAIT__ASSERT(expr) ((expr) ? (void)0 : plait__assert_failed(#expr, __FILE__, __LINE__))

/* Writes "plait: FILE:LINE: broken: EXPR" to standard error and aborts. */
void plait__assert_failed(const char *expr, const char *file, int line)
    __attribute__((noreturn, cold));

#endif
