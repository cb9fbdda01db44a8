/* The contract of lazies in a pool of coroutines.
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#define KIND PLAIT_COROUTINE
#include "lazy.h"
