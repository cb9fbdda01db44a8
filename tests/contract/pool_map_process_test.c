/* The contract of maps, and of inputs and results of any size, kept by processes.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND PLAIT_PROCESS
#include "pool_maps.h"
#include "pool_sizes.h"
