/* The life of a process that is a task.
 * SPDX-License-Identifier: MIT
 */
#include "task/live.h"
#include "family/self.h"
#include "os/thread.h"
#include "task/coroutine.h"
#include "task/local.h"
#include "task/task.h"
#include "task/verdict.h"

#include <unistd.h>

/* A return value as an exit status: what does not fit is 255. */
static int to_status(int code)
{
    return code >= 0 && code <= 255 ? code : 255;
}

void plait__live(plait_task *task)
{
    pid_t self = plait__self_pid();
    int code = plait__task_call(task);

    /* a fork of the function's that returns does not speak for the task */
    if (plait__self_pid() == self) {
        task->verdict->code = code;
        __atomic_store_n(&task->verdict->has_returned, 1, __ATOMIC_RELEASE);
    }
    plait__coroutines_end(false);
    plait__locals_leave_thread();
    plait__tasks_end();
    plait__os_flush_streams();
    _exit(to_status(code));
}
