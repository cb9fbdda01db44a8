/* The family heap, for plait itself: what <plait/shared.h> offers, without its zeroes.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__FAMILY_HEAP_H
#define PLAIT__FAMILY_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As plait_shared_alloc, but the bytes are whatever they were. Blocks of more than 8 KiB begin a
 * page. */
void *plait__heap_alloc(size_t bytes);

/* plait__run_take, which tries hard: it takes what the dead had, and empty slabs. */
int plait__heap_take_run(uint32_t units, uint32_t *ret_unit, bool *ret_is_zero);

#endif
