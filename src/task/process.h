/* Tasks of kind process.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_PROCESS_H
#define PLAIT__TASK_PROCESS_H

struct plait__task_ops;

extern const struct plait__task_ops plait__process_ops;

#endif
