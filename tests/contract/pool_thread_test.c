/* The contract of pools, kept by threads.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND PLAIT_THREAD
#include "pool_calls.h"
#include "pool_crowd.h"
#include "pool_life.h"
#include "pool_recycling.h"
#include "pool_refusals.h"
#include "pool_waits.h"
