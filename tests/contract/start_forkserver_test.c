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

/* ---- many at once: more than the keeper has room for at first ---- */

struct crowd {
    plait_event gate;
    int n_names;
};

struct one_of_many {
    struct crowd *crowd;
    int number;
};

static int wait_and_return(void *arg)
{
    struct one_of_many *one = arg;
    const char *name = plait_task_name(plait_task_current());

    if (strcmp(name, "one of many, by a name that is longer than others") == 0)
        __atomic_fetch_add(&one->crowd->n_names, 1, __ATOMIC_SEQ_CST);
    return plait_event_wait(&one->crowd->gate, PLAIT_FOREVER) == 0 ? one->number : -1;
}

TEST(many_are_told_each_its_own_end)
{
    enum {
        MANY = 40
    };

    struct crowd *crowd = plait_shared_alloc(sizeof *crowd);
    plait_task *tasks[MANY] = { NULL };
    plait_task_opts opts = { .name = "one of many, by a name that is longer than others",
                             .method = METHOD,
                             .arg_bytes = sizeof(struct one_of_many) };

    for (int i = 0; i < MANY; i++)
        CHECK_INT(plait_task_start(&tasks[i], PLAIT_PROCESS, wait_and_return,
                                   &(struct one_of_many){ crowd, i }, &opts),
                  0);
    plait_task_kill(tasks[7]);
    CHECK_INT(join(tasks[7]).signal, SIGKILL);
    plait_event_set(&crowd->gate);
    for (int i = MANY - 1; i >= 0; i--)
        if (i != 7)
            CHECK_INT(join(tasks[i]).code, i);
    for (int i = 0; i < MANY; i++)
        plait_task_destroy(tasks[i]);
    CHECK(crowd->n_names >= MANY - 1);
    plait_shared_free(crowd);
}
