/* A process is killed at every instruction of what is done to reader-writer locks.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: who wants to read or write can; a writer is told if and only if the victim had
 * it for writing; a reader of the dead keeps nobody out; nothing is left in the lock.
 */
#include "family/member.h"
#include "sync/owned.h"

#include "step.h"
#include "third.h"

#include <plait/rwlock.h>
#include <plait/shared.h>

#include <errno.h>
#include <sched.h>

struct scene {
    plait_rwlock rwlock;
    uint32_t first, second; /* rwlock: the same number, but in the middle of a writing */
    uint32_t is_left;       /* the victim was told that it has released it */
    uint32_t was_told;      /* the third one found it broken */
    uint32_t visits;        /* of the third one */
    uint32_t victim;        /* its member id */
    uint32_t is_reading;    /* atomic: the victim reads */
    pid_t third;
};

static void *free_lock(void)
{
    struct scene *scene = plait_shared_alloc(sizeof *scene);

    CHECK(scene != NULL);
    return scene;
}

/* ---- reading and writing ---- */

/* True, if somebody had died with it. */
static bool begin_to_write(struct scene *scene)
{
    int rc = plait_rwlock_acquire_write(&scene->rwlock, PLAIT_FOREVER);
    bool was_told = rc == -EOWNERDEAD;

    while (rc == -EOWNERDEAD) /* others are told as well, and may be faster now */
        rc = plait_rwlock_recover(&scene->rwlock, PLAIT_FOREVER);
    CHECK_INT(rc, 0);
    if (was_told)
        scene->second = scene->first;
    CHECK_INT(plait_rwlock_repaired(&scene->rwlock), 0);
    CHECK_INT(scene->first, scene->second);
    return was_told;
}

static void end_to_write(struct scene *scene)
{
    scene->first++;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* in this order: a reader could see it */
    scene->second++;
    CHECK_INT(plait_rwlock_release(&scene->rwlock), 0);
}

static bool write_once(struct scene *scene)
{
    bool was_told = begin_to_write(scene);

    end_to_write(scene);
    return was_told;
}

static void read_once(struct scene *scene)
{
    CHECK_INT(plait_rwlock_acquire_read(&scene->rwlock, PLAIT_FOREVER), 0);
    CHECK_INT(scene->first, scene->second);
    CHECK_INT(plait_rwlock_release(&scene->rwlock), 0);
}

static void visit_to_write(void *state)
{
    struct scene *scene = state;

    scene->was_told = write_once(scene);
    scene->visits++;
}

/* ---- what the survivor finds ---- */

/* Is it broken, or with a dead writer? */
static bool is_broken(const struct scene *scene)
{
    uint32_t value = __atomic_load_n(&scene->rwlock.word, __ATOMIC_SEQ_CST);
    uint32_t owner = plait__owned_by(value);

    if (scene->victim != 0 && owner != 0 && !plait__member_is_dead(owner))
        return false;
    return owner != 0 || (value & PLAIT__OWNED_BROKEN);
}

static void check_nothing_is_left(struct scene *scene)
{
    CHECK_INT(plait_rwlock_acquire_write(&scene->rwlock, PLAIT_NOWAIT), 0);
    end_to_write(scene);
    read_once(scene);
    CHECK_INT(scene->rwlock.word, 0);
    CHECK_INT(scene->rwlock.holder, 0);
    for (size_t i = 0; i < sizeof scene->rwlock.readers / sizeof *scene->rwlock.readers; i++)
        CHECK_INT(scene->rwlock.readers[i], 0);
}

static const char *check_lock(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    bool was_ours = plait_rwlock_release(&scene->rwlock) == 0;
    bool was_broken = is_broken(scene), is_told;

    (void)at;
    is_told = write_once(scene);
    if (scene->third != 0) {
        end_third(scene->third);
        CHECK_INT(scene->visits, 1);
        is_told |= scene->was_told;
    }
    CHECK(is_told || !was_broken);
    CHECK(!is_told || was_broken || scene->third != 0);
    CHECK(!(is_told && scene->is_left));
    check_nothing_is_left(scene);
    return is_told ? "broken" : was_ours ? "held by us" : "free";
}

/* The victim never wrote. */
static const char *check_after_reader(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    const char *words = check_lock(state, at);

    CHECK_INT(scene->was_told, 0);
    CHECK(words[0] != 'b');
    return words;
}

/* ---- reading ---- */

static void join(void *state)
{
    struct scene *scene = state;

    CHECK_INT(plait__member_join(), 0);
    scene->victim = plait__member_self();
}

static void acquire_read(void *state)
{
    struct scene *scene = state;

    CHECK_INT(plait_rwlock_acquire_read(&scene->rwlock, PLAIT_FOREVER), 0);
}

static void join_and_read(void *state)
{
    join(state);
    acquire_read(state);
}

static void release(void *state)
{
    struct scene *scene = state;

    scene->is_left = plait_rwlock_release(&scene->rwlock) == 0;
}

static const struct step_call read_free = { .name = "rwlock acquire to read",
                                            .setup = free_lock,
                                            .prepare = join,
                                            .victim = acquire_read,
                                            .check = check_after_reader };

