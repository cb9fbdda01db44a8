/* The contract of subprocesses, kept for processes.
 * SPDX-License-Identifier: MIT
 */
#define KIND PLAIT_PROCESS
#include "subprocess_contract.h"
