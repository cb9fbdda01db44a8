/* The family heap, for plait itself: what <plait/shared.h> offers, without its zeroes.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__FAMILY_HEAP_H
#define PLAIT__FAMILY_HEAP_H

#include <stddef.h>

/* As plait_shared_alloc, but the bytes are whatever they were. Blocks of more than 8 KiB begin a
 * page. */
void *plait__heap_alloc(size_t bytes);

#endif
