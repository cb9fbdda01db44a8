/* Options structs that grow without an ABI break.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__BASE_OPTS_H
#define PLAIT__BASE_OPTS_H

#include <stddef.h>

/* Copies the caller's options (NULL: none) of `bytes` into ours, zero where the caller's are
 * shorter. -E2BIG when they are longer and not zero there: the caller wants something that this
 * library does not know. */
int plait__opts_copy(void *ours, size_t our_bytes, const void *opts, size_t bytes);

#endif
