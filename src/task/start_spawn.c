/* stub */
#include "task/start.h"
#include <errno.h>
int plait__spawn_start(plait_task *task, const plait_task_opts *opts)
{
    (void)task;
    (void)opts;
    return -ENOTSUP;
}
