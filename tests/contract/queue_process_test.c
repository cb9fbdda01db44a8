/* The contract of queues, kept between processes; and what only processes can be asked.
 * SPDX-License-Identifier: MIT
 */
#define KIND PLAIT_PROCESS
#include "queue_contract.h"
#include "queue_large.h"
#include "queue_lease.h"
#include "queue_traffic.h"

static int use_what_the_parent_holds(void *arg)
{
    void **held = arg;

    CHECK_INT(plait_queue_commit(queue, held[0], 1), -EINVAL);
    CHECK_INT(plait_queue_abort(queue, held[0]), -EINVAL);
    CHECK_INT(plait_queue_release(queue, held[1]), -EINVAL);
    CHECK_INT(plait_queue_ack(held[2]), -EINVAL);
    CHECK_INT(plait_queue_nack(held[2]), -EINVAL);
    return 0;
}

TEST(what_a_process_holds_is_not_its_childs)
{
    plait_lease lease;
    void *held[3] = { NULL, NULL, &lease };
    const void *borrowed = NULL;

    queue = create((plait_queue_opts){ 0 });
    put_text("a");
    put_text("b");
    CHECK_INT(plait_queue_borrow(queue, &borrowed, PLAIT_NOWAIT), 1);
    CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_reserve(queue, &held[0], 1, PLAIT_NOWAIT), 0);
    held[1] = (void *)(uintptr_t)borrowed;
    CHECK_INT(end(start(use_what_the_parent_holds, held)), 0);
    CHECK_INT(plait_queue_commit(queue, held[0], 1), 0);
    CHECK_INT(plait_queue_release(queue, borrowed), 0);
    CHECK_INT(plait_queue_ack(&lease), 0);
    plait_queue_destroy(queue);
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

TEST(a_single_producer_and_consumer_has_its_side_while_it_lives)
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
