/* A process is killed at every instruction of what is done to semaphores, events and conditions.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: a third process that waits is not forgotten, what the victim had said was done is
 * done, and the units of a held semaphore are back.
 */
#include "step.h"
#include "third.h"

#include <plait/condition.h>
#include <plait/event.h>
#include <plait/semaphore.h>
#include <plait/shared.h>

#include <errno.h>

struct scene {
    plait_semaphore semaphore;
    plait_held_semaphore held;
    plait_event event;
    plait_lock lock;
    plait_condition condition;
    uint32_t is_ready; /* lock: what the condition is about */
    uint32_t is_done;  /* the victim's call has returned */
    uint32_t visits;   /* of the third one */
    pid_t third;
};

static void *new_scene(void)
{
    struct scene *scene = plait_shared_alloc(sizeof *scene);

    CHECK(scene != NULL);
    CHECK_INT(plait_held_semaphore_init(&scene->held, 2), 0);
    return scene;
}

static void join(void *state)
{
    (void)state;
    CHECK_INT(plait_shared_free(plait_shared_alloc(1)), 0);
}

/* ---- semaphores ---- */

static void take_unit(void *state)
{
    struct scene *scene = state;

    CHECK_INT(plait_semaphore_acquire(&scene->semaphore, PLAIT_FOREVER), 0);
    scene->visits++;
}

static void *one_unit(void)
{
    struct scene *scene = new_scene();

    CHECK_INT(plait_semaphore_init(&scene->semaphore, 1), 0);
    return scene;
}

static void *no_unit_and_a_third(void)
{
    struct scene *scene = new_scene();

    scene->third = start_third(take_unit, scene);
    return scene;
}

static void acquire(void *state)
{
    struct scene *scene = state;

    scene->is_done = plait_semaphore_acquire(&scene->semaphore, PLAIT_FOREVER) == 0;
}

static void release(void *state)
{
    struct scene *scene = state;

    scene->is_done = plait_semaphore_release(&scene->semaphore) == 0;
}

static const char *check_unit(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    uint32_t count = plait_semaphore_count(&scene->semaphore);

    (void)at;
    CHECK_INT(count, count == 1 && !scene->is_done);
    if (count == 0)
        CHECK_INT(plait_semaphore_release(&scene->semaphore), 0);
    take_unit(scene);
    CHECK_INT(plait_semaphore_acquire(&scene->semaphore, PLAIT_NOWAIT), -ETIMEDOUT);
    return count ? "not taken" : "taken";
}

static const struct step_call semaphore_acquire = { .name = "semaphore acquire",
                                                    .setup = one_unit,
                                                    .prepare = join,
                                                    .victim = acquire,
                                                    .check = check_unit };

STEP_TEST(a_victim_in_acquire_takes_a_unit_or_not, &semaphore_acquire)

/* The victim's unit goes to the third one; if it had not come so far, ours does. */
static const char *check_released(void *state, const struct step_result *at)
{
    struct scene *scene = state;

    if (!scene->is_done && plait_semaphore_count(&scene->semaphore) == 0 && scene->visits == 0 &&
        at->place != STEP_RETURNED) {
        CHECK_INT(plait_semaphore_release(&scene->semaphore), 0);
        end_third(scene->third);
        return "not released, or just taken";
    }
    end_third(scene->third);
    CHECK_INT(plait_semaphore_count(&scene->semaphore), 0);
    return "released";
}

static const struct step_call semaphore_release = { .name = "semaphore release, a third one waits",
                                                    .setup = no_unit_and_a_third,
                                                    .prepare = join,
                                                    .victim = release,
                                                    .check = check_released };

STEP_TEST(a_victim_in_release_leaves_no_unit_that_nobody_takes, &semaphore_release)

static void release_one(void *state)
{
    struct scene *scene = state;

    if (plait_semaphore_count(&scene->semaphore) == 0 && scene->visits == 0)
        plait_semaphore_release(&scene->semaphore);
}

/* With two units for the two that waited, the third one has one. */
static const char *check_waited(void *state, const struct step_result *at)
{
    struct scene *scene = state;

    (void)at;
    CHECK_INT(plait_semaphore_release_n(&scene->semaphore, 2), 0);
    end_third(scene->third);
    CHECK_INT(plait_semaphore_acquire(&scene->semaphore, PLAIT_FOREVER), 0);
    return scene->is_done ? "taken" : "not taken";
}

