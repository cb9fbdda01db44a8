/* The contract of conditions.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "sync.h"

struct box {
    plait_lock lock;
    plait_condition filled, emptied;
    int items;   /* lock */
    int waiting; /* lock: how many have begun to wait */
    bool closed; /* lock */
};

static void acquire(struct box *box)
{
    CHECK_INT(plait_lock_acquire(&box->lock, PLAIT_FOREVER), 0);
}

static void release(struct box *box)
{
    CHECK_INT(plait_lock_release(&box->lock), 0);
}

/* Until so many have begun to wait: they gave the lock back when they did. */
static void see_waiting(struct box *box, int n)
{
    for (;;) {
        int waiting;
        acquire(box);
        waiting = box->waiting;
        release(box);
        if (waiting == n)
            return;
        plait_sleep(plait_after_ms(1));
    }
}

/* One wait, whatever it is good for. */
static int wait_once(void *arg)
{
    struct box *box = arg;
    int rc;

    acquire(box);
    box->waiting++;
    rc = plait_condition_wait(&box->filled, &box->lock, PLAIT_FOREVER);
    if (rc < 0 && rc != -ECANCELED)
        return -rc;
    CHECK(plait_lock_is_held(&box->lock));
    add_number(0);
    release(box); /* we hold it, or this fails */
    return rc;
}

static void start_waiters(struct box *box, plait_task **ret_tasks, int n)
{
    for (int i = 0; i < n; i++)
        ret_tasks[i] = start(wait_once, box);
    see_waiting(box, n);
}

