/* The contract of maps, and of inputs and results of any size, kept by threads.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND PLAIT_THREAD
#include "pool_maps.h"
#include "pool_sizes.h"
