/* The contract of priority queues, kept between processes.
 * SPDX-License-Identifier: MIT
 */
#define KIND PLAIT_PROCESS
#include "priority_queue_contract.h"
