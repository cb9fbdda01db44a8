/* A process is killed at every instruction of what is done to a word that names its owner.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: the word is nobody's or the victim's; who wants it gets it, broken if and only
 * if the victim had it; nobody who waits for it is forgotten; and the table of members is sound.
 */
#include "family/member.h"
#include "sync/owned.h"

#include "step.h"

#include <plait/shared.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    uint32_t word;
    uint32_t victim; /* the victim's member id, once it has one */
    uint32_t visits; /* atomic: how often the third process has had the word */
    pid_t third;     /* 0: there is none */
    bool was_told;   /* it found the word broken */
    bool was_dead;   /* so was the owner before the victim came */
};

static struct scene *new_scene(void)
{
    static struct scene *scene;

    if (scene == NULL)
        scene = plait_shared_alloc(sizeof *scene);
    CHECK(scene != NULL);
    *scene = (struct scene){ 0 };
    return scene;
}

static void join(void *state)
{
    struct scene *scene = state;

    CHECK_INT(plait__member_join(), 0);
    scene->victim = plait__member_self();
}

/* Waits for the word, and gives it back whole. */
static void visit(struct scene *scene)
{
    int rc = plait__owned_acquire(&scene->word, true, PLAIT_FOREVER);

    CHECK(rc >= 0);
    scene->was_told = rc == 1;
    scene->visits++;
    plait__owned_mend(&scene->word);
    plait__owned_release(&scene->word);
}

static pid_t start_third(struct scene *scene)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (plait__owned_by(__atomic_load_n(&scene->word, __ATOMIC_RELAXED)) == 0)
            sched_yield(); /* somebody will have it before we come */
        visit(scene);
        _exit(0);
    }
    return pid;
}

/* ---- what the survivor finds ---- */

/* Whoever waits behind the victim comes to the word, and only once. True: it found it broken. */
static bool end_third(struct scene *scene)
{
    int status;

    if (scene->third == 0)
        return false;
    CHECK_INT(waitpid(scene->third, &status, 0), scene->third);
    CHECK_INT(status, 0);
    CHECK_INT(scene->visits, 1);
    return scene->was_told;
}

/* True: we were told that it is broken. */
static bool take_and_mend(struct scene *scene)
{
    int rc = plait__owned_acquire(&scene->word, false, PLAIT_FOREVER);
    bool was_told = rc == -EOWNERDEAD;

    while (rc == -EOWNERDEAD) { /* the third one may be faster than our second call */
        rc = plait__owned_acquire(&scene->word, true, PLAIT_FOREVER);
    }
    CHECK(rc >= 0);
    plait__owned_mend(&scene->word);
    plait__owned_release(&scene->word);
    return was_told;
}

static const char *check_word(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    uint32_t value = __atomic_load_n(&scene->word, __ATOMIC_SEQ_CST);
    bool had_it = scene->victim != 0 && plait__owned_by(value) == scene->victim;
    bool was_ours = plait__owned_is_ours(&scene->word), we_are_told, third_is_told;

    (void)at;
    if (was_ours)
        plait__owned_release(&scene->word);
    else if (scene->third == 0 && !scene->was_dead)
        CHECK(plait__owned_by(value) == 0 || had_it);
    we_are_told = take_and_mend(scene);
    third_is_told = end_third(scene);
    CHECK(we_are_told || third_is_told || !(had_it || scene->was_dead));
    if (we_are_told || third_is_told)
        CHECK(had_it || scene->was_dead || scene->third != 0);
    CHECK_INT(plait__owned_acquire(&scene->word, false, PLAIT_NOWAIT), 0);
    plait__owned_release(&scene->word);
    CHECK_INT(scene->word, 0);
    return was_ours        ? "held by us"
           : we_are_told   ? "broken"
           : third_is_told ? "broken for the third"
                           : "free";
}

/* ---- acquire ---- */

/* ---- acquire ---- */

static void acquire(void *state)
{
    struct scene *scene = state;

    plait__owned_acquire(&scene->word, false, PLAIT_FOREVER);
}

static void acquire_broken(void *state)
{
    struct scene *scene = state;

    plait__owned_acquire(&scene->word, true, PLAIT_FOREVER);
}

static void *free_word(void)
{
    return new_scene();
}

static const struct step_call acquire_free = { .name = "acquire, free",
                                               .setup = free_word,
                                               .prepare = join,
                                               .victim = acquire,
                                               .check = check_word };

STEP_TEST(a_victim_in_acquire_leaves_a_free_word_free_or_broken, &acquire_free)

static void *our_word(void)
{
    struct scene *scene = new_scene();

    CHECK_INT(plait__owned_acquire(&scene->word, false, PLAIT_NOWAIT), 0);
    return scene;
}

static void release_ours(void *state)
{
    struct scene *scene = state;

    if (plait__owned_is_ours(&scene->word))
        plait__owned_release(&scene->word);
}

static const struct step_call acquire_held = { .name = "acquire, held",
                                               .setup = our_word,
                                               .prepare = join,
                                               .victim = acquire,
                                               .asleep = release_ours,
                                               .check = check_word };

STEP_TEST(a_victim_that_waits_for_the_word_keeps_nobody_from_it, &acquire_held)

static void *our_word_and_a_third(void)
{
    struct scene *scene = our_word();

    scene->third = start_third(scene);
    step_await_sleep(scene->third);
    return scene;
}

