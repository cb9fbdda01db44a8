/* The contract of queues, kept between processes; and what only processes can be asked.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#define KIND PLAIT_PROCESS
#include "child.h"
#include "queue_contract.h"
#include "queue_lanes.h"
#include "queue_large.h"
#include "queue_lease.h"
#include "queue_traffic.h"

static struct {
    void *reserved;
    const void *borrowed;
    plait_lease lease;
} held;
CARRIED(held)

static int use_what_the_parent_holds(void *arg)
{
    (void)arg;
    CHECK_INT(plait_queue_commit(queue, held.reserved, 1), -EINVAL);
    CHECK_INT(plait_queue_abort(queue, held.reserved), -EINVAL);
    CHECK_INT(plait_queue_release(queue, held.borrowed), -EINVAL);
    CHECK_INT(plait_queue_ack(&held.lease), -EINVAL);
    CHECK_INT(plait_queue_nack(&held.lease), -EINVAL);
    return 0;
}

CLAIM(what_a_process_holds_is_not_its_childs)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("a");
    put_text("b");
    CHECK_INT(plait_queue_borrow(queue, &held.borrowed, PLAIT_NOWAIT), 1);
    CHECK_INT(plait_queue_lease(queue, &held.lease, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_reserve(queue, &held.reserved, 1, PLAIT_NOWAIT), 0);
    CHECK_INT(end(start(use_what_the_parent_holds, NULL)), 0);
    CHECK_INT(plait_queue_commit(queue, held.reserved, 1), 0);
    CHECK_INT(plait_queue_release(queue, held.borrowed), 0);
    CHECK_INT(plait_queue_ack(&held.lease), 0);
    plait_queue_destroy(queue);
}

static void use_all_of_it(void)
{
    const void *borrowed = NULL;
    void *reserved = NULL;
    plait_lease lease;

    CHECK_INT(plait_queue_size(queue), 2);
    check_next("parent's");
    CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_ack(&lease), 0);
    check_empty();
    CHECK_INT(plait_queue_reserve(queue, &reserved, 8, PLAIT_NOWAIT), 0);
    memcpy(reserved, "child's", 7);
    CHECK_INT(plait_queue_commit(queue, reserved, 7), 0);
    CHECK_INT(plait_queue_borrow(queue, &borrowed, PLAIT_NOWAIT), 7);
    CHECK_INT(plait_queue_release(queue, borrowed), 0);
    put_text("child's");
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_queue_task_done(queue), 0);
}

CLAIM(a_forked_child_uses_the_same_queue)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("parent's");
    put_text("also");
    in_forked_child(use_all_of_it);
    put_text("parent's again");
    check_next("child's");
    check_next("parent's again");
    check_empty();
    CHECK_INT(plait_queue_task_done(queue), 0);
    CHECK_INT(plait_queue_task_done(queue), 0);
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), 0);
    plait_queue_destroy(queue);
}

static void close_it(void)
{
    CHECK_INT(plait_queue_close(queue), 0);
}

static void shut_it_down(void)
{
    CHECK_INT(plait_queue_shutdown(queue, true), 0);
}

static void destroy_it(void)
{
    plait_queue_destroy(queue);
}

TEST(what_a_forked_child_closes_or_destroys_is_so_for_all)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("a");
    in_forked_child(close_it);
    CHECK_INT(plait_queue_put(queue, "b", 1, PLAIT_FOREVER), -EPIPE);
    check_next("a");
    plait_queue_destroy(queue);
    queue = create((plait_queue_opts){ 0 });
    put_text("a");
    in_forked_child(shut_it_down);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_FOREVER), -EPIPE);
    plait_queue_destroy(queue);
    queue = create((plait_queue_opts){ 0 });
    plait_task *task = start(get_one, NULL);
    await_visitors(1);
    in_forked_child(destroy_it);
    CHECK_INT(end(task), -EPIPE);
}

static int be_refused(void *arg)
{
    (void)arg;
    CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_FOREVER), -EBUSY);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_FOREVER), -EBUSY);
    return 0;
}

static int use_both_sides(void *arg)
{
    char buf[8];

    (void)arg;
    CHECK_INT(plait_queue_put(queue, "c", 1, PLAIT_FOREVER), 0);
    return (int)plait_queue_get(queue, buf, sizeof buf, PLAIT_FOREVER);
}

CLAIM(a_single_producer_and_consumer_has_its_side_while_it_lives)
{
    queue = create((plait_queue_opts){ .single_producer = true, .single_consumer = true });
    put_text("a");
    check_next("a");
    CHECK_INT(end(start(be_refused, NULL)), 0);
    put_text("b");
    check_next("b");
    plait_queue_destroy(queue);
    queue = create((plait_queue_opts){ .single_producer = true, .single_consumer = true });
    CHECK_INT(end(start(use_both_sides, NULL)), 1);
    put_text("d");
    check_next("d");
    plait_queue_destroy(queue);
}