CLAIM(a_notify_of_n_lets_exactly_n_go_on)
{
    struct box *box = make(sizeof *box);
    plait_task *tasks[6];

    CHECK_INT(sizeof box->filled, 64);
    start_waiters(box, tasks, 6);
    acquire(box);
    CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
    CHECK_INT(plait_condition_notify(&box->filled, 2), 0);
    release(box);
    UNTIL(number(0) == 3);
    plait_sleep(plait_after_ms(250)); /* longer than any slice */
    CHECK_INT(number(0), 3);
    acquire(box);
    CHECK_INT(plait_condition_notify(&box->filled, 100), 0);
    release(box);
    for (int i = 0; i < 6; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(box->filled.state, 0);
    CHECK_INT(plait_lock_acquire(&box->lock, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
    CHECK_INT(plait_condition_wait(&box->filled, &box->lock, plait_after_ms(5)), -ETIMEDOUT);
    release(box);
}

CLAIM(notify_all_lets_all_go_on)
{
    struct box *box = make(sizeof *box);
    plait_task *tasks[6];

    start_waiters(box, tasks, 6);
    acquire(box);
    CHECK_INT(plait_condition_notify_all(&box->filled), 0);
    plait_sleep(plait_after_ms(20));
    CHECK_INT(number(0), 0); /* not while we hold the lock */
    release(box);
    for (int i = 0; i < 6; i++)
        CHECK_INT(join(tasks[i]), 0);
}

CLAIM(a_notify_that_nobody_waits_for_is_not_kept)
{
    struct box *box = make(sizeof *box);

    acquire(box);
    CHECK_INT(plait_condition_notify(&box->filled, 3), 0);
    CHECK_INT(plait_condition_notify_all(&box->filled), 0);
    CHECK_INT(plait_condition_wait(&box->filled, &box->lock, plait_after_ms(20)), -ETIMEDOUT);
    release(box);
}

CLAIM(a_wait_ends_at_its_deadline_with_the_lock_held)
{
    struct box *box = make(sizeof *box);
    plait_deadline soon = plait_after_ms(20);

    acquire(box);
    CHECK_INT(plait_condition_wait(&box->filled, &box->lock, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_condition_wait(&box->filled, &box->lock, plait_after_ms(-1)), -ETIMEDOUT);
    CHECK_INT(plait_condition_wait(&box->filled, &box->lock, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    CHECK_INT(plait_lock_acquire(&box->lock, PLAIT_FOREVER), -EDEADLK);
    release(box);
    CHECK_INT(box->filled.state, 0); /* who gave up is not waited for */
}

/* Those that gave up take no notify from the others. */
CLAIM(a_notify_reaches_who_still_waits)
{
    struct box *box = make(sizeof *box);
    plait_task *task;

    acquire(box);
    CHECK_INT(plait_condition_wait(&box->filled, &box->lock, plait_after_ms(5)), -ETIMEDOUT);
    release(box);
    task = start(wait_once, box);
    see_waiting(box, 1);
    acquire(box);
    CHECK_INT(plait_condition_wait(&box->filled, &box->lock, plait_after_ms(5)), -ETIMEDOUT);
    CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
    release(box);
    CHECK_INT(join(task), 0);
    CHECK_INT(box->filled.state, 0);
}

static int wait_twice(void *arg)
{
    int rc = wait_once(arg);

    return rc != 0 ? rc : wait_once(arg);
}

CLAIM(who_waits_again_is_notified_again)
{
    struct box *box = make(sizeof *box);
    plait_task *tasks[5];

    for (int i = 0; i < 5; i++)
        tasks[i] = start(wait_twice, box);
    see_waiting(box, 5);
    CHECK_INT(plait_condition_notify(&box->filled, 3), 0);
    see_waiting(box, 5 + 3);
    CHECK_INT(number(0), 3);
    CHECK_INT(plait_condition_notify(&box->filled, 5), 0); /* some for the second time */
    see_waiting(box, 5 + 5);
    UNTIL(number(0) == 8);
    CHECK_INT(plait_condition_notify_all(&box->filled), 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(number(0), 10);
    CHECK_INT(box->filled.state, 0);
}

/* Python's condition refuses that. */
CLAIM(who_does_not_hold_the_lock_may_notify)
{
    struct box *box = make(sizeof *box);
    plait_task *tasks[3];

    start_waiters(box, tasks, 3);
    CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
    UNTIL(number(0) == 1);
    CHECK_INT(plait_condition_notify_all(&box->filled), 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(join(tasks[i]), 0);
}

CLAIM_OF_PROCESSES(processes_and_threads_wait_side_by_side)
{
    struct box *box = make(sizeof *box);
    plait_task *tasks[4];

    start_waiters(box, tasks, 2);
    kind = PLAIT_THREAD;
    for (int i = 2; i < 4; i++)
        tasks[i] = start(wait_once, box);
    see_waiting(box, 4);
    CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
    UNTIL(number(0) == 1);
    CHECK_INT(plait_condition_notify(&box->filled, 3), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(box->filled.state, 0);
}

static void notify_as_child(void *arg)
{
    struct box *box = arg;

    CHECK_INT(plait_condition_notify_all(&box->filled), 0);
}

CLAIM(a_forked_child_notifies_at_the_same_condition_in_the_heap)
{
    struct box *box = make(sizeof *box);
    plait_task *task;

    start_waiters(box, &task, 1);
    in_forked_child(notify_as_child, box);
    if (is_private) {
        a_moment();
        CHECK_INT(number(0), 0);
        CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
    }
    CHECK_INT(join(task), 0);
}

/* ---- wait_for ---- */

static bool has_items(void *arg)
{
    struct box *box = arg;

    /* asked with the lock held */
    CHECK_INT(plait_lock_acquire(&box->lock, PLAIT_NOWAIT), -EDEADLK);
    return box->items > 0;
}

static int wait_for_items(void *arg)
{
    struct box *box = arg;
    int rc;

    acquire(box);
    box->waiting++;
    rc = plait_condition_wait_for(&box->filled, &box->lock, has_items, box, PLAIT_FOREVER);
    CHECK_INT(rc, 0);
    CHECK_INT(box->items, 2);
    release(box);
    return 0;
}

CLAIM(a_wait_for_goes_on_when_the_predicate_says_yes)
{
    struct box *box = make(sizeof *box);
    plait_task *task = start(wait_for_items, box);

    see_waiting(box, 1);
    for (int i = 0; i < 3; i++) {
        acquire(box);
        CHECK_INT(plait_condition_notify_all(&box->filled), 0); /* the predicate says no */
        release(box);
        plait_sleep(plait_after_ms(2));
    }
    acquire(box);
    box->items = 2;
    CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
    release(box);
    CHECK_INT(join(task), 0);
    acquire(box); /* it is true already: no wait at all */
    CHECK_INT(plait_condition_wait_for(&box->filled, &box->lock, has_items, box, PLAIT_NOWAIT), 0);
    box->items = 0;
    CHECK_INT(
        plait_condition_wait_for(&box->filled, &box->lock, has_items, box, plait_after_ms(10)),
        -ETIMEDOUT);
    release(box);
}

static int wait_for_nothing(void *arg)
{
    struct box *box = arg;
    int rc;

    acquire(box);
    box->waiting++;
    rc = plait_condition_wait_for(&box->filled, &box->lock, has_items, box, plait_after_ms(50));
    CHECK_INT(plait_lock_acquire(&box->lock, PLAIT_NOWAIT), -EDEADLK); /* it is held */
    set_number(0, 1);
    release(box);
    return -rc;
}

CLAIM(a_wait_for_ends_at_its_deadline_however_often_it_is_notified)
{
    struct box *box = make(sizeof *box);
    plait_task *task = start(wait_for_nothing, box);

    while (number(0) == 0) {
        acquire(box);
        CHECK_INT(plait_condition_notify_all(&box->filled), 0);
        release(box);
        plait_sleep(plait_after_ms(1));
    }
    CHECK_INT(join(task), ETIMEDOUT);
    CHECK_INT(box->filled.state, 0);
}

/* ---- what is refused ---- */

static int wait_without_the_lock(void *arg)
{
    struct box *box = arg;

    CHECK_INT(plait_condition_wait(&box->filled, &box->lock, PLAIT_FOREVER), -EPERM);
    CHECK_INT(plait_condition_wait_for(&box->filled, &box->lock, has_items, box, PLAIT_FOREVER),
              -EPERM);
    return 0;
}

CLAIM(a_wait_without_the_lock_is_refused_also_when_another_task_holds_it)
{
    struct box *box = make(sizeof *box);

    CHECK_INT(join(start(wait_without_the_lock, box)), 0);
    acquire(box);
    CHECK_INT(join(start(wait_without_the_lock, box)), 0);
    CHECK_INT(box->filled.state, 0);
    release(box);
}

TEST(a_bad_wait_is_refused)
{
    struct box box = { 0 };

    CHECK_INT(plait_condition_wait(NULL, &box.lock, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_condition_wait(&box.filled, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_condition_wait(&box.filled, &box.lock, PLAIT_FOREVER), -EPERM);
    CHECK_INT(plait_condition_wait_for(NULL, &box.lock, has_items, &box, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_condition_wait_for(&box.filled, NULL, has_items, &box, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_condition_wait_for(&box.filled, &box.lock, NULL, &box, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_condition_wait_for(&box.filled, &box.lock, has_items, &box, PLAIT_FOREVER),
              -EPERM);
    CHECK_INT(plait_condition_notify(NULL, 1), -EINVAL);
    CHECK_INT(plait_condition_notify(&box.filled, 0), -EINVAL);
    CHECK_INT(plait_condition_notify_all(NULL), -EINVAL);
    CHECK_INT(box.filled.state, 0);
}

/* ---- recursive locks ---- */

struct rbox {
    plait_rlock lock;
    plait_condition filled;
    int items; /* lock */
};

static int fill(void *arg)
{
    struct rbox *box = arg;

    CHECK_INT(plait_rlock_acquire(&box->lock, PLAIT_FOREVER), 0); /* free: given back whole */
    box->items++;
    CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
    return plait_rlock_release(&box->lock);
}

CLAIM(a_recursive_lock_is_given_back_whole_and_comes_back_as_it_was)
{
    struct rbox *box = make(sizeof *box);
    plait_task *task;

    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_rlock_acquire(&box->lock, PLAIT_FOREVER), 0);
    task = start(fill, box);
    while (box->items == 0)
        CHECK_INT(plait_condition_wait(&box->filled, &box->lock.lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_rlock_depth(&box->lock), 3);
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_rlock_release(&box->lock), 0);
    CHECK_INT(join(task), 0);
}

/* ---- being asked to end ---- */

CLAIM_OF_THREADS(a_cancelled_wait_holds_the_lock)
{
    struct box *box = make(sizeof *box);
    plait_outcome end;
    plait_task *task;

    start_waiters(box, &task, 1);
    acquire(box); /* it has to wait for the lock in spite of the cancel */
    CHECK_INT(plait_task_terminate(task), 0);
    a_moment();
    CHECK_INT(number(0), 0);
    release(box);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.kind, PLAIT_CANCELLED);
    CHECK_INT(number(0), 1);
    plait_task_destroy(task);
    CHECK(!plait_lock_is_held(&box->lock));
}

/* ---- traffic: a notify that is lost stops it ---- */

enum {
    ITEMS = 3000,
    ROOM = 2
};

static int put_items(void *arg)
{
    struct box *box = arg;

    for (int i = 0; i < ITEMS; i++) {
        acquire(box);
        while (box->items == ROOM)
            CHECK_INT(plait_condition_wait(&box->emptied, &box->lock, PLAIT_FOREVER), 0);
        box->items++;
        CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
        release(box);
    }
    return 0;
}

static int get_items(void *arg)
{
    struct box *box = arg;
    unsigned count = 0;

    acquire(box);
    for (;;) {
        while (box->items == 0 && !box->closed) {
            /* every other one is impatient: a time-out that meets a notify must not swallow it */
            plait_deadline until = count++ % 2 ? PLAIT_FOREVER : plait_after_ns(20000);
            int rc = plait_condition_wait(&box->filled, &box->lock, until);
            CHECK(rc == 0 || rc == -ETIMEDOUT);
        }
        if (box->items == 0)
            break;
        box->items--;
        board->sum++;
        CHECK_INT(plait_condition_notify(&box->emptied, 1), 0);
    }
    release(box);
    return 0;
}

CLAIM(no_notify_is_lost)
{
    struct box *box = make(sizeof *box);
    plait_task *putters[2], *getters[3];

    for (int i = 0; i < 2; i++)
        putters[i] = start(put_items, box);
    for (int i = 0; i < 3; i++)
        getters[i] = start(get_items, box);
    for (int i = 0; i < 2; i++)
        CHECK_INT(join(putters[i]), 0);
    acquire(box);
    box->closed = true;
    CHECK_INT(plait_condition_notify_all(&box->filled), 0);
    release(box);
    for (int i = 0; i < 3; i++)
        CHECK_INT(join(getters[i]), 0);
    CHECK_INT(board->sum, 2 * ITEMS);
    CHECK_INT(box->filled.state, 0);
    CHECK_INT(box->emptied.state, 0);
}

/* ---- death ---- */

static int wait_and_die(void *arg)
{
    plait_condition *condition = &((struct box *)arg)->filled;

    __atomic_fetch_add(&condition->state, UINT64_C(1) << 32, __ATOMIC_SEQ_CST);
    die_with_the_wake(&condition->sequence, condition->sequence);
    return 0;
}

CLAIM_OF_PROCESSES(a_killed_waiter_swallows_no_notify)
{
    struct box *box = make(sizeof *box);

    for (uint32_t i = 1; i <= 5; i++) {
        plait_task *first = start(wait_and_die, box), *second;
        see_dying(i);
        box->waiting = 0;
        set_number(0, 0);
        start_waiters(box, &second, 1);
        a_moment();
        CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
        see_killed(first);
        CHECK_INT(join(second), 0);
        CHECK_INT(number(0), 1);
    }
}

CLAIM_OF_PROCESSES(waiters_that_were_killed_before_are_not_notified_instead)
{
    struct box *box = make(sizeof *box);
    plait_task *tasks[4];

    start_waiters(box, tasks, 4);
    for (int i = 0; i < 3; i++)
        kill_it(tasks[i]);
    CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
    CHECK_INT(join(tasks[3]), 0);
    for (int i = 0; i < 5; i++) { /* nor later */
        plait_task *task;
        box->waiting = 0;
        start_waiters(box, &task, 1);
        CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
        CHECK_INT(join(task), 0);
    }
}

static int take_and_die(void *arg)
{
    acquire(arg);
    raise(SIGKILL);
    return 0;
}

CLAIM_OF_PROCESSES(a_wait_tells_that_a_holder_was_killed)
{
    struct box *box = make(sizeof *box);
    plait_task *task;

    start_waiters(box, &task, 1);
    see_killed(start(take_and_die, box));
    CHECK_INT(plait_condition_notify(&box->filled, 1), 0);
    CHECK_INT(join(task), EOWNERDEAD);
    CHECK_INT(plait_lock_recover(&box->lock, PLAIT_NOWAIT), 0); /* the waiter does not hold it */
    CHECK_INT(plait_lock_repaired(&box->lock), 0);
    release(box);
}

static int take_turns_until_killed(void *arg)
{
    struct box *box = arg;

    while (number(7) == 0) {
        int rc = plait_lock_acquire(&box->lock, PLAIT_FOREVER);
        if (rc == 0) {
            plait_condition_notify(&box->filled, 1);
            rc = plait_condition_wait(&box->filled, &box->lock, plait_after_ms(500));
        }
        if (rc == -EOWNERDEAD) {
            rc = plait_lock_recover(&box->lock, PLAIT_FOREVER);
            plait_lock_repaired(&box->lock);
        }
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        add_number(1);
        release(box);
    }
    return 0;
}

CLAIM_OF_PROCESSES(a_condition_lives_through_kills_at_any_time)
{
    struct box *box = make(sizeof *box);
    plait_task *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = start(take_turns_until_killed, box);
    for (int i = 0; i < 40; i++) {
        uint32_t before = number(1);
        plait_sleep(plait_after_ns(700000 + i * 37000));
        kill_it(tasks[i % 3]);
        tasks[i % 3] = start(take_turns_until_killed, box);
        UNTIL(number(1) > before);
    }
    for (int i = 0; i < 3; i++)
        kill_it(tasks[i]);
}
