/* What a task is called where locks name their holder.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__SYNC_TASK_ID_H
#define PLAIT__SYNC_TASK_ID_H

#include "family/member.h"
#include "wait/sleeper.h"

#include <stdint.h>

static inline uint64_t plait__make_task_id(uint32_t member, uint32_t number)
{
    return (uint64_t)member << 32 | number;
}

/* Who we are: process and task. Never 0, even of a process that is not in the family yet. */
static inline uint64_t plait__task_id(void)
{
    return plait__make_task_id(plait__member_self(), plait__task_number());
}

#endif