STEP_TEST(a_victim_that_begins_to_read_keeps_no_writer_out, &read_free)

static const struct step_call read_first = { .name = "rwlock acquire to read, the first call",
                                             .setup = free_lock,
                                             .victim = acquire_read,
                                             .check = check_after_reader };

STEP_TEST(a_victim_whose_first_call_is_to_read_keeps_no_writer_out, &read_first)

static void *our_writing(void)
{
    struct scene *scene = free_lock();

    begin_to_write(scene);
    return scene;
}

static void release_ours(void *state)
{
    struct scene *scene = state;

    plait_rwlock_release(&scene->rwlock);
}

static const struct step_call read_held = { .name = "rwlock acquire to read, while we write",
                                            .setup = our_writing,
                                            .prepare = join,
                                            .victim = acquire_read,
                                            .asleep = release_ours,
                                            .check = check_after_reader };

STEP_TEST(a_victim_that_waits_to_read_keeps_no_writer_out, &read_held)

static const struct step_call read_release = { .name = "rwlock release, of a reader",
                                               .setup = free_lock,
                                               .prepare = join_and_read,
                                               .victim = release,
                                               .check = check_after_reader };

STEP_TEST(a_victim_that_ends_to_read_keeps_no_writer_out, &read_release)

/* A child of ours, that comes when the victim reads. */
static void *free_lock_and_a_third(void)
{
    struct scene *scene = free_lock();
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (__atomic_load_n(&scene->is_reading, __ATOMIC_SEQ_CST) == 0)
            sched_yield();
        visit_to_write(scene);
        _exit(0);
    }
    scene->third = pid;
    return scene;
}

static void read_until_the_third_waits(void *state)
{
    struct scene *scene = state;

    join_and_read(scene);
    __atomic_store_n(&scene->is_reading, 1, __ATOMIC_SEQ_CST);
    step_await_sleep(scene->third);
}

static const struct step_call release_to_writer = { .name = "rwlock release, a writer waits",
                                                    .setup = free_lock_and_a_third,
                                                    .prepare = read_until_the_third_waits,
                                                    .victim = release,
                                                    .check = check_after_reader };

STEP_TEST(a_victim_that_ends_to_read_leaves_no_writer_asleep, &release_to_writer)

/* ---- writing ---- */

static void write_victim(void *state)
{
    struct scene *scene = state;

    if (plait_rwlock_acquire_write(&scene->rwlock, PLAIT_FOREVER) == 0) {
        scene->first++;
        scene->second++;
    }
}

static const struct step_call write_free = { .name = "rwlock acquire to write",
                                             .setup = free_lock,
                                             .prepare = join,
                                             .victim = write_victim,
                                             .check = check_lock };

STEP_TEST(a_victim_that_begins_to_write_leaves_it_free_or_broken, &write_free)

static void *our_reading(void)
{
    struct scene *scene = free_lock();

    acquire_read(scene);
    return scene;
}

static const struct step_call write_held = { .name = "rwlock acquire to write, while we read",
                                             .setup = our_reading,
                                             .prepare = join,
                                             .victim = write_victim,
                                             .asleep = release_ours,
                                             .check = check_lock };

STEP_TEST(a_victim_that_waits_to_write_keeps_nobody_out, &write_held)

static void join_and_write(void *state)
{
    join(state);
    write_victim(state);
}

static const struct step_call write_release = { .name = "rwlock release, of a writer",
                                                .setup = free_lock,
                                                .prepare = join_and_write,
                                                .victim = release,
                                                .check = check_lock };

STEP_TEST(a_victim_that_ends_to_write_leaves_it_broken_or_free, &write_release)

static void *dead_writing(void)
{
    struct scene *scene = free_lock();
    pid_t pid = fork();

    if (pid == 0) {
        begin_to_write(scene);
        scene->first++;
        _exit(0);
    }
    end_third(pid);
    return scene;
}

static void recover(void *state)
{
    struct scene *scene = state;

    write_once(scene);
    scene->is_left = 1;
}

static const struct step_call recover_dead = { .name = "rwlock recover and release",
                                               .setup = dead_writing,
                                               .prepare = join,
                                               .victim = recover,
                                               .check = check_lock };

STEP_TEST(a_victim_that_recovers_leaves_it_broken_or_whole, &recover_dead)

/* ---- two at once ---- */

static void visit_with_both(void *state)
{
    struct scene *scene = state;

    write_once(scene);
    read_once(scene);
}

static const struct step_call beside_writer = { .name = "rwlock acquire to write, with another one",
                                                .setup = free_lock,
                                                .prepare = join,
                                                .victim = write_victim,
                                                .partner = visit_to_write,
                                                .check = check_lock };

STEP_TEST(a_victim_beside_another_writer_leaves_it_to_that, &beside_writer)

static const struct step_call beside_reader = { .name = "rwlock acquire to read, with another one",
                                                .setup = free_lock,
                                                .prepare = join,
                                                .victim = acquire_read,
                                                .partner = visit_with_both,
                                                .check = check_after_reader };

STEP_TEST(a_victim_that_reads_beside_a_writer_leaves_it_to_that, &beside_reader)
