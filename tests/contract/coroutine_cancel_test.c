/* A coroutine is asked to end at each place where it can suspend itself: no lock stays held, nobody
 * hangs, nothing leaks. Locks and their like, time, tasks, groups, generators.
 * SPDX-License-Identifier: MIT
 */
#include "cancel_counter.h"

enum {
    ROUNDS = 3,
    A_LITTLE_NS = 100 * 1000,
};

static unsigned n_inside, n_turns; /* who is in; how often one was */

/* What an actor does while it has what it was after. */
static int linger(void)
{
    int rc;

    n_turns++;
    plait_yield();
    rc = plait_sleep(plait_after_ns(A_LITTLE_NS));
    return rc;
}

/* ---- locks ---- */

static plait_lock lock;
static plait_rlock rlock;
static plait_rwlock rwlock;
static plait_semaphore semaphore;
static plait_held_semaphore held;

static void begin_locks(void)
{
    n_inside = n_turns = 0;
    lock = (plait_lock){ 0 };
    rlock = (plait_rlock){ 0 };
    rwlock = (plait_rwlock){ 0 };
    CHECK_INT(plait_semaphore_init(&semaphore, 2), 0);
    CHECK_INT(plait_held_semaphore_init(&held, 2), 0);
}

static void see_all_free(void)
{
    CHECK_INT(n_inside, 0);
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_lock_release(&lock), 0);
    CHECK_INT(plait_rlock_acquire(&rlock, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_rlock_depth(&rlock), 1);
    CHECK_INT(plait_rlock_release(&rlock), 0);
    CHECK_INT(plait_rwlock_acquire_write(&rwlock, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_rwlock_release(&rwlock), 0);
    CHECK_INT(plait_semaphore_count(&semaphore), 2);
    CHECK_INT(plait_held_semaphore_count(&held), 2);
}

static int take_lock(void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        rc = plait_lock_acquire(&lock, PLAIT_FOREVER);
        if (rc < 0)
            break;
        CHECK_INT(n_inside++, 0);
        rc = linger();
        CHECK_INT(--n_inside, 0);
        CHECK_INT(plait_lock_release(&lock), 0);
    }
    return rc;
}

static int take_rlock(void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        rc = plait_rlock_acquire(&rlock, PLAIT_FOREVER);
        if (rc < 0)
            break;
        CHECK_INT(plait_rlock_acquire(&rlock, PLAIT_FOREVER),
                  0); /* it is ours: asked to end or not */
        CHECK_INT(n_inside++, 0);
        rc = linger();
        CHECK_INT(--n_inside, 0);
        CHECK_INT(plait_rlock_release(&rlock), 0);
        CHECK_INT(plait_rlock_release(&rlock), 0);
    }
    return rc;
}

TEST(nobody_who_is_asked_to_end_keeps_a_lock)
{
    const struct program program = { begin_locks,
                                     { take_lock, take_lock, take_lock },
                                     see_all_free };

    cancel_everywhere(&program);
}

TEST(nor_a_recursive_one)
{
    const struct program program = { begin_locks, { take_rlock, take_rlock }, see_all_free };

    cancel_everywhere(&program);
}

static int read_it(void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        rc = plait_rwlock_acquire_read(&rwlock, PLAIT_FOREVER);
        if (rc < 0)
            break;
        CHECK_INT(n_inside / 100, 0); /* no writer */
        n_inside++;
        rc = linger();
        n_inside--;
        CHECK_INT(plait_rwlock_release(&rwlock), 0);
    }
    return rc;
}

static int write_it(void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        rc = plait_rwlock_acquire_write(&rwlock, PLAIT_FOREVER);
        if (rc < 0)
            break;
        CHECK_INT(n_inside, 0);
        n_inside += 100;
        rc = linger();
        n_inside -= 100;
        CHECK_INT(plait_rwlock_release(&rwlock), 0);
    }
    return rc;
}

TEST(nor_one_for_readers_and_writers)
{
    const struct program program = { begin_locks,
                                     { read_it, write_it, read_it, write_it },
                                     see_all_free };

    cancel_everywhere(&program);
}

