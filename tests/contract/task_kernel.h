/* What tasks promise that the kernel knows: processes and threads.
 * SPDX-License-Identifier: MIT
 *
 * The includer has included task_contract.h.
 */
#ifndef PLAIT_TESTS_TASK_KERNEL_H
#define PLAIT_TESTS_TASK_KERNEL_H

static int tell_kernel_id(void *arg)
{
    (void)arg;
    board->id = (pid_t)syscall(SYS_gettid); /* of a process: its pid */
    return 0;
}

TEST(the_id_is_the_kernels)
{
    prepare();
    plait_task *task = start(tell_kernel_id, NULL);
    join(task);
    CHECK_INT(board->id, plait_task_id(task));
    plait_task_destroy(task);
}

TEST(children_are_the_live_tasks_in_the_order_of_their_start)
{
    plait_task *got[3] = { NULL, NULL, NULL }, *first, *second;

    prepare();
    CHECK_INT(plait_task_children(NULL, 0), 0);
    first = start(stand, NULL);
    second = start(stand, NULL);
    CHECK_INT(plait_task_children(got, 1), 2);
    CHECK(got[0] == first && got[1] == NULL);
    CHECK_INT(plait_task_children(got, 3), 2);
    CHECK(got[0] == first && got[1] == second && got[2] == NULL);
    open_gate();
    open_gate();
    while (plait_task_children(NULL, 0) > 0) /* the ended are none, joined or not */
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    plait_task_destroy(first);
    plait_task_destroy(second);
}

#endif
