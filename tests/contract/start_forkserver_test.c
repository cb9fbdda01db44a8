/* Process tasks that the keeper forks.
 * SPDX-License-Identifier: MIT
 */
#include <plait/process.h>

#define METHOD PLAIT_START_FORKSERVER
#include "start_contract.h"

#include "start_deaths.h"
#include "start_options.h"

TEST(a_pointer_into_private_memory_is_refused)
{
    plait_task *task = NULL;
    int number = 1;

    CHECK_INT(start_rc(&task, return_code, &number, 0), -EINVAL);
    CHECK(task == NULL);
}

TEST(it_is_killed_with_the_keeper_and_told_so)
{
    struct board *board = make_board();
    plait_task *task = start_standing(board);

    kill_keeper();
    CHECK_INT(join(task).signal, SIGKILL);
    plait_task_destroy(task);
    CHECK_INT(run(return_7, NULL).code, 7);
}
