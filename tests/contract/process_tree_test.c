/* Forked tasks that take along all that is below them.
 * SPDX-License-Identifier: MIT
 */
#include <plait/process.h>

#define METHOD PLAIT_START_FORK
#include "tree_contract.h"
#include "tree_deaths.h"

TEST(without_tree_a_daemon_of_a_task_lives_on)
{
    struct pollfd end = { .events = POLLIN };
    plait_task_opts opts = { .arg_bytes = 4 * sizeof(int) };
    plait_task *task = NULL;
    char byte;

    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* so that we can end it after all */
    prepare();
    int pipes[] = { life[0], life[1], ready[0], ready[1] };
    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, leave_a_daemon, pipes, &opts), 0);
    CHECK_INT(test_read(ready[0], &byte, 1), 1);
    plait_task_destroy(task);
    close(life[1]);
    end.fd = life[0];
    CHECK_INT(poll(&end, 1, 0), 0);
    close(ready[0]);
    while (poll(&end, 1, 10) <= 0) {
        char command[64];
        snprintf(command, sizeof command, "pkill -9 -P %d", (int)getpid());
        CHECK(system(command) >= 0); /* NOLINT(cert-env33-c) */
    }
}

static bool kills_guard;

static void kill_guard(void)
{
    if (kills_guard)
        raise(SIGKILL);
}

TEST(a_guard_that_is_killed_before_it_says_anything_is_the_task)
{
    plait_task *task = NULL;

    prepare();
    CHECK_INT(pthread_atfork(NULL, NULL, kill_guard), 0);
    kills_guard = true;
    CHECK_INT(start_rc(&task, leave_a_daemon, NULL), 0);
    kills_guard = false;
    CHECK(plait_task_id(task) > 0);
    CHECK_INT(join(task).signal, SIGKILL);
    plait_task_destroy(task);
    check_gone();
}
