/* All of plait.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_H
#define PLAIT_H

#include <plait/barrier.h>
#include <plait/condition.h>
#include <plait/cpu.h>
#include <plait/error.h>
#include <plait/event.h>
#include <plait/export.h>
#include <plait/init.h>
#include <plait/lock.h>
#include <plait/log.h>
#include <plait/once.h>
#include <plait/pipe.h>
#include <plait/queue.h>
#include <plait/rwlock.h>
#include <plait/semaphore.h>
#include <plait/shared.h>
#include <plait/task.h>
#include <plait/time.h>

#endif
