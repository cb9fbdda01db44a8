/* The contract of maps, and of inputs and results of any size, kept by coroutines.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND PLAIT_COROUTINE
#include "pool_maps.h"
#include "pool_sizes.h"