static void release_two(void *state)
{
    struct scene *scene = state;

    release_one(scene);
    if (scene->visits == 1 && !scene->is_done)
        plait_semaphore_release(&scene->semaphore);
}

static const struct step_call semaphore_wait = { .name =
                                                     "semaphore acquire, none, a third one waits",
                                                 .setup = no_unit_and_a_third,
                                                 .prepare = join,
                                                 .victim = acquire,
                                                 .asleep = release_two,
                                                 .check = check_waited };

STEP_TEST(a_victim_that_waits_for_a_unit_keeps_it_from_nobody, &semaphore_wait)

/* ---- held semaphores ---- */

static void take_held(void *state)
{
    struct scene *scene = state;

    CHECK_INT(plait_held_semaphore_acquire(&scene->held, PLAIT_FOREVER), 0);
    scene->visits++;
    CHECK_INT(plait_held_semaphore_release(&scene->held), 0);
}

static void acquire_and_release_held(void *state)
{
    struct scene *scene = state;

    plait_held_semaphore_acquire(&scene->held, PLAIT_FOREVER);
    plait_held_semaphore_acquire(&scene->held, PLAIT_FOREVER);
    plait_held_semaphore_release(&scene->held);
    plait_held_semaphore_release(&scene->held);
}

static void *held_and_a_third(void)
{
    struct scene *scene = new_scene();

    for (int i = 0; i < 2; i++)
        CHECK_INT(plait_held_semaphore_acquire(&scene->held, PLAIT_NOWAIT), 0);
    scene->third = start_third(take_held, scene);
    return scene;
}

static void release_held(void *state)
{
    struct scene *scene = state;

    plait_held_semaphore_release(&scene->held);
}

