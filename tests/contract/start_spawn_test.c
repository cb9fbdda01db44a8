/* Process tasks that are the program again.
 * SPDX-License-Identifier: MIT
 */
#include <plait/process.h>

#define METHOD PLAIT_START_SPAWN
#include "start_contract.h"

TEST(a_pointer_into_private_memory_is_refused)
{
    plait_task *task = NULL;
    int number = 1;

    CHECK_INT(start_rc(&task, return_code, &number, 0), -EINVAL);
    CHECK(task == NULL);
}

TEST(it_outlives_the_keeper)
{
    struct board *board = make_board();
    plait_task *task = start_standing(board);

    kill_keeper();
    CHECK(plait_task_is_alive(task));
    CHECK_INT(run(return_7, NULL).code, 7);
    plait_event_set(&board->gate);
    CHECK_INT(join(task).code, 0);
    plait_task_destroy(task);
}
