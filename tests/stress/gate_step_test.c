/* A process is killed at every instruction of what is done to barriers and once-objects.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: who waits at the barrier is told that the round went well, which it did if the
 * victim's call had returned, or that it is broken; after a reset it is as new. What is to be done
 * once is done, and not again when the victim had returned from it.
 */
#include "family/member.h"

#include "step.h"
#include "third.h"

#include <plait/barrier.h>
#include <plait/error.h>
#include <plait/once.h>
#include <plait/shared.h>

#include <errno.h>

enum {
    LONG_MS = 30 * 1000, /* only a guard: what is waited for must come */
};

struct scene {
    plait_barrier barrier;
    plait_once once;
    uint32_t is_done; /* the victim's call has returned, and said 0 or more */
    uint32_t is_here; /* we have come to the barrier */
    int32_t third_rc; /* what the third one was told */
    int32_t our_rc;
    uint32_t runs; /* of what is done once */
    uint32_t value;
    pid_t third;
};

static void join(void *state)
{
    (void)state;
    CHECK_INT(plait__member_join(), 0);
}

/* ---- barriers ---- */

static void *barrier_of_two(void)
{
    struct scene *scene = plait_shared_alloc(sizeof *scene);

    CHECK(scene != NULL);
    CHECK_INT(plait_barrier_init(&scene->barrier, 2), 0);
    return scene;
}

static void wait_as_third(void *state)
{
    struct scene *scene = state;

    scene->third_rc = plait_barrier_wait(&scene->barrier, PLAIT_FOREVER);
}

static void *barrier_and_a_third(void)
{
    struct scene *scene = barrier_of_two();

    scene->third = start_third(wait_as_third, scene);
    return scene;
}

static void wait_as_victim(void *state)
{
    struct scene *scene = state;

    scene->is_done = plait_barrier_wait(&scene->barrier, PLAIT_FOREVER) >= 0;
}

/* As new: two that come both go on, each with a number of its own. */
static void check_round(struct scene *scene)
{
    int rc;

    CHECK_INT(plait_barrier_reset(&scene->barrier), 0);
    CHECK(!plait_barrier_is_broken(&scene->barrier));
    CHECK_INT(plait_barrier_waiting(&scene->barrier), 0);
    scene->third = start_third(wait_as_third, scene);
    rc = plait_barrier_wait(&scene->barrier, plait_after_ms(LONG_MS));
    end_third(scene->third);
    CHECK_INT(rc, 1);
    CHECK_INT(scene->third_rc, 0);
}

/* The third one waits for one that comes: the victim, or one that does not come any more. */
static const char *check_third(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    bool is_alone = plait_barrier_waiting(&scene->barrier) == 1 && at->place != STEP_RETURNED;

    if (is_alone) /* or just broken, or with a victim that is found dead */
        CHECK_INT(plait_barrier_abort(&scene->barrier), 0);
    end_third(scene->third);
    CHECK(scene->third_rc == 0 || scene->third_rc == PLAIT_EBROKEN);
    CHECK(scene->third_rc == 0 || !scene->is_done);
    CHECK(scene->third_rc != 0 || !is_alone);
    CHECK(plait_barrier_is_broken(&scene->barrier) || scene->third_rc == 0);
    check_round(scene);
    return scene->third_rc == 0 ? "went well" : is_alone ? "alone" : "broken";
}

static const struct step_call barrier_last = { .name = "barrier wait, a third one waits",
                                               .setup = barrier_and_a_third,
                                               .prepare = join,
                                               .victim = wait_as_victim,
                                               .check = check_third };

STEP_TEST(a_victim_that_comes_last_leaves_nobody_at_the_barrier, &barrier_last)

/* The victim waits: for us. */
static void come(void *state)
{
    struct scene *scene = state;

    if (scene->is_here)
        return;
    scene->is_here = 1;
    scene->our_rc = plait_barrier_wait(&scene->barrier, plait_after_ms(LONG_MS));
}

static const char *check_first(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    bool was_here = scene->is_here != 0;
    bool has_come = plait_barrier_waiting(&scene->barrier) == 1;

    (void)at;
    if (!was_here) {
        plait_deadline until = has_come ? plait_after_ms(LONG_MS) : PLAIT_NOWAIT;
        scene->our_rc = plait_barrier_wait(&scene->barrier, until);
    }
    if (scene->our_rc == -ETIMEDOUT)
        CHECK(!has_come && !was_here);
    else
        CHECK(scene->our_rc == 1 || scene->our_rc == PLAIT_EBROKEN);
    CHECK(scene->our_rc >= 0 || !scene->is_done);
    check_round(scene);
    return scene->our_rc >= 0               ? "went well"
           : scene->our_rc == PLAIT_EBROKEN ? "broken"
                                            : "not there";
}

static const struct step_call barrier_first = { .name = "barrier wait, nobody there yet",
                                                .setup = barrier_of_two,
                                                .prepare = join,
                                                .victim = wait_as_victim,
                                                .asleep = come,
                                                .check = check_first };

STEP_TEST(a_victim_that_comes_first_keeps_nobody_at_the_barrier, &barrier_first)

/* ---- once ---- */

static void *nothing_done(void)
{
    struct scene *scene = plait_shared_alloc(sizeof *scene);

    CHECK(scene != NULL);
    return scene;
}

static int do_it(void *arg)
{
    struct scene *scene = arg;

    scene->runs++;
    scene->value = 42;
    return 0;
}

static void run_as_victim(void *state)
{
    struct scene *scene = state;

    scene->is_done = plait_once_run(&scene->once, do_it, scene, PLAIT_FOREVER) == 0;
}

static void run_as_partner(void *state)
{
    struct scene *scene = state;

    CHECK_INT(plait_once_run(&scene->once, do_it, scene, PLAIT_FOREVER), 0);
    CHECK_INT(scene->value, 42);
}

static const char *check_once(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    bool was_done = plait_once_is_done(&scene->once);
    uint32_t runs = scene->runs;

    (void)at;
    CHECK(was_done || !scene->is_done);
    CHECK(!was_done || scene->value == 42);
    run_as_partner(scene);
    CHECK_INT(scene->runs, was_done ? runs : runs + 1);
    CHECK(scene->runs <= 2);
    run_as_partner(scene);
    CHECK_INT(scene->runs, was_done ? runs : runs + 1);
    CHECK(!plait_lock_is_held(&scene->once.lock));
    return was_done ? "done" : runs > 0 ? "again" : "not done";
}

static const struct step_call once_run = { .name = "once",
                                           .setup = nothing_done,
                                           .prepare = join,
                                           .victim = run_as_victim,
                                           .check = check_once };

STEP_TEST(what_a_victim_had_not_done_is_done_again, &once_run)

static const struct step_call once_beside = { .name = "once, with another one at it",
                                              .setup = nothing_done,
                                              .prepare = join,
                                              .victim = run_as_victim,
                                              .partner = run_as_partner,
                                              .check = check_once };

STEP_TEST(what_a_victim_had_not_done_is_done_by_who_waits, &once_beside)
