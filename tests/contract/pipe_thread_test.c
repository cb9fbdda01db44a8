/* The contract of pipes, kept between threads; and what a process cannot be asked.
 * SPDX-License-Identifier: MIT
 */
#define KIND PLAIT_THREAD
#include "pipe_contract.h"

#include "pipe_cancel.h"
#include "pipe_crowd.h"
