/* Tasks of kind thread.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_THREAD_H
#define PLAIT__TASK_THREAD_H

struct plait__task_ops;

extern const struct plait__task_ops plait__thread_ops;

#endif
