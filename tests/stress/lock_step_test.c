/* A process is killed at every instruction of what is done to locks.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: who wants the lock gets it, and is told if and only if the victim had it; who
 * waited behind the victim gets it too; the fencing token has grown.
 */
#include "family/member.h"
#include "sync/owned.h"

#include "step.h"
#include "third.h"

#include <plait/lock.h>
#include <plait/shared.h>

#include <errno.h>

struct scene {
    plait_rlock rlock;
    uint64_t token;    /* the last one that anybody was given */
    uint32_t is_left;  /* the victim was told that it has released it */
    uint32_t was_told; /* the third one found it broken */
    uint32_t visits;   /* of the third one */
    uint32_t victim;   /* its member id; 0: it is not in the family yet */
    pid_t third;
};

static plait_lock *lock_of(struct scene *scene)
{
    return &scene->rlock.lock;
}

static void *free_lock(void)
{
    struct scene *scene = plait_shared_alloc(sizeof *scene);

    CHECK(scene != NULL);
    return scene;
}

/* Takes it whatever happened: true, if somebody had died with it. */
static bool take(struct scene *scene)
{
    int rc = plait_rlock_acquire(&scene->rlock, PLAIT_FOREVER);
    bool was_told = rc == -EOWNERDEAD;

    while (rc == -EOWNERDEAD) /* others are told as well, and may be faster now */
        rc = plait_rlock_recover(&scene->rlock, PLAIT_FOREVER);
    CHECK_INT(rc, 0);
    CHECK_INT(plait_rlock_depth(&scene->rlock), 1);
    CHECK(plait_lock_token(lock_of(scene)) > scene->token);
    scene->token = plait_lock_token(lock_of(scene));
    CHECK_INT(plait_rlock_repaired(&scene->rlock), 0);
    return was_told;
}

static void visit(void *state)
{
    struct scene *scene = state;

    scene->was_told = take(scene);
    scene->visits++;
    CHECK_INT(plait_rlock_release(&scene->rlock), 0);
}

/* ---- what the survivor finds ---- */

/* Is it broken, or held by a dead process? pre: only the third one or the partner are alive. */
static bool is_broken(const struct scene *scene)
{
    uint32_t value = __atomic_load_n(&scene->rlock.lock.word, __ATOMIC_SEQ_CST);
    uint32_t owner = plait__owned_by(value);

    if (scene->victim != 0 && owner != 0 && !plait__member_is_dead(owner))
        return false;
    return owner != 0 || (value & PLAIT__OWNED_BROKEN);
}

static const char *check_lock(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    bool was_ours = plait_rlock_release(&scene->rlock) == 0;
    bool was_broken = !was_ours && is_broken(scene), is_told;

    (void)at;
    is_told = take(scene);
    CHECK_INT(plait_rlock_release(&scene->rlock), 0);
    if (scene->third != 0) {
        end_third(scene->third);
        CHECK_INT(scene->visits, 1);
        is_told |= scene->was_told;
    }
    CHECK(is_told || !was_broken);
    CHECK(!is_told || was_broken || scene->third != 0);
    CHECK(!(is_told && scene->is_left));
    CHECK(!take(scene));
    CHECK_INT(plait_rlock_release(&scene->rlock), 0);
    CHECK(!plait_lock_is_held(lock_of(scene)));
    return was_ours ? "held by us" : is_told ? "broken" : "free";
}

/* ---- acquire ---- */

static void join(void *state)
{
    struct scene *scene = state;

    CHECK_INT(plait__member_join(), 0);
    scene->victim = plait__member_self();
}

static void acquire(void *state)
{
    struct scene *scene = state;

    if (plait_lock_acquire(lock_of(scene), PLAIT_FOREVER) == 0)
        scene->token = plait_lock_token(lock_of(scene));
}

static const struct step_call acquire_free = { .name = "lock acquire, free",
                                               .setup = free_lock,
                                               .prepare = join,
                                               .victim = acquire,
                                               .check = check_lock };

STEP_TEST(a_victim_in_acquire_leaves_the_lock_free_or_broken, &acquire_free)

