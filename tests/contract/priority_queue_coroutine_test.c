/* The contract of priority queues, kept between coroutines; and what a process cannot be asked.
 * SPDX-License-Identifier: MIT
 */
#define KIND PLAIT_COROUTINE
#include "priority_queue_contract.h"

#include "priority_queue_cancel.h"
