/* All of plait.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_H
#define PLAIT_H

#include <plait/barrier.h>
#include <plait/condition.h>
#include <plait/coroutine.h>
#include <plait/cpu.h>
#include <plait/error.h>
#include <plait/event.h>
#include <plait/export.h>
#include <plait/failure.h>
#include <plait/future.h>
#include <plait/generator.h>
#include <plait/graph.h>
#include <plait/group.h>
#include <plait/init.h>
#include <plait/inspect.h>
#include <plait/lazy.h>
#include <plait/local.h>
#include <plait/lock.h>
#include <plait/log.h>
#include <plait/loop.h>
#include <plait/map.h>
#include <plait/offload.h>
#include <plait/once.h>
#include <plait/pipe.h>
#include <plait/plugin.h>
#include <plait/pool.h>
#include <plait/priority_queue.h>
#include <plait/process.h>
#include <plait/queue.h>
#include <plait/rwlock.h>
#include <plait/scope.h>
#include <plait/segment.h>
#include <plait/segment_queue.h>
#include <plait/select.h>
#include <plait/semaphore.h>
#include <plait/shared.h>
#include <plait/shared_array.h>
#include <plait/shared_list.h>
#include <plait/shared_number.h>
#include <plait/subprocess.h>
#include <plait/task.h>
#include <plait/time.h>
#include <plait/timer.h>
#include <plait/waitable.h>
#include <plait/watch.h>

#endif
