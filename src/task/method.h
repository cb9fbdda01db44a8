/* How processes are made where nobody says it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_METHOD_H
#define PLAIT__TASK_METHOD_H

#include <plait/process.h>

/* What the program has chosen; PLAIT_START_DEFAULT: nothing yet. */
plait_start_method plait__start_method(void);
/* In a process that was spawned, or forked by the keeper: what its starter had chosen. */
void plait__start_method_inherit(plait_start_method method);

#endif
