/* Spawned tasks that take along all that is below them.
 * SPDX-License-Identifier: MIT
 */
#include <plait/process.h>

#define METHOD PLAIT_START_SPAWN
#include "tree_contract.h"
#include "tree_deaths.h"
