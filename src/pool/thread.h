/* The executor of pools of kind thread.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_THREAD_H
#define PLAIT__POOL_THREAD_H

#include "pool/executor.h"

extern const struct plait__executor_ops plait__thread_executor;

#endif
