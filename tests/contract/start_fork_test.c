/* Process tasks that are forked from their starter.
 * SPDX-License-Identifier: MIT
 */
#include <plait/process.h>

#define METHOD PLAIT_START_FORK
#include "start_contract.h"
#include "start_options.h"

static int use_the_parents_handle(void *arg)
{
    plait_task *parent = plait_task_parent(plait_task_current());

    return parent == arg && plait_task_id(parent) == getppid() ? 0 : 1;
}

TEST(the_parents_handle_is_the_one_that_the_parent_has)
{
    CHECK_INT(run(use_the_parents_handle, plait_task_current()).code, 0);
}
