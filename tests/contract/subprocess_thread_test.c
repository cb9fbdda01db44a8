/* The contract of subprocesses, kept for threads.
 * SPDX-License-Identifier: MIT
 */
#define KIND PLAIT_THREAD
#include "subprocess_contract.h"
