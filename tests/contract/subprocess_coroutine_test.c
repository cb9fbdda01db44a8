/* The contract of subprocesses, kept for coroutines.
 * SPDX-License-Identifier: MIT
 */
#define KIND PLAIT_COROUTINE
#include "subprocess_contract.h"
