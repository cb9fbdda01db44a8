/* The keeper of a pool is killed at every instruction of burying a worker and starting another.
 * SPDX-License-Identifier: MIT
 *
 * After each kill there is another keeper. Each job ends in exactly one outcome: one that a worker
 * was in when it died, or when its keeper did, is lost or begun again as its attempts say; all
 * others are done; and the pool does what it did before, and leaves nothing.
 */
#include "pool_oracle.h"
#include "third.h"

enum {
    HUNG = 1 /* the story of what hangs: of the second job, or of a map's second item */
};

static struct plait__death death; /* the keeper's, of its worker */

static void block_sigchld(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static pid_t await_hung(void)
{
    while (__atomic_load_n(&scene->stories[HUNG].pid, __ATOMIC_SEQ_CST) == 0)
        usleep(NAP_US);
    return scene->stories[HUNG].pid;
}

static void await_death(void)
{
    while (plait__os_wait_any(&death) <= 0)
        usleep(NAP_US);
}

/* ---- the jobs ---- */

static void *stage_jobs(unsigned attempts, int64_t hard_ms)
{
    CHECK_INT(plait__os_adopt_orphans(), 0); /* a dead keeper's workers are ours to reap */
    new_scene();
    submit(PLAIN, 1);
    submit_limited(HANG, attempts, 0, hard_ms);
    submit(PLAIN, 1);
    return scene;
}

static void *one_try(void)
{
    return stage_jobs(1, 0);
}

static void *two_tries(void)
{
    return stage_jobs(2, 0);
}

static void *one_ms(void)
{
    return stage_jobs(1, 1);
}

static void *stage_map(bool is_silent)
{
    CHECK_INT(plait__os_adopt_orphans(), 0);
    new_scene();
    submit_map(HANG, 1, is_silent);
    return scene;
}

static void *a_map(void)
{
    return stage_map(false);
}

static void *a_silent_map(void)
{
    return stage_map(true);
}

/* ---- what is found ---- */

static struct seen check_keeper(void)
{
    struct seen seen;

    is_keeper = true;
    take_crew();
    seen = check_jobs(0);
    CHECK(seen.n_lost <= 2); /* one with its worker, one with the keeper */
    CHECK_INT(seen.n_cancelled, 0);
    check_pool();
    return seen;
}

static const char *check_death(void *state, const struct step_result *at)
{
    struct seen seen = check_keeper();

    (void)state;
    (void)at;
    CHECK_INT(seen.n_expired, 0);
    CHECK_INT(scene->stories[HUNG].entered > 0, 1);
    return seen.n_lost == 0 ? "none lost" : seen.n_lost == 1 ? "one lost" : "two lost";
}

static const char *check_limit(void *state, const struct step_result *at)
{
    struct seen seen = check_keeper();

    (void)state;
    (void)at;
    CHECK(seen.n_lost + seen.n_expired > 0 && seen.n_expired <= 1);
    return seen.n_expired > 0 ? "expired" : "lost";
}

/* ---- burying ---- */

static void keep_with_a_dead_worker(void *state)
{
    (void)state;
    block_sigchld();
    take_crew();
    kill(await_hung(), SIGKILL);
    await_death();
}

static void bury(void *state)
{
    (void)state;
    plait__crews_reap(&death);
    plait__crews_look();
}

#define BURY_CASE(id, words, stage, claim)                                   \
    static const struct step_call id = { .name = words,                      \
                                         .setup = stage,                     \
                                         .prepare = keep_with_a_dead_worker, \
                                         .victim = bury,                     \
                                         .check = check_death };             \
    STEP_TEST(claim, &id)

BURY_CASE(bury_once, "bury a worker", one_try, a_job_whose_worker_died_is_lost_once)
BURY_CASE(bury_again, "bury a worker whose job has two attempts", two_tries,
          a_job_whose_worker_died_is_begun_again_once)
BURY_CASE(bury_map, "bury a worker with a job of three items", a_map,
          the_items_behind_that_which_a_worker_died_in_are_done)
BURY_CASE(bury_silent, "bury a worker with a job of three items that are counted", a_silent_map,
          the_items_beside_that_which_a_worker_died_in_are_counted_as_done)

/* ---- limits ---- */

static void keep_with_a_late_worker(void *state)
{
    (void)state;
    block_sigchld();
    take_crew();
    await_hung();
    usleep(2000);
}

static void look(void *state)
{
    (void)state;
    plait__crews_look();
}

static const struct step_call doom = { .name = "kill a worker whose time is over",
                                       .setup = one_ms,
                                       .prepare = keep_with_a_late_worker,
                                       .victim = look,
                                       .check = check_limit };

STEP_TEST(a_job_that_runs_too_long_is_expired_or_lost, &doom)

static void keep_with_an_expired_worker(void *state)
{
    keep_with_a_late_worker(state);
    plait__crews_look();
    await_death();
}

static const char *check_expired(void *state, const struct step_result *at)
{
    const char *words = check_limit(state, at);

    CHECK_STR(words, "expired");
    return words;
}

static const struct step_call bury_expired = { .name = "bury a worker whose time was over",
                                               .setup = one_ms,
                                               .prepare = keep_with_an_expired_worker,
                                               .victim = bury,
                                               .check = check_expired };

STEP_TEST(a_job_that_ran_too_long_is_expired_whoever_says_so, &bury_expired)

/* ---- the next keeper ---- */

static void be_keeper(void *state)
{
    (void)state;
    block_sigchld();
    take_crew();
    for (;;)
        pause();
}

/* A keeper that is dead, with its worker, which had the second job in hand. */
static void *after_a_keeper(unsigned attempts)
{
    int status;
    pid_t keeper, worker;

    stage_jobs(attempts, 0);
    keeper = start_third(be_keeper, scene);
    worker = await_hung();
    kill(keeper, SIGKILL);
    CHECK_INT(waitpid(keeper, &status, 0), keeper);
    CHECK_INT(waitpid(worker, &status, 0), worker);
    return scene;
}

static void *after_a_keeper_one_try(void)
{
    return after_a_keeper(1);
}

static void *after_a_keeper_two_tries(void)
{
    return after_a_keeper(2);
}

static void take(void *state)
{
    (void)state;
    take_crew();
}

#define TAKE_CASE(id, words, stage, claim)                                                   \
    static const struct step_call id = {                                                     \
        .name = words, .setup = stage, .prepare = join, .victim = take, .check = check_death \
    };                                                                                       \
    STEP_TEST(claim, &id)

static void join(void *state)
{
    (void)state;
    block_sigchld();
}

TAKE_CASE(take_once, "take over from a dead keeper", after_a_keeper_one_try,
          what_a_dead_keeper_left_is_put_right_once)
TAKE_CASE(take_again, "take over from a dead keeper a job with two attempts",
          after_a_keeper_two_tries, what_a_dead_keeper_left_is_begun_again_once)
