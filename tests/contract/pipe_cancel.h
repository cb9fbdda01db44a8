/* What a pipe promises to those who are asked to end: threads and coroutines.
 * SPDX-License-Identifier: MIT
 *
 * The includer has included pipe_contract.h.
 */
#ifndef PLAIT_TESTS_PIPE_CANCEL_H
#define PLAIT_TESTS_PIPE_CANCEL_H

static plait_outcome cancel(plait_task *task)
{
    plait_outcome end = { 0 };

    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    plait_task_destroy(task);
    return end;
}

static int receive_one(void *arg)
{
    (void)arg;
    return (int)plait_pipe_recv(b, NULL, 0, PLAIT_FOREVER);
}

static int fill_for_ever(void *arg)
{
    char bytes[1000] = "";
    int rc;

    (void)arg;
    while ((rc = plait_pipe_send(b, bytes, sizeof bytes, PLAIT_FOREVER)) == 0)
        continue;
    return rc;
}

TEST(who_sleeps_in_a_receive_is_cancelled)
{
    CHECK_INT(cancel(start(receive_one, NULL)).code, -ECANCELED);
    CHECK_INT(plait_pipe_poll(a, PLAIT_NOWAIT), -ETIMEDOUT);
    plait_pipe_destroy(a);
    plait_pipe_destroy(b);
}

TEST(who_sleeps_in_a_send_is_cancelled_and_what_was_sent_before_is_there)
{
    plait_task *task = start(fill_for_ever, NULL);
    char buf[1000];
    int n = 0;

    CHECK_INT(plait_pipe_poll(a, PLAIT_FOREVER), 0);
    CHECK_INT(cancel(task).code, -ECANCELED);
    while (plait_pipe_recv(a, buf, sizeof buf, PLAIT_NOWAIT) == sizeof buf)
        n++;
    CHECK(n > 0);
    plait_pipe_destroy(a);
    plait_pipe_destroy(b);
}

static int work_while_cancelled(void *arg)
{
    char buf[4];

    (void)arg;
    CHECK_INT(plait_task_terminate(plait_task_current()), 0);
    CHECK_INT(plait_pipe_send(b, "abc", 3, PLAIT_FOREVER), 0);
    send_size(b, 100000);
    CHECK_INT(plait_pipe_poll(b, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), 3);
    CHECK_INT(plait_pipe_poll(b, PLAIT_FOREVER), -ECANCELED);
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), -ECANCELED);
    CHECK_INT(plait_pipe_next_size(b, PLAIT_FOREVER), -ECANCELED);
    return 0;
}

TEST(a_cancelled_task_does_what_need_not_wait)
{
    plait_task *task = NULL;
    char buf[4];

    CHECK_INT(plait_pipe_create(&a, &b, NULL), 0);
    CHECK_INT(plait_pipe_send(a, "123", 3, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_task_start(&task, KIND, work_while_cancelled, NULL, NULL), 0);
    CHECK_INT(plait_pipe_recv(a, buf, sizeof buf, PLAIT_FOREVER), 3);
    CHECK_INT(plait_pipe_next_size(a, PLAIT_FOREVER), 100000);
    finish(task);
}

TEST(closing_the_other_end_wakes_who_sleeps)
{
    plait_task *task = start(receive_one, NULL);
    plait_outcome end = { 0 };

    CHECK_INT(plait_pipe_close(a), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, -EPIPE);
    plait_task_destroy(task);
    plait_pipe_destroy(a);
    plait_pipe_destroy(b);
}

#endif
