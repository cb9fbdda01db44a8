/* The contract of locks for many readers or one writer.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "os/cpu.h"
#include "sync.h"

static bool has_waiter(const plait_rwlock *rwlock)
{
    return has_bit(&rwlock->word, UINT32_C(1) << 31);
}

/* A writer that waits for readers to leave. */
static bool has_waiting_writer(const plait_rwlock *rwlock)
{
    return has_bit(&rwlock->event, 1);
}

static int read_until_told(void *arg)
{
    CHECK_INT(plait_rwlock_acquire_read(arg, PLAIT_FOREVER), 0);
    add_number(0);
    UNTIL(number(1) == 1);
    return plait_rwlock_release(arg);
}

static int write_once(void *arg)
{
    int rc = plait_rwlock_acquire_write(arg, PLAIT_FOREVER);

    if (rc < 0)
        return -rc;
    add_number(2);
    return plait_rwlock_release(arg);
}

static int read_once(void *arg)
{
    int rc = plait_rwlock_acquire_read(arg, PLAIT_FOREVER);

    if (rc < 0)
        return -rc;
    add_number(3);
    return plait_rwlock_release(arg);
}

CLAIM(many_read_and_a_writer_waits_for_them)
{
    plait_rwlock *rwlock = make(sizeof *rwlock);
    plait_task *readers[3], *writer;

    CHECK_INT(sizeof *rwlock, 512);
    for (int i = 0; i < 3; i++)
        readers[i] = start(read_until_told, rwlock);
    UNTIL(number(0) == 3);
    CHECK_INT(plait_rwlock_acquire_read(rwlock, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_rwlock_release(rwlock), 0);
    CHECK_INT(plait_rwlock_acquire_write(rwlock, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_rwlock_acquire_write(rwlock, plait_after_ms(20)), -ETIMEDOUT);
    CHECK_INT(plait_rwlock_acquire_read(rwlock, PLAIT_NOWAIT), 0); /* the writer gave up */
    CHECK_INT(plait_rwlock_release(rwlock), 0);
    writer = start(write_once, rwlock);
    UNTIL(has_waiting_writer(rwlock));
    a_moment();
    CHECK_INT(number(2), 0);
    set_number(1, 1);
    CHECK_INT(join(writer), 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(join(readers[i]), 0);
    CHECK_INT(number(2), 1);
    CHECK_INT(rwlock->word, 0);
}

CLAIM(readers_and_writers_wait_for_a_writer)
{
    plait_rwlock *rwlock = make(sizeof *rwlock);
    plait_task *tasks[4];

    CHECK_INT(plait_rwlock_acquire_write(rwlock, PLAIT_NOWAIT), 0);
    for (int i = 0; i < 4; i++)
        tasks[i] = start(i < 3 ? read_once : write_once, rwlock);
    UNTIL(has_waiter(rwlock));
    a_moment();
    CHECK_INT(number(2) + number(3), 0);
    CHECK_INT(plait_rwlock_release(rwlock), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(number(2), 1);
    CHECK_INT(number(3), 3);
}

static int fail_to_read(void *arg)
{
    plait_deadline soon = plait_after_ms(20);

    CHECK_INT(plait_rwlock_acquire_read(arg, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_rwlock_acquire_read(arg, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    CHECK_INT(plait_rwlock_acquire_write(arg, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_rwlock_release(arg), -EPERM);
    CHECK_INT(plait_rwlock_repaired(arg), -EPERM);
    return 0;
}

CLAIM(a_reader_comes_after_a_writer_that_waits)
{
    plait_rwlock *rwlock = make(sizeof *rwlock);
    plait_task *writer;

    CHECK_INT(plait_rwlock_acquire_read(rwlock, PLAIT_NOWAIT), 0);
    writer = start(write_once, rwlock);
    UNTIL(has_waiting_writer(rwlock));
    CHECK_INT(plait_rwlock_acquire_read(rwlock, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_rwlock_release(rwlock), 0);
    CHECK_INT(join(writer), 0);
    CHECK_INT(plait_rwlock_acquire_read(rwlock, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_rwlock_release(rwlock), 0);
}

CLAIM(a_writer_keeps_others_out_until_their_deadlines)
{
    plait_rwlock *rwlock = make(sizeof *rwlock);

    CHECK_INT(plait_rwlock_acquire_write(rwlock, PLAIT_FOREVER), 0);
    CHECK_INT(join(start(fail_to_read, rwlock)), 0);
    CHECK_INT(plait_rwlock_acquire_write(rwlock, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_rwlock_recover(rwlock, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_rwlock_acquire_read(rwlock, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_rwlock_release(rwlock), 0);
    CHECK_INT(plait_rwlock_release(rwlock), -EPERM);
}

TEST(a_bad_rwlock_is_refused)
{
    plait_rwlock rwlock = { 0 };

    CHECK_INT(plait_rwlock_acquire_read(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_rwlock_acquire_write(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_rwlock_recover(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_rwlock_repaired(NULL), -EINVAL);
    CHECK_INT(plait_rwlock_release(NULL), -EINVAL);
    CHECK_INT(plait_rwlock_release(&rwlock), -EPERM);
    CHECK_INT(plait_rwlock_repaired(&rwlock), -EPERM);
}

struct pair {
    plait_rwlock lock;
    long a, b; /* lock */
};

static void stay_a_little(void)
{
    for (int i = 0; i < 30; i++)
        plait__os_cpu_relax();
}

static int read_and_write_often(void *arg)
{
    struct pair *pair = arg;

    for (int i = 0; i < 4000; i++) {
        if (i % 4 == 0) {
            CHECK_INT(plait_rwlock_acquire_write(&pair->lock, PLAIT_FOREVER), 0);
            pair->a++;
            stay_a_little();
            if (i % 128 == 0)
                plait_sleep(plait_after_ns(1000));
            pair->b++;
        } else {
            long seen;
            CHECK_INT(plait_rwlock_acquire_read(&pair->lock, PLAIT_FOREVER), 0);
            seen = pair->b;
            CHECK_INT(pair->a, seen);
            stay_a_little();
            if (i % 128 == 1)
                plait_sleep(plait_after_ns(1000));
            CHECK_INT(*(volatile long *)&pair->a, seen); /* nor written meanwhile */
        }
        CHECK_INT(plait_rwlock_release(&pair->lock), 0);
    }
    return 0;
}

CLAIM(readers_see_nothing_half_written)
{
    struct pair *pair = make(sizeof *pair);
    plait_task *tasks[4];

    for (int i = 0; i < 4; i++)
        tasks[i] = start(read_and_write_often, pair);
    for (int i = 0; i < 4; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(pair->a, 4 * 1000);
    for (int i = 0; i < 56; i++)
        CHECK_INT(pair->lock.readers[i], 0);
}

CLAIM_OF_THREADS(a_cancel_ends_the_wait_of_a_writer_and_lets_readers_in)
{
    plait_rwlock *rwlock = make(sizeof *rwlock);
    plait_task *writer;

    CHECK_INT(plait_rwlock_acquire_read(rwlock, PLAIT_FOREVER), 0);
    writer = start(write_once, rwlock);
    UNTIL(has_waiting_writer(rwlock));
    CHECK_INT(plait_task_terminate(writer), 0);
    CHECK_INT(outcome_of(writer).code, ECANCELED);
    CHECK_INT(plait_rwlock_acquire_read(rwlock, PLAIT_NOWAIT), 0);
}

static void find_it_held(void *arg)
{
    CHECK_INT(plait_rwlock_release(arg), -EPERM); /* its parent's */
    CHECK_INT(plait_rwlock_acquire_write(arg, PLAIT_NOWAIT), is_private ? 0 : -ETIMEDOUT);
}

CLAIM(what_is_read_across_a_fork_is_not_read_by_the_child)
{
    plait_rwlock *rwlock = make(sizeof *rwlock);

    CHECK_INT(plait_rwlock_acquire_read(rwlock, PLAIT_FOREVER), 0);
    in_forked_child(find_it_held, rwlock);
    CHECK_INT(plait_rwlock_release(rwlock), 0);
}

static void find_it_written(void *arg)
{
    int rc = is_private ? -EDEADLK : -ETIMEDOUT;

    CHECK_INT(plait_rwlock_release(arg), -EPERM);
    CHECK_INT(plait_rwlock_acquire_read(arg, PLAIT_NOWAIT), rc);
    CHECK_INT(plait_rwlock_acquire_write(arg, PLAIT_NOWAIT), rc);
}

CLAIM(what_is_written_across_a_fork_is_not_written_by_the_child)
{
    plait_rwlock *rwlock = make(sizeof *rwlock);

    CHECK_INT(plait_rwlock_acquire_write(rwlock, PLAIT_FOREVER), 0);
    in_forked_child(find_it_written, rwlock);
    CHECK_INT(plait_rwlock_release(rwlock), 0);
}

/* ---- death ---- */

static int write_and_die(void *arg)
{
    CHECK_INT(plait_rwlock_acquire_write(arg, PLAIT_FOREVER), 0);
    raise(SIGKILL);
    return 0;
}

CLAIM_OF_PROCESSES(a_killed_writer_is_told_of_and_recovered)
{
    plait_rwlock *rwlock = make(sizeof *rwlock);

    see_killed(start(write_and_die, rwlock));
    CHECK_INT(plait_rwlock_acquire_read(rwlock, PLAIT_NOWAIT), -EOWNERDEAD);
    CHECK_INT(plait_rwlock_acquire_read(rwlock, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait_rwlock_acquire_write(rwlock, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait_rwlock_recover(rwlock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_rwlock_release(rwlock), 0);
    CHECK_INT(join(start(read_once, rwlock)), EOWNERDEAD); /* not repaired */
    CHECK_INT(plait_rwlock_recover(rwlock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_rwlock_repaired(rwlock), 0);
    CHECK_INT(plait_rwlock_release(rwlock), 0);
    CHECK_INT(join(start(read_once, rwlock)), 0);
    CHECK_INT(join(start(write_once, rwlock)), 0);
}

CLAIM_OF_PROCESSES(a_killed_reader_holds_no_writer_up)
{
    plait_rwlock *rwlock = make(sizeof *rwlock);
    plait_task *readers[2], *writer;

    for (int i = 0; i < 2; i++)
        readers[i] = start(read_until_told, rwlock);
    UNTIL(number(0) == 2);
    writer = start(write_once, rwlock);
    UNTIL(has_waiting_writer(rwlock));
    kill_it(readers[0]);
    a_moment();
    CHECK_INT(number(2), 0); /* the other one reads still */
    kill_it(readers[1]);
    CHECK_INT(join(writer), 0);
    readers[0] = start(read_until_told, rwlock);
    UNTIL(number(0) == 3);
    kill_it(readers[0]);
    CHECK_INT(plait_rwlock_acquire_write(rwlock, plait_after_ms(20)), 0);
}

static int work_until_killed(void *arg)
{
    struct pair *pair = arg;

    for (int i = 0; number(7) == 0; i++) {
        int rc = i % 3 == 0 ? plait_rwlock_acquire_write(&pair->lock, PLAIT_FOREVER)
                            : plait_rwlock_acquire_read(&pair->lock, PLAIT_FOREVER);
        if (rc == -EOWNERDEAD) {
            CHECK_INT(plait_rwlock_recover(&pair->lock, PLAIT_FOREVER), 0);
            pair->b = pair->a;
            CHECK_INT(plait_rwlock_repaired(&pair->lock), 0);
        } else if (rc == 0 && i % 3 == 0) {
            pair->a++;
            pair->b++;
        } else {
            CHECK_INT(rc, 0);
        }
        CHECK_INT(pair->a, pair->b);
        add_number(1);
        CHECK_INT(plait_rwlock_release(&pair->lock), 0);
    }
    return 0;
}

CLAIM_OF_PROCESSES(it_lives_through_kills_at_any_time)
{
    struct pair *pair = make(sizeof *pair);
    plait_task *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = start(work_until_killed, pair);
    for (int i = 0; i < 60; i++) {
        uint32_t before = number(1);
        plait_sleep(plait_after_ns(700000 + i * 37000));
        kill_it(tasks[i % 3]);
        tasks[i % 3] = start(work_until_killed, pair);
        UNTIL(number(1) > before);
    }
    for (int i = 0; i < 3; i++)
        kill_it(tasks[i]);
}