static const struct step_call acquire_first = { .name = "lock acquire, the first call of a process",
                                                .setup = free_lock,
                                                .victim = acquire,
                                                .check = check_lock };

STEP_TEST(a_victim_whose_first_call_is_acquire_leaves_the_lock_free_or_broken, &acquire_first)

static void *our_lock(void)
{
    struct scene *scene = free_lock();

    take(scene);
    return scene;
}

static void release_ours(void *state)
{
    struct scene *scene = state;

    plait_rlock_release(&scene->rlock);
}

static const struct step_call acquire_held = { .name = "lock acquire, held",
                                               .setup = our_lock,
                                               .prepare = join,
                                               .victim = acquire,
                                               .asleep = release_ours,
                                               .check = check_lock };

STEP_TEST(a_victim_that_waits_for_the_lock_keeps_nobody_from_it, &acquire_held)

static void *our_lock_and_a_third(void)
{
    struct scene *scene = our_lock();

    scene->third = start_third(visit, scene);
    return scene;
}

static const struct step_call acquire_queued = { .name = "lock acquire, held, a third one waits",
                                                 .setup = our_lock_and_a_third,
                                                 .prepare = join,
                                                 .victim = acquire,
                                                 .asleep = release_ours,
                                                 .check = check_lock };

STEP_TEST(a_victim_that_waits_for_the_lock_takes_it_from_nobody_else, &acquire_queued)

/* ---- recover ---- */

static void *dead_lock(void)
{
    struct scene *scene = free_lock();
    pid_t pid = fork();

    if (pid == 0) {
        take(scene);
        _exit(0);
    }
    end_third(pid);
    return scene;
}

static void recover(void *state)
{
    struct scene *scene = state;

    if (plait_lock_acquire(lock_of(scene), PLAIT_FOREVER) == -EOWNERDEAD &&
        plait_lock_recover(lock_of(scene), PLAIT_FOREVER) == 0) {
        plait_lock_repaired(lock_of(scene));
        plait_lock_release(lock_of(scene));
    }
}

static const struct step_call recover_dead = { .name = "lock recover and release",
                                               .setup = dead_lock,
                                               .prepare = join,
                                               .victim = recover,
                                               .check = check_lock };

STEP_TEST(a_victim_in_recover_leaves_the_lock_broken, &recover_dead)

/* ---- release ---- */

static void join_and_acquire(void *state)
{
    join(state);
    acquire(state);
}

static void release(void *state)
{
    struct scene *scene = state;

    if (plait_lock_release(lock_of(scene)) == 0)
        scene->is_left = 1;
}

static const struct step_call release_free = { .name = "lock release",
                                               .setup = free_lock,
                                               .prepare = join_and_acquire,
                                               .victim = release,
                                               .check = check_lock };

STEP_TEST(a_victim_in_release_leaves_the_lock_broken_or_free, &release_free)

static void acquire_again(void *state)
{
    struct scene *scene = state;

    CHECK_INT(plait_rlock_acquire(&scene->rlock, PLAIT_FOREVER), 0);
    scene->token = plait_lock_token(lock_of(scene));
    CHECK_INT(plait_rlock_acquire(&scene->rlock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_rlock_release(&scene->rlock), 0);
    if (plait_rlock_release(&scene->rlock) == 0)
        scene->is_left = 1;
}

static const struct step_call rlock_twice = { .name = "rlock acquire and release, twice",
                                              .setup = free_lock,
                                              .prepare = join,
                                              .victim = acquire_again,
                                              .check = check_lock };

STEP_TEST(a_victim_that_holds_it_twice_leaves_it_broken, &rlock_twice)

/* ---- two at once ---- */

static void acquire_and_release(void *state)
{
    struct scene *scene = state;

    take(scene);
    CHECK_INT(plait_rlock_release(&scene->rlock), 0);
}

static const struct step_call with_another = { .name = "lock acquire, with another one at it",
                                               .setup = free_lock,
                                               .prepare = join,
                                               .victim = acquire,
                                               .partner = acquire_and_release,
                                               .check = check_lock };

STEP_TEST(a_victim_beside_another_one_leaves_the_lock_to_it, &with_another)
