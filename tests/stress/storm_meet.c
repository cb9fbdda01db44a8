/* Conditions, events, barriers and once in a storm: those who wait are told, and no other than
 * them.
 * SPDX-License-Identifier: MIT
 */
#include "storm.h"

#include <string.h>

enum {
    ROOM = 3,     /* in the box */
    PLAYERS = 4,  /* of the ball, and parties at the barrier */
    ONCES = 16384 /* in a round */
};

static struct claims *claims;

static uint64_t read_word(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void write_word(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static void work_a_little(uint32_t most)
{
    for (volatile uint32_t i = storm_random(most); i > 0; i--)
        ;
}

static void *make(size_t bytes)
{
    void *made = plait_shared_alloc(bytes);

    if (claims == NULL)
        claims = storm_share(sizeof *claims);
    memset(claims, 0, sizeof *claims);
    CHECK(made != NULL);
    return made;
}

/* ---- a condition: a box with room for a few numbers; each one that is taken is claimed ---- */

static struct box {
    _Alignas(64) plait_lock lock;
    _Alignas(64) plait_condition filled;
    _Alignas(64) plait_condition emptied;
    uint64_t put, taken; /* the last ones */
} * box;

/* Somebody was killed with the lock: perhaps before he could notify or claim. */
static void recover_box(struct life *life)
{
    CHECK_INT(STORM_CALL(life, plait_lock_recover(&box->lock, PLAIT_FOREVER)), 0);
    CHECK(read_word(&box->taken) <= read_word(&box->put));
    CHECK(read_word(&box->put) <= read_word(&box->taken) + ROOM);
    storm_claim_again(claims, read_word(&box->taken));
    CHECK_INT(STORM_CALL(life, plait_condition_notify_all(&box->filled)), 0);
    CHECK_INT(STORM_CALL(life, plait_condition_notify_all(&box->emptied)), 0);
    CHECK_INT(STORM_CALL(life, plait_lock_repaired(&box->lock)), 0);
}

static void enter_box(struct life *life)
{
    ssize_t rc = STORM_CALL(life, plait_lock_acquire(&box->lock, PLAIT_FOREVER));

    if (rc == -EOWNERDEAD)
        recover_box(life);
    else
        CHECK_INT(rc, 0);
}

static void wait_in_box(struct life *life, plait_condition *condition)
{
    plait_deadline until = storm_until();
    ssize_t rc = STORM_CALL(life, plait_condition_wait(condition, &box->lock, until));

    if (rc == -EOWNERDEAD)
        recover_box(life);
    else
        CHECK(rc == 0 || (rc == -ETIMEDOUT && until.ns != PLAIT_FOREVER.ns));
}

static void fill_box(struct life *life)
{
    enter_box(life);
    while (read_word(&box->put) == read_word(&box->taken) + ROOM && !storm_is_over())
        wait_in_box(life, &box->emptied);
    if (read_word(&box->put) < read_word(&box->taken) + ROOM) {
        write_word(&box->put, read_word(&box->put) + 1);
        CHECK_INT(STORM_CALL(life, plait_condition_notify(&box->filled, 1)), 0);
    }
    CHECK_INT(STORM_CALL(life, plait_lock_release(&box->lock)), 0);
}

static void empty_box(struct life *life)
{
    enter_box(life);
    while (read_word(&box->put) == read_word(&box->taken) && !storm_is_over())
        wait_in_box(life, &box->filled);
    if (read_word(&box->put) > read_word(&box->taken)) {
        write_word(&box->taken, read_word(&box->taken) + 1);
        storm_claim(claims, read_word(&box->taken));
        CHECK_INT(STORM_CALL(life, plait_condition_notify(&box->emptied, 1)), 0);
    }
    CHECK_INT(STORM_CALL(life, plait_lock_release(&box->lock)), 0);
}

static void work_condition(struct life *life)
{
    while (!storm_is_over()) {
        if (life->slot % 2 == 0)
            fill_box(life);
        else
            empty_box(life);
        work_a_little(300);
    }
}

static void begin_condition(void)
{
    box = make(sizeof *box);
}

static void finish_condition(void)
{
    int rc = plait_lock_recover(&box->lock, PLAIT_FOREVER);

    CHECK_INT(rc, 0);
    storm_claim_again(claims, box->taken);
    CHECK_INT(plait_lock_repaired(&box->lock), 0);
    CHECK_INT(plait_condition_notify_all(&box->filled), 0);
    CHECK_INT(plait_condition_notify_all(&box->emptied), 0);
    CHECK_INT(plait_lock_release(&box->lock), 0);
}

static void end_condition(void)
{
    storm_check_claims(claims, box->taken);
    CHECK_INT(plait_shared_free(box), 0);
}

const struct scenario storm_condition = { .name = "condition",
                                          .n_slots = 6,
                                          .begin = begin_condition,
                                          .work = work_condition,
                                          .finish = finish_condition,
                                          .end = end_condition };

/* ---- events: a ball goes round; each player has an event that says that it came ---- */

static struct game {
    _Alignas(64) plait_event came[PLAYERS];
    uint64_t ball; /* how often it was thrown */
} * game;

/* One that was killed may have thrown it and not said so: who takes its place says it again. */
static void work_event(struct life *life)
{
    plait_event *came = &game->came[life->slot];

    CHECK_INT(plait_event_set(&game->came[read_word(&game->ball) % PLAYERS]), 0);
    while (!storm_is_over()) {
        uint64_t ball;
        CHECK_INT(STORM_CALL(life, plait_event_clear(came)), 0);
        ball = read_word(&game->ball);
        if (ball % PLAYERS == life->slot) {
            work_a_little(200);
            CHECK(__atomic_compare_exchange_n(&game->ball, &ball, ball + 1, false, __ATOMIC_SEQ_CST,
                                              __ATOMIC_SEQ_CST));
            CHECK_INT(STORM_CALL(life, plait_event_set(&game->came[(ball + 1) % PLAYERS])), 0);
        } else if (!storm_is_over()) {
            plait_deadline until = storm_until();
            ssize_t rc = STORM_CALL(life, plait_event_wait(came, until));
            CHECK(rc == 0 || (rc == -ETIMEDOUT && until.ns != PLAIT_FOREVER.ns));
        }
    }
}

static void begin_event(void)
{
    game = make(sizeof *game);
}

static void finish_event(void)
{
    for (unsigned i = 0; i < PLAYERS; i++)
        CHECK_INT(plait_event_set(&game->came[i]), 0);
}

static void end_event(void)
{
    CHECK_INT(plait_shared_free(game), 0);
}

const struct scenario storm_event = { .name = "event",
                                      .n_slots = PLAYERS,
                                      .begin = begin_event,
                                      .work = work_event,
                                      .finish = finish_event,
                                      .end = end_event };

/* ---- a barrier: nobody goes on before all have come, each one with a number of its own ---- */

static struct meeting {
    _Alignas(64) plait_barrier barrier;
    uint64_t came;   /* atomic: calls of wait */
    uint64_t rounds; /* actions that were run */
    uint64_t runner; /* the life that runs the action, plus 1; 0: nobody */
    uint64_t left;   /* atomic: calls of it that succeeded */
} * meeting;

/* Run once in a round, while nobody else runs it. */
static int count_round(void *arg)
{
    const struct life *life = arg;
    uint64_t runner = read_word(&meeting->runner);

    if (runner != 0)
        storm_await_death((uint32_t)runner - 1);
    write_word(&meeting->runner, life->number + 1);
    write_word(&meeting->rounds, read_word(&meeting->rounds) + 1);
    CHECK(read_word(&meeting->came) >= read_word(&meeting->rounds) * PLAYERS);
    CHECK_INT(read_word(&meeting->runner), life->number + 1);
    write_word(&meeting->runner, 0);
    return 0;
}

/* In each round as many go on as had to come. (One that was killed when it had come counts: the
 * round may end before its death is noticed.) */
static void leave(ssize_t index)
{
    uint64_t left = __atomic_add_fetch(&meeting->left, 1, __ATOMIC_SEQ_CST);

    CHECK(index >= 0 && index < PLAYERS);
    CHECK(left <= read_word(&meeting->rounds) * PLAYERS);
}

static void work_barrier(struct life *life)
{
    while (!storm_is_over()) {
        ssize_t rc;
        __atomic_fetch_add(&meeting->came, 1, __ATOMIC_SEQ_CST);
        rc = STORM_CALL(
            life, plait_barrier_wait_action(&meeting->barrier, count_round, life, PLAIT_FOREVER));
        if (rc >= 0)
            leave(rc);
        else
            CHECK_INT(rc, PLAIT_EBROKEN);
        if (rc < 0 && plait_barrier_is_broken(&meeting->barrier) && !storm_is_over())
            CHECK_INT(STORM_CALL(life, plait_barrier_reset(&meeting->barrier)), 0);
        work_a_little(300);
    }
}

static void begin_barrier(void)
{
    meeting = make(sizeof *meeting);
    CHECK_INT(plait_barrier_init(&meeting->barrier, PLAYERS), 0);
}

static void finish_barrier(void)
{
    CHECK_INT(plait_barrier_abort(&meeting->barrier), 0);
}

/* Again and again: one may have reset it before it saw that the round is over. */
static void help_barrier(void)
{
    if (storm_is_over())
        CHECK_INT(plait_barrier_abort(&meeting->barrier), 0);
}

static void end_barrier(void)
{
    CHECK_INT(plait_barrier_waiting(&meeting->barrier), 0);
    CHECK_INT(plait_shared_free(meeting), 0);
}

const struct scenario storm_barrier = { .name = "barrier",
                                        .n_slots = PLAYERS,
                                        .begin = begin_barrier,
                                        .work = work_barrier,
                                        .help = help_barrier,
                                        .finish = finish_barrier,
                                        .end = end_barrier };

/* ---- once: one at a time does it, again only if the one before was killed at it ---- */

static struct onces {
    plait_once once[ONCES];
    uint64_t next;           /* atomic: what is to be done now */
    uint64_t doer[ONCES];    /* atomic: the life that does it, plus 1; 0: nobody */
    uint32_t is_done[ONCES]; /* atomic: it came to its end */
} * onces;

struct errand {
    const struct life *life;
    uint64_t which;
};

static int do_errand(void *arg)
{
    const struct errand *errand = arg;
    uint64_t *doer = &onces->doer[errand->which], before = read_word(doer);

    if (before != 0)
        storm_await_death((uint32_t)before - 1);
    write_word(doer, errand->life->number + 1);
    work_a_little(60000);
    if (storm_random(8) == 0) {
        write_word(doer, 0);
        return -EAGAIN; /* the next one tries again */
    }
    __atomic_store_n(&onces->is_done[errand->which], 1, __ATOMIC_SEQ_CST);
    CHECK_INT(read_word(doer), errand->life->number + 1);
    /* stays there: who comes after us must find us dead */
    return 0;
}

static void work_once(struct life *life)
{
    while (!storm_is_over()) {
        struct errand errand = { life, read_word(&onces->next) };
        uint64_t next = errand.which;
        ssize_t rc =
            STORM_CALL(life, plait_once_run(&onces->once[next], do_errand, &errand, storm_until()));
        if (rc == -ETIMEDOUT || rc == -EAGAIN)
            continue;
        CHECK_INT(rc, 0);
        CHECK(__atomic_load_n(&onces->is_done[next], __ATOMIC_SEQ_CST));
        CHECK(plait_once_is_done(&onces->once[next]));
        if (next + 1 < ONCES)
            __atomic_compare_exchange_n(&onces->next, &next, next + 1, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST);
        else
            storm_exhausted();
    }
}

static void begin_once(void)
{
    onces = make(sizeof *onces);
}

static void end_once(void)
{
    CHECK_INT(plait_shared_free(onces), 0);
}

const struct scenario storm_once = {
    .name = "once", .n_slots = 4, .begin = begin_once, .work = work_once, .end = end_once
};
