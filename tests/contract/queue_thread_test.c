/* The contract of queues, kept between threads; and what a process cannot be asked.
 * SPDX-License-Identifier: MIT
 */
#define WITH_ONE_PROCESS
#define KIND PLAIT_THREAD
#include "queue_contract.h"

#include "queue_cancel.h"
#include "queue_lanes.h"
#include "queue_large.h"
#include "queue_lease.h"
#include "queue_traffic.h"
