/* Locks in a storm: what they guard is whole, or who comes next is told.
 * SPDX-License-Identifier: MIT
 *
 * The oracle. A holder says that it is there, changes the ground in several steps, and claims the
 * number that it counted up to. If the lock lets in two at once, or somebody behind a dead
 * holder's back, they find a holder, an unwhole ground, or a number that is claimed already. Who
 * recovers the lock waits until the runner has reaped the holder that it finds: nobody is taken
 * for dead who lives.
 */
#include "storm.h"

#include <string.h>

enum {
    STEPS = 6
};

/* What a lock guards. */
struct ground {
    uint64_t holder;       /* its life, plus 1; 0: nobody */
    uint64_t steps[STEPS]; /* all the same when it is whole */
    uint64_t token;        /* the largest one that was seen */
};

static struct place {
    _Alignas(64) plait_lock lock;
    _Alignas(64) plait_rlock rlock;
    _Alignas(64) plait_rwlock rwlock;
    struct ground ground;
} * place;

static struct claims *claims;

static void write_word(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static uint64_t read_word(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void check_whole(const struct ground *ground)
{
    CHECK_INT(read_word(&ground->holder), 0);
    for (unsigned i = 1; i < STEPS; i++)
        CHECK_INT(read_word(&ground->steps[i]), read_word(&ground->steps[0]));
}

static void repair(struct ground *ground)
{
    uint64_t holder = read_word(&ground->holder), number = read_word(&ground->steps[0]);

    if (holder != 0)
        storm_await_death((uint32_t)holder - 1);
    for (unsigned i = 1; i < STEPS; i++)
        write_word(&ground->steps[i], number);
    storm_claim_again(claims, number);
    write_word(&ground->holder, 0);
}

static void see_token(struct ground *ground, uint64_t token)
{
    CHECK(token > read_word(&ground->token));
    write_word(&ground->token, token);
}

static void count_up(struct ground *ground, const struct life *life)
{
    uint64_t number = read_word(&ground->steps[0]) + 1;

    check_whole(ground);
    write_word(&ground->holder, life->number + 1);
    for (unsigned i = 0; i < STEPS; i++) {
        write_word(&ground->steps[i], number);
        if (i == 0)
            storm_claim(claims, number);
    }
    CHECK_INT(read_word(&ground->holder), life->number + 1);
    write_word(&ground->holder, 0);
}

/* Mostly none. */
static void pause_outside(void)
{
    if (storm_random(16) == 0)
        for (volatile uint32_t i = storm_random(1000); i > 0; i--)
            ;
}

static void begin(void)
{
    if (claims == NULL)
        claims = storm_share(sizeof *claims);
    memset(claims, 0, sizeof *claims);
    place = plait_shared_alloc(sizeof *place);
    CHECK(place != NULL);
}

/* The last one may have been killed inside. */
static void end_with(int (*recover)(void), int (*release)(void))
{
    CHECK_INT(recover(), 0);
    repair(&place->ground);
    CHECK_INT(release(), 0);
    check_whole(&place->ground);
    storm_check_claims(claims, place->ground.steps[0]);
    CHECK_INT(plait_shared_free(place), 0);
}

/* ---- a lock ---- */

/* 0: held; is it whole? */
static ssize_t take_lock(struct life *life, bool *ret_is_whole)
{
    ssize_t rc = STORM_CALL(life, plait_lock_acquire(&place->lock, storm_until()));

    *ret_is_whole = rc == 0;
    if (rc == -EOWNERDEAD)
        rc = STORM_CALL(life, plait_lock_recover(&place->lock, storm_until()));
    CHECK(rc == 0 || rc == -ETIMEDOUT);
    return rc;
}

static void work_lock(struct life *life)
{
    bool is_whole;

    while (!storm_is_over()) {
        if (take_lock(life, &is_whole) == 0) {
            see_token(&place->ground, plait_lock_token(&place->lock));
            if (is_whole) {
                count_up(&place->ground, life);
            } else if (storm_random(4) != 0) { /* else the next one is told again */
                repair(&place->ground);
                CHECK_INT(STORM_CALL(life, plait_lock_repaired(&place->lock)), 0);
            }
            CHECK_INT(STORM_CALL(life, plait_lock_release(&place->lock)), 0);
        }
        pause_outside();
    }
}

static int recover_lock(void)
{
    return plait_lock_recover(&place->lock, PLAIT_NOWAIT);
}

static int release_lock(void)
{
    return plait_lock_release(&place->lock);
}

static void end_lock(void)
{
    end_with(recover_lock, release_lock);
}

/* ---- a recursive lock ---- */

static ssize_t take_rlock(struct life *life, bool *ret_is_whole)
{
    ssize_t rc = STORM_CALL(life, plait_rlock_acquire(&place->rlock, storm_until()));

    *ret_is_whole = rc == 0;
    if (rc == -EOWNERDEAD)
        rc = STORM_CALL(life, plait_rlock_recover(&place->rlock, storm_until()));
    CHECK(rc == 0 || rc == -ETIMEDOUT);
    return rc;
}

static void work_rlock(struct life *life)
{
    bool is_whole;

    while (!storm_is_over()) {
        if (take_rlock(life, &is_whole) == 0) {
            see_token(&place->ground, plait_lock_token(&place->rlock.lock));
            if (!is_whole) {
                repair(&place->ground);
                CHECK_INT(STORM_CALL(life, plait_rlock_repaired(&place->rlock)), 0);
            }
            uint32_t more = storm_random(3);
            for (uint32_t i = 0; i < more; i++)
                CHECK_INT(STORM_CALL(life, plait_rlock_acquire(&place->rlock, PLAIT_NOWAIT)), 0);
            CHECK_INT(plait_rlock_depth(&place->rlock), more + 1);
            count_up(&place->ground, life);
            for (uint32_t i = 0; i <= more; i++)
                CHECK_INT(STORM_CALL(life, plait_rlock_release(&place->rlock)), 0);
        }
        pause_outside();
    }
}

static int recover_rlock(void)
{
    return plait_rlock_recover(&place->rlock, PLAIT_NOWAIT);
}

static int release_rlock(void)
{
    return plait_rlock_release(&place->rlock);
}

static void end_rlock(void)
{
    end_with(recover_rlock, release_rlock);
}

/* ---- a lock for readers and writers ---- */

static void recover_and_write(struct life *life)
{
    ssize_t rc = STORM_CALL(life, plait_rwlock_recover(&place->rwlock, storm_until()));

    if (rc == -ETIMEDOUT)
        return;
    CHECK_INT(rc, 0);
    repair(&place->ground);
    CHECK_INT(STORM_CALL(life, plait_rwlock_repaired(&place->rwlock)), 0);
    count_up(&place->ground, life);
    CHECK_INT(STORM_CALL(life, plait_rwlock_release(&place->rwlock)), 0);
}

static void write_once(struct life *life)
{
    ssize_t rc = STORM_CALL(life, plait_rwlock_acquire_write(&place->rwlock, storm_until()));

    if (rc == -EOWNERDEAD) {
        recover_and_write(life);
        return;
    }
    if (rc == -ETIMEDOUT)
        return;
    CHECK_INT(rc, 0);
    count_up(&place->ground, life);
    CHECK_INT(STORM_CALL(life, plait_rwlock_release(&place->rwlock)), 0);
}

static void read_once(struct life *life)
{
    ssize_t rc = STORM_CALL(life, plait_rwlock_acquire_read(&place->rwlock, storm_until()));
    uint64_t number;

    if (rc == -EOWNERDEAD) {
        recover_and_write(life);
        return;
    }
    if (rc == -ETIMEDOUT)
        return;
    CHECK_INT(rc, 0);
    check_whole(&place->ground);
    number = read_word(&place->ground.steps[0]);
    pause_outside();
    check_whole(&place->ground);
    CHECK_INT(read_word(&place->ground.steps[0]), number);
    CHECK_INT(STORM_CALL(life, plait_rwlock_release(&place->rwlock)), 0);
}

static void work_rwlock(struct life *life)
{
    while (!storm_is_over()) {
        if (storm_random(3) == 0)
            write_once(life);
        else
            read_once(life);
        pause_outside();
    }
}

static int recover_rwlock(void)
{
    return plait_rwlock_recover(&place->rwlock, plait_after_ms(1000));
}

static int release_rwlock(void)
{
    return plait_rwlock_release(&place->rwlock);
}

static void end_rwlock(void)
{
    end_with(recover_rwlock, release_rwlock);
}

const struct scenario storm_lock = {
    .name = "lock", .n_slots = 5, .begin = begin, .work = work_lock, .end = end_lock
};
const struct scenario storm_rlock = {
    .name = "recursive lock", .n_slots = 4, .begin = begin, .work = work_rlock, .end = end_rlock
};
const struct scenario storm_rwlock = {
    .name = "rwlock", .n_slots = 7, .begin = begin, .work = work_rwlock, .end = end_rwlock
};