static int take_units(void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        rc = plait_semaphore_acquire(&semaphore, PLAIT_FOREVER);
        if (rc < 0)
            break;
        rc = plait_held_semaphore_acquire(&held, PLAIT_FOREVER);
        if (rc == 0) {
            CHECK(n_inside++ < 2);
            rc = linger();
            n_inside--;
            CHECK_INT(plait_held_semaphore_release(&held), 0);
        }
        CHECK_INT(plait_semaphore_release(&semaphore), 0);
    }
    return rc;
}

static int take_held_units(void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        rc = plait_held_semaphore_acquire(&held, PLAIT_FOREVER);
        if (rc < 0)
            break;
        rc = plait_sleep(plait_after_ns(A_LITTLE_NS));
        CHECK_INT(plait_held_semaphore_release(&held), 0);
    }
    return rc;
}

TEST(nor_a_unit_of_a_semaphore)
{
    const struct program program = { begin_locks,
                                     { take_units, take_units, take_units, take_held_units,
                                       take_held_units },
                                     see_all_free };

    cancel_everywhere(&program);
}

/* ---- meeting ---- */

static plait_condition condition;
static plait_event event;
static plait_barrier barrier;
static plait_once once;
static unsigned n_there, n_done;

static void begin_meeting(void)
{
    begin_locks();
    condition = (plait_condition){ 0 };
    event = (plait_event){ 0 };
    once = (plait_once){ 0 };
    CHECK_INT(plait_barrier_init(&barrier, 3), 0);
    n_there = n_done = 0;
}

static void see_met(void)
{
    see_all_free();
    CHECK_INT(plait_barrier_waiting(&barrier), 0);
}

/* Each notify is for one: it must not be lost with one that is asked to end. */
static int wait_for_one(void *arg)
{
    int rc = plait_lock_acquire(&lock, PLAIT_FOREVER);

    (void)arg;
    if (rc < 0)
        return rc;
    while (rc == 0 && n_there == 0)
        rc = plait_condition_wait(&condition, &lock, PLAIT_FOREVER);
    if (rc == 0)
        n_there--;
    CHECK(rc == 0 || rc == -ECANCELED); /* the lock is ours in both cases */
    CHECK_INT(plait_lock_release(&lock), 0);
    n_done++;
    return rc;
}

/* As many as there are left who wait. */
static int bring_some(void *arg)
{
    int told = 0;

    (void)arg;
    while (n_done < 3) {
        plait_cancel_mask();
        CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), 0);
        n_there++;
        CHECK_INT(plait_condition_notify(&condition, 1), 0);
        CHECK_INT(plait_lock_release(&lock), 0);
        plait_cancel_unmask();
        if (plait_sleep(plait_after_ns(A_LITTLE_NS)) == -ECANCELED)
            told = -ECANCELED;
        plait_yield();
    }
    return told;
}

TEST(who_waits_for_a_condition_has_the_lock_again_when_it_is_asked_to_end)
{
    const struct program program = { begin_meeting,
                                     { wait_for_one, wait_for_one, wait_for_one, bring_some },
                                     see_met };

    cancel_everywhere(&program);
}

static int wait_for_event(void *arg)
{
    (void)arg;
    return plait_event_wait(&event, PLAIT_FOREVER);
}

static int set_event(void *arg)
{
    int rc = plait_sleep(plait_after_ns(A_LITTLE_NS));

    (void)arg;
    CHECK_INT(plait_event_set(&event), 0);
    return rc;
}

TEST(an_event_tells_all_the_others)
{
    const struct program program = { begin_meeting,
                                     { wait_for_event, wait_for_event, set_event, wait_for_event },
                                     see_met };

    cancel_everywhere(&program);
}

static int meet(void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS && rc >= 0; i++)
        rc = plait_barrier_wait(&barrier, PLAIT_FOREVER);
    return rc == PLAIT_EBROKEN || rc > 0 ? 0 : rc;
}

TEST(a_barrier_breaks_and_holds_nobody)
{
    const struct program program = { begin_meeting, { meet, meet, meet }, see_met };

    cancel_everywhere(&program);
}

static int do_it(void *arg)
{
    int rc = linger();

    (void)arg;
    n_done += rc == 0;
    return rc;
}

