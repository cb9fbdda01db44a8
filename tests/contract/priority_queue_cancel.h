/* What a priority queue promises to those who are asked to end: threads and coroutines.
 * SPDX-License-Identifier: MIT
 *
 * The includer has included priority_queue_contract.h.
 */
#ifndef PLAIT_TESTS_PRIORITY_QUEUE_CANCEL_H
#define PLAIT_TESTS_PRIORITY_QUEUE_CANCEL_H

TEST(a_task_that_was_asked_to_end_waits_no_more)
{
    queue = create((plait_priority_queue_opts){ 0 });
    plait_task *task = start(get_one, NULL);
    await_sleeper(&queue->get_bell);
    cancel_it(task);
    plait_priority_queue_destroy(queue);
}

static int use_cancelled(void *arg)
{
    char buf[8];

    (void)arg;
    CHECK_INT(plait_task_terminate(plait_task_current()), 0);
    CHECK_INT(plait_priority_queue_get(queue, NULL, buf, sizeof buf, PLAIT_FOREVER), 1);
    CHECK_INT(plait_priority_queue_get(queue, NULL, buf, sizeof buf, PLAIT_FOREVER), -ECANCELED);
    CHECK_INT(plait_priority_queue_get(queue, NULL, buf, sizeof buf, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_priority_queue_put(queue, 0, "b", 1, PLAIT_FOREVER), 0);
    CHECK_INT(plait_priority_queue_put(queue, 0, "c", 1, PLAIT_FOREVER), -ECANCELED);
    return 0;
}

TEST(what_need_not_wait_succeeds_in_a_cancelled_task)
{
    queue = create((plait_priority_queue_opts){ .max_items = 1 });
    put_text(0, "a");
    CHECK_INT(end(start(use_cancelled, NULL)), 0);
    check_next(0, "b");
    plait_priority_queue_destroy(queue);
}

#endif
