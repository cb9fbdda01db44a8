/* How often the kernel has killed for want of memory.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_OOM_H
#define PLAIT__OS_OOM_H

#include <stdint.h>

/* In the control group that this process was in when it first asked: how many processes were killed.
 * -1: nobody tells. */
int64_t plait__os_oom_kills(void);
/* The same as it was at some time in the last 10 ms, for who asks often: a look costs as much as a
 * quarter of a fork. */
int64_t plait__os_oom_kills_lately(void);

#endif
