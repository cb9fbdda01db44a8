/* What a queue promises to those who are asked to end: threads and coroutines.
 * SPDX-License-Identifier: MIT
 *
 * The includer has included queue_contract.h.
 */
#ifndef PLAIT_TESTS_QUEUE_CANCEL_H
#define PLAIT_TESTS_QUEUE_CANCEL_H

CLAIM(a_task_that_was_asked_to_end_waits_no_more)
{
    queue = create((plait_queue_opts){ 0 });
    plait_task *task = start(get_one, NULL);
    await_getter();
    cancel_it(task);
    plait_queue_destroy(queue);
}

static int use_cancelled(void *arg)
{
    char buf[8];

    (void)arg;
    CHECK_INT(plait_task_terminate(plait_task_current()), 0);
    CHECK_INT(plait_queue_get(queue, buf, sizeof buf, PLAIT_FOREVER), 1);
    CHECK_INT(plait_queue_get(queue, buf, sizeof buf, PLAIT_FOREVER), -ECANCELED);
    CHECK_INT(plait_queue_get(queue, buf, sizeof buf, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_put(queue, "b", 1, PLAIT_FOREVER), 0);
    CHECK_INT(plait_queue_put(queue, "c", 1, PLAIT_FOREVER), -ECANCELED);
    return 0;
}

CLAIM(what_need_not_wait_succeeds_in_a_cancelled_task)
{
    queue = create((plait_queue_opts){ .max_items = 1 });
    put_text("a");
    CHECK_INT(end(start(use_cancelled, NULL)), 0);
    check_next("b");
    plait_queue_destroy(queue);
}

#endif