static const struct step_call acquire_queued = { .name = "acquire, held, with a third one asleep",
                                                 .setup = our_word_and_a_third,
                                                 .prepare = join,
                                                 .victim = acquire,
                                                 .asleep = release_ours,
                                                 .check = check_word };

STEP_TEST(a_victim_that_waits_swallows_no_wake_for_ever, &acquire_queued)

/* ---- acquire from the dead ---- */

static void *dead_word(void)
{
    struct scene *scene = new_scene();
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        CHECK_INT(plait__owned_acquire(&scene->word, false, PLAIT_NOWAIT), 0);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    scene->was_dead = true;
    return scene;
}

static const struct step_call acquire_dead = { .name = "acquire, owner dead",
                                               .setup = dead_word,
                                               .prepare = join,
                                               .victim = acquire,
                                               .check = check_word };

STEP_TEST(a_victim_that_finds_the_owner_dead_hides_it_from_nobody, &acquire_dead)

static const struct step_call acquire_over = { .name = "acquire with recovery, owner dead",
                                               .setup = dead_word,
                                               .prepare = join,
                                               .victim = acquire_broken,
                                               .check = check_word };

STEP_TEST(a_victim_that_takes_over_from_the_dead_can_be_taken_over_from, &acquire_over)

/* ---- release and mend ---- */

static void join_and_acquire(void *state)
{
    struct scene *scene = state;

    join(scene);
    CHECK(plait__owned_acquire(&scene->word, true, PLAIT_FOREVER) >= 0);
    if (scene->third != 0)
        step_await_sleep(scene->third);
}

static void release(void *state)
{
    struct scene *scene = state;

    plait__owned_release(&scene->word);
}

static const struct step_call release_alone = { .name = "release",
                                                .setup = free_word,
                                                .prepare = join_and_acquire,
                                                .victim = release,
                                                .check = check_word };

STEP_TEST(a_victim_in_release_leaves_the_word_broken_or_free, &release_alone)

static void *free_word_and_a_third(void)
{
    struct scene *scene = new_scene();

    scene->third = start_third(scene);
    return scene;
}

static const struct step_call release_to_a_third = { .name = "release, with a third one asleep",
                                                     .setup = free_word_and_a_third,
                                                     .prepare = join_and_acquire,
                                                     .victim = release,
                                                     .check = check_word };

STEP_TEST(a_victim_in_release_leaves_nobody_asleep_for_ever, &release_to_a_third)

static const struct step_call release_broken = { .name = "release, broken",
                                                 .setup = dead_word,
                                                 .prepare = join_and_acquire,
                                                 .victim = release,
                                                 .check = check_word };

STEP_TEST(a_victim_in_release_of_a_broken_word_leaves_it_broken, &release_broken)

static void mend(void *state)
{
    struct scene *scene = state;

    plait__owned_mend(&scene->word);
}

static const struct step_call mend_taken = { .name = "mend",
                                             .setup = dead_word,
                                             .prepare = join_and_acquire,
                                             .victim = mend,
                                             .check = check_word };

STEP_TEST(a_victim_in_mend_leaves_the_word_broken, &mend_taken)

/* ---- two at once ---- */

static void only_join(void *state)
{
    (void)state;
    CHECK_INT(plait__member_join(), 0);
}

static void visit_as_victim(void *state)
{
    struct scene *scene = state;

    scene->victim = plait__member_self();
    visit(scene);
}

static void visit_as_partner(void *state)
{
    visit(state);
}

static const struct step_call visit_twice = { .name = "acquire and release, with another one at it",
                                              .setup = free_word,
                                              .prepare = only_join,
                                              .victim = visit_as_victim,
                                              .partner = visit_as_partner,
                                              .check = check_word };

STEP_TEST(a_victim_beside_another_one_leaves_the_word_to_it, &visit_twice)

/* ---- joining ---- */

/* The entry that the victim had claimed; 0: it had not come so far. The upper half of a claim is
 * the pid. */
static uint32_t entry_of(pid_t victim)
{
    struct plait__family *family = plait__family();

    for (uint32_t slot = 1; slot < PLAIT__MEMBERS; slot++)
        if (family->members[slot].claim >> 32 == (uint64_t)victim)
            return slot;
    return 0;
}

/* A process that is new in the family joins it, and gets the very entry of the victim. */
static const char *check_entry(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    uint32_t slot = entry_of(at->victim);
    int status;
    pid_t pid;

    if (slot != 0)
        plait__family()->next_entry = slot;
    pid = fork();
    if (pid == 0) {
        CHECK_INT(plait__member_join(), 0);
        CHECK(plait__member_self() != scene->victim);
        CHECK(slot == 0 || plait__member_self() % PLAIT__MEMBERS == slot);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK(scene->victim == 0 || plait__member_is_dead(scene->victim));
    return scene->victim != 0 ? "joined" : slot != 0 ? "on its way" : "outside";
}

static const struct step_call join_family = {
    .name = "join", .setup = free_word, .victim = join, .check = check_entry
};

STEP_TEST(a_victim_that_joins_takes_no_place_for_ever, &join_family)

static const struct step_call join_beside = { .name = "join, with another one that joins",
                                              .setup = free_word,
                                              .victim = join,
                                              .partner = only_join,
                                              .check = check_entry };

STEP_TEST(a_victim_that_joins_beside_another_one_takes_no_place_for_ever, &join_beside)
