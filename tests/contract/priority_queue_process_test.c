/* The contract of priority queues, kept between processes; and what only processes can be asked.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#define KIND PLAIT_PROCESS
#include "child.h"
#include "priority_queue_contract.h"

static void use_it(void)
{
    CHECK_INT(plait_priority_queue_size(queue), 2);
    check_next(1, "first");
    put_text(2, "between");
    CHECK_INT(plait_priority_queue_task_done(queue), 0);
}

TEST(a_forked_child_uses_the_same_queue)
{
    queue = create((plait_priority_queue_opts){ 0 });
    put_text(3, "last");
    put_text(1, "first");
    in_forked_child(use_it);
    check_next(2, "between");
    check_next(3, "last");
    check_empty();
    CHECK_INT(plait_priority_queue_task_done(queue), 0);
    CHECK_INT(plait_priority_queue_task_done(queue), 0);
    CHECK_INT(plait_priority_queue_join(queue, PLAIT_NOWAIT), 0);
    plait_priority_queue_destroy(queue);
}

static void close_it(void)
{
    CHECK_INT(plait_priority_queue_close(queue), 0);
}

static void destroy_it(void)
{
    plait_priority_queue_destroy(queue);
}

TEST(what_a_forked_child_closes_or_destroys_is_so_for_all)
{
    queue = create((plait_priority_queue_opts){ 0 });
    put_text(0, "a");
    in_forked_child(close_it);
    CHECK_INT(plait_priority_queue_put(queue, 0, "b", 1, PLAIT_FOREVER), -EPIPE);
    check_next(0, "a");
    plait_priority_queue_destroy(queue);
    queue = create((plait_priority_queue_opts){ 0 });
    plait_task *task = start(get_one, NULL);
    await_visitors(1);
    in_forked_child(destroy_it);
    CHECK_INT(end(task), -EPIPE);
}
