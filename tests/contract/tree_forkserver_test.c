/* Tasks that the keeper forks, and that take along all that is below them.
 * SPDX-License-Identifier: MIT
 */
#include <plait/process.h>

#define METHOD PLAIT_START_FORKSERVER
#include "tree_contract.h"
#include "tree_deaths.h"

/* Who ends everything stops it first, and may be killed before it has ended anybody. We adopt the guard:
 * of one that falls to another session the kernel wakes the group by itself. */
TEST(a_stopped_guard_is_woken_by_the_keepers_death)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prepare();
    plait_task *task = start(leave_a_daemon, NULL);
    CHECK_INT(kill(parent_of(plait_task_id(task)), SIGSTOP), 0);
    kill_keeper();
    CHECK_INT(join(task).signal, SIGKILL);
    check_gone_already();
    plait_task_destroy(task);
}