/* All units come back. */
static const char *check_held(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    bool were_ours = false;

    (void)at;
    while (plait_held_semaphore_release(&scene->held) == 0)
        were_ours = true;
    for (int i = 0; i < 2; i++)
        CHECK_INT(plait_held_semaphore_acquire(&scene->held, PLAIT_FOREVER), 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(plait_held_semaphore_release(&scene->held), 0);
    if (scene->third != 0) {
        end_third(scene->third);
        CHECK_INT(scene->visits, 1);
    }
    CHECK_INT(plait_held_semaphore_count(&scene->held), 2);
    return were_ours ? "held by us" : "free";
}

static const struct step_call held_free = { .name = "held semaphore",
                                            .setup = new_scene,
                                            .prepare = join,
                                            .victim = acquire_and_release_held,
                                            .check = check_held };

STEP_TEST(the_units_of_a_victim_come_back, &held_free)

static const struct step_call held_taken = { .name = "held semaphore, none free, a third one waits",
                                             .setup = held_and_a_third,
                                             .prepare = join,
                                             .victim = acquire_and_release_held,
                                             .asleep = release_held,
                                             .check = check_held };

STEP_TEST(the_units_of_a_victim_that_had_waited_come_back, &held_taken)

/* ---- events ---- */

static void wait_for_event(void *state)
{
    struct scene *scene = state;

    CHECK_INT(plait_event_wait(&scene->event, PLAIT_FOREVER), 0);
    scene->visits++;
}

static void *event_and_a_third(void)
{
    struct scene *scene = new_scene();

    scene->third = start_third(wait_for_event, scene);
    return scene;
}

static void set(void *state)
{
    struct scene *scene = state;

    scene->is_done = plait_event_set(&scene->event) == 0;
}

static void wait_only(void *state)
{
    struct scene *scene = state;

    scene->is_done = plait_event_wait(&scene->event, PLAIT_FOREVER) == 0;
}

static const char *check_event(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    bool was_set = plait_event_is_set(&scene->event);

    (void)at;
    CHECK(was_set || !scene->is_done);
    if (!was_set)
        CHECK_INT(plait_event_set(&scene->event), 0);
    end_third(scene->third);
    CHECK_INT(plait_event_clear(&scene->event), 0);
    CHECK_INT(plait_event_wait(&scene->event, PLAIT_NOWAIT), -ETIMEDOUT);
    return was_set ? "set" : "not set";
}

static const struct step_call event_set = { .name = "event set, a third one waits",
                                            .setup = event_and_a_third,
                                            .prepare = join,
                                            .victim = set,
                                            .check = check_event };

STEP_TEST(a_victim_in_set_leaves_nobody_asleep_at_a_set_event, &event_set)

static const struct step_call event_wait = { .name = "event wait, a third one waits",
                                             .setup = event_and_a_third,
                                             .prepare = join,
                                             .victim = wait_only,
                                             .asleep = set,
                                             .check = check_event };

STEP_TEST(a_victim_that_waits_for_an_event_keeps_it_from_nobody, &event_wait)

/* ---- conditions ---- */

/* The lock, also from the dead: true, if it was broken. */
static bool lock(struct scene *scene)
{
    int rc = plait_lock_acquire(&scene->lock, PLAIT_FOREVER);
    bool was_broken = rc == -EOWNERDEAD;

    while (rc == -EOWNERDEAD)
        rc = plait_lock_recover(&scene->lock, PLAIT_FOREVER);
    CHECK_INT(rc, 0);
    return was_broken;
}

/* Whoever finds the lock broken does what the dead one may have left undone. */
static void repair(struct scene *scene)
{
    CHECK_INT(plait_condition_notify_all(&scene->condition), 0);
    CHECK_INT(plait_lock_repaired(&scene->lock), 0);
}

static void wait_until_ready(void *state)
{
    struct scene *scene = state;

    if (lock(scene))
        repair(scene);
    while (!scene->is_ready) {
        int rc = plait_condition_wait(&scene->condition, &scene->lock, PLAIT_FOREVER);
        if (rc == -EOWNERDEAD && lock(scene))
            repair(scene);
        CHECK(rc == 0 || rc == -EOWNERDEAD);
    }
    scene->visits++;
    CHECK_INT(plait_lock_release(&scene->lock), 0);
}

static void *condition_and_a_third(void)
{
    struct scene *scene = new_scene();

    scene->third = start_third(wait_until_ready, scene);
    return scene;
}

static void wait_as_victim(void *state)
{
    struct scene *scene = state;

    if (plait_lock_acquire(&scene->lock, PLAIT_FOREVER) == 0 &&
        plait_condition_wait(&scene->condition, &scene->lock, PLAIT_FOREVER) == 0)
        plait_lock_release(&scene->lock);
}

static void notify(void *state)
{
    struct scene *scene = state;

    if (plait_lock_acquire(&scene->lock, PLAIT_FOREVER) < 0)
        return;
    scene->is_ready = 1;
    plait_condition_notify(&scene->condition, 1);
    scene->is_done = plait_lock_release(&scene->lock) == 0;
}

static void notify_victim(void *state)
{
    struct scene *scene = state;

    plait_condition_notify_all(&scene->condition);
}

/* One notify, for the only one that waits and lives. */
static const char *check_waiter(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    bool was_broken = lock(scene);

    (void)at;
    if (was_broken)
        repair(scene);
    scene->is_ready = 1;
    CHECK_INT(plait_condition_notify(&scene->condition, 1), 0);
    CHECK_INT(plait_lock_release(&scene->lock), 0);
    end_third(scene->third);
    CHECK_INT(scene->visits, 1);
    return was_broken ? "broken" : "whole";
}

static const struct step_call condition_wait = { .name = "condition wait, a third one waits",
                                                 .setup = condition_and_a_third,
                                                 .prepare = join,
                                                 .victim = wait_as_victim,
                                                 .asleep = notify_victim,
                                                 .check = check_waiter };

STEP_TEST(a_victim_that_waits_for_a_notify_keeps_it_from_nobody, &condition_wait)

static const char *check_notified(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    bool was_broken = lock(scene), was_ready = scene->is_ready;

    (void)at;
    CHECK(was_ready || !scene->is_done);
    scene->is_ready = 1;
    if (was_broken)
        repair(scene);
    else if (!was_ready)
        CHECK_INT(plait_condition_notify(&scene->condition, 1), 0);
    CHECK_INT(plait_lock_release(&scene->lock), 0);
    end_third(scene->third);
    CHECK_INT(scene->visits, 1);
    return was_broken ? "broken" : was_ready ? "notified" : "not notified";
}

static const struct step_call condition_notify = { .name = "condition notify, a third one waits",
                                                   .setup = condition_and_a_third,
                                                   .prepare = join,
                                                   .victim = notify,
                                                   .check = check_notified };

STEP_TEST(a_victim_in_notify_leaves_the_lock_broken_or_the_waiter_told, &condition_notify)