static int have_it_done(void *arg)
{
    int rc = plait_once_run(&once, do_it, arg, PLAIT_FOREVER);

    CHECK(rc < 0 || n_done == 1);
    return rc;
}

static void see_done(void)
{
    see_met();
    CHECK_INT(n_done, 1); /* at most one was asked to end, and two others were there */
    CHECK(plait_once_is_done(&once));
}

TEST(what_is_to_be_done_once_is_done_by_another_one)
{
    const struct program program = { begin_meeting,
                                     { have_it_done, have_it_done, have_it_done },
                                     see_done };

    cancel_everywhere(&program);
}

/* ---- time, tasks, groups, generators ---- */

static int sleep_a_little(void *arg)
{
    (void)arg;
    return plait_sleep(plait_after_ns(A_LITTLE_NS));
}

static int count_and_sleep(void *arg)
{
    count_here();
    return sleep_a_little(arg);
}

static int have_deadlines(void *arg)
{
    plait_scope outer, inner;
    int rc;

    (void)arg;
    CHECK_INT(plait_scope_enter(&outer, plait_after_ms(10000)), 0);
    rc = sleep_a_little(NULL);
    CHECK_INT(plait_scope_enter(&inner, plait_after_ns(A_LITTLE_NS)), 0);
    if (rc == 0)
        rc = plait_sleep(PLAIT_FOREVER);
    plait_scope_leave(&inner);
    if (rc == -ETIMEDOUT)
        rc = sleep_a_little(NULL);
    CHECK(!plait_scope_leave(&outer));
    return rc;
}

static int join_others(void *arg)
{
    plait_task *one = NULL, *later = NULL;
    int rc;

    (void)arg;
    CHECK_INT(plait_task_start(&one, PLAIT_COROUTINE, count_and_sleep, NULL, NULL), 0);
    CHECK_INT(plait_go_after(&later, 0, count_and_sleep, NULL), 0);
    CHECK_INT(plait_go(count_and_sleep, NULL), 0); /* waited for in any case */
    rc = plait_task_join(one, PLAIT_FOREVER);
    if (rc == 0)
        rc = plait_task_join(later, PLAIT_FOREVER);
    plait_task_destroy(one);
    plait_task_destroy(later);
    return rc;
}

static int have_a_group(void *arg)
{
    plait_group *group = NULL;
    int rc;

    (void)arg;
    CHECK_INT(plait_group_create(&group, &(plait_group_opts){ .max_running = 2 }), 0);
    rc = 0;
    for (int i = 0; i < 5 && rc == 0; i++)
        rc = plait_group_go(group, count_and_sleep, NULL, PLAIT_FOREVER);
    if (rc == 0)
        rc = plait_group_join(group, PLAIT_FOREVER);
    plait_group_destroy(group);
    return rc < 0 ? rc : 0;
}

static int yield_some(plait_gen *gen, void *arg)
{
    int rc = plait_lock_acquire(&lock, PLAIT_FOREVER);

    if (rc < 0)
        return rc;
    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        rc = sleep_a_little(arg);
        if (rc == 0)
            rc = plait_gen_yield(gen, NULL);
    }
    CHECK_INT(plait_lock_release(&lock), 0);
    return rc;
}

static int use_generators(void *arg)
{
    plait_gen *gen = NULL;
    int rc = 1;

    CHECK_INT(plait_gen_create(&gen, yield_some, arg, NULL), 0);
    while (rc == 1)
        rc = plait_gen_next(gen, NULL);
    plait_gen_destroy(gen);
    return rc;
}

static void begin_tasks(void)
{
    begin_meeting();
    plait_yield();
}

TEST(timers_and_scopes_end)
{
    const struct program program = { begin_tasks, { have_deadlines, sleep_a_little }, see_met };

    cancel_everywhere(&program);
}

TEST(tasks_and_groups_end_with_who_waits_for_them)
{
    const struct program program = { begin_tasks, { join_others, have_a_group }, see_met };

    cancel_everywhere(&program);
}

TEST(a_generator_lets_go_of_what_it_holds)
{
    const struct program program = { begin_tasks, { use_generators, use_generators }, see_met };

    cancel_everywhere(&program);
}
