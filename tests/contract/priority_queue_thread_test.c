/* The contract of priority queues, kept between threads; and what a process cannot be asked.
 * SPDX-License-Identifier: MIT
 */
#define KIND PLAIT_THREAD
#include "priority_queue_contract.h"

#include "priority_queue_cancel.h"
