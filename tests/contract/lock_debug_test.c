/* The contract of the lock debug mode.
 * SPDX-License-Identifier: MIT
 */
#include "sync.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LINES = 64,
    LINE_BYTES = 1024
};

/* What was said, by whichever process. */
static struct lines {
    uint32_t n; /* atomic */
    uint32_t is_whole[LINES];
    char text[LINES][LINE_BYTES];
} * lines;

static void note_line(plait_log_level level, const char *message, void *arg)
{
    uint32_t i = __atomic_fetch_add(&lines->n, 1, __ATOMIC_SEQ_CST);

    (void)level;
    (void)arg;
    if (i >= LINES)
        return;
    snprintf(lines->text[i], LINE_BYTES, "%s", message);
    __atomic_store_n(&lines->is_whole[i], 1, __ATOMIC_SEQ_CST);
}

static void listen(const char *mode)
{
    setenv("PLAIT_DEBUG", mode, 1);
    lines = mmap(NULL, sizeof *lines, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(lines != MAP_FAILED);
    CHECK_INT(plait_log_set(note_line, NULL, PLAIT_LOG_WARNING), 0);
}

/* The next line, from *at on, that has all of these words; NULL: there is none yet. */
static const char *find_line(uint32_t *at, const char *one, const char *two)
{
    for (; *at < LINES && __atomic_load_n(&lines->is_whole[*at], __ATOMIC_SEQ_CST); (*at)++)
        if (strstr(lines->text[*at], one) != NULL && strstr(lines->text[*at], two) != NULL)
            return lines->text[(*at)++];
    return NULL;
}

static int count_lines(const char *one, const char *two)
{
    uint32_t at = 0;
    int n = 0;

    while (find_line(&at, one, two) != NULL)
        n++;
    return n;
}

static const char *wait_for_line(const char *one, const char *two)
{
    const char *line;
    uint32_t at = 0;

    UNTIL((line = find_line(&at, one, two)) != NULL);
    return line;
}

static const char *address_of(const void *lock)
{
    static char text[32];

    snprintf(text, sizeof text, "lock %p", lock);
    return text;
}

static plait_task *start_named(const char *name, plait_task_fn *fn, void *arg)
{
    plait_task *task = NULL;
    plait_task_opts opts = { .name = name };

    CHECK_INT(plait_task_start(&task, kind, fn, arg, &opts), 0);
    return task;
}

#define DEBUG_CLAIM(name)             \
    static void name##_watched(void); \
    CLAIM(name)                       \
    {                                 \
        listen("others,locks");       \
        name##_watched();             \
    }                                 \
    static void name##_watched(void)

/* ---- waits ---- */

static int hold(void *arg)
{
    CHECK_INT(plait_lock_acquire(arg, PLAIT_FOREVER), 0);
    add_number(0);
    UNTIL(number(1) == 1);
    return plait_lock_release(arg);
}

static int take(void *arg)
{
    CHECK_INT(plait_lock_acquire(arg, PLAIT_FOREVER), 0);
    return plait_lock_release(arg);
}

DEBUG_CLAIM(a_long_wait_names_the_holder_and_where_it_acquired)
{
    plait_lock *lock = make(sizeof *lock);
    plait_task *holder = start_named("holding", hold, lock), *waiter;
    const char *line;

    UNTIL(number(0) == 1);
    waiter = start_named("waiting", take, lock);
    line = wait_for_line("task \"waiting\"", "task \"holding\"");
    CHECK(strstr(line, address_of(lock)) != NULL);
    CHECK(strstr(line, " holds since ") != NULL);
    CHECK(strstr(strstr(line, ", acquired at "), "0x") != NULL);
    CHECK(strstr(line, "\"waiting\"") < strstr(line, "\"holding\""));
    a_moment();
    set_number(1, 1);
    CHECK_INT(join(holder), 0);
    CHECK_INT(join(waiter), 0);
    CHECK_INT(lines->n, 1);
}

static int read_it(void *arg)
{
    CHECK_INT(plait_rwlock_acquire_read(arg, PLAIT_FOREVER), 0);
    add_number(0);
    UNTIL(number(1) == 1);
    return plait_rwlock_release(arg);
}

static int write_it(void *arg)
{
    CHECK_INT(plait_rwlock_acquire_write(arg, PLAIT_FOREVER), 0);
    return plait_rwlock_release(arg);
}

DEBUG_CLAIM(a_writer_is_told_all_readers)
{
    plait_rwlock *lock = make(sizeof *lock);
    plait_task *one = start_named("one", read_it, lock),
               *other = start_named("other", read_it, lock);
    plait_task *writer;

    UNTIL(number(0) == 2);
    writer = start_named("writing", write_it, lock);
    CHECK(strstr(wait_for_line("task \"writing\"", "\"one\""), "\"other\"") != NULL);
    set_number(1, 1);
    CHECK_INT(join(one), 0);
    CHECK_INT(join(other), 0);
    CHECK_INT(join(writer), 0);
    CHECK_INT(lines->n, 1);
}

/* ---- circles ---- */

static plait_lock *ring;
static int ring_size;

/* Takes its own lock and then the next one, which the next task has; gives up when all is said. */
static int reach(void *arg)
{
    int i = (int)(intptr_t)arg, rc;
    plait_lock *next = &ring[(i + 1) % ring_size];

    CHECK_INT(plait_lock_acquire(&ring[i], PLAIT_FOREVER), 0);
    add_number(0);
    UNTIL(number(0) == (uint32_t)ring_size);
    do
        rc = plait_lock_acquire(next, plait_after_ms(60 * 1000));
    while (rc == -ETIMEDOUT);
    if (rc == 0)
        CHECK_INT(plait_lock_release(next), 0);
    return 0;
}

/* All of them in a ring, and one more who waits for one of them. */
static const char *see_circle(int size)
{
    const char *line;

    ring = make((size_t)(ring_size = size) * sizeof *ring);
    for (int i = 0; i < size; i++) {
        char name[16];
        snprintf(name, sizeof name, "in-%d", i);
        start_named(name, reach, (void *)(intptr_t)i);
    }
    line = wait_for_line("deadlock of", "\"in-0\"");
    /* it is told once, though each of them looks every 100 ms */
    plait_sleep(plait_after_ms(300));
    CHECK_INT(count_lines("deadlock of", ""), 1);
    return line;
}

DEBUG_CLAIM(two_that_wait_for_each_other_are_told_once)
{
    const char *line = see_circle(2);

    CHECK(strncmp(line, "deadlock of 2: ", 15) == 0);
    CHECK(strstr(line, "\"in-1\"") != NULL);
    CHECK(strstr(line, address_of(&ring[0])) != NULL);
    CHECK(strstr(line, address_of(&ring[1])) != NULL);
    _exit(0); /* nobody breaks it up */
}

DEBUG_CLAIM(four_that_wait_in_a_circle_are_told_once)
{
    const char *line = see_circle(4);

    CHECK(strncmp(line, "deadlock of 4: ", 15) == 0);
    CHECK(strstr(line, "\"in-3\"") != NULL);
    _exit(0);
}

/* Reads, and wants to write: waits for itself. */
DEBUG_CLAIM(who_waits_for_itself_is_told)
{
    plait_rwlock *lock = make(sizeof *lock);

    CHECK_INT(plait_rwlock_acquire_read(lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_rwlock_acquire_write(lock, plait_after_ms(500)), -ETIMEDOUT);
    CHECK_INT(count_lines("deadlock of 1: ", address_of(lock)), 1);
    CHECK_INT(plait_rwlock_release(lock), 0);
    CHECK_INT(plait_rwlock_acquire_write(lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_rwlock_release(lock), 0);
    CHECK_INT(lines->n, 1);
}

static int wait_in_line(void *arg)
{
    plait_lock *locks = arg;

    CHECK_INT(plait_lock_acquire(&locks[1], PLAIT_FOREVER), 0);
    add_number(0);
    CHECK_INT(plait_lock_acquire(&locks[0], PLAIT_FOREVER), 0);
    CHECK_INT(plait_lock_release(&locks[0]), 0);
    return plait_lock_release(&locks[1]);
}

DEBUG_CLAIM(a_line_of_waiters_is_no_circle)
{
    plait_lock *locks = make(2 * sizeof *locks);
    plait_task *first = start_named("first", hold, &locks[0]), *second, *third;

    UNTIL(number(0) == 1);
    second = start_named("second", wait_in_line, locks);
    UNTIL(number(0) == 2);
    third = start_named("third", take, &locks[1]);
    wait_for_line("\"second\"", "which task \"first\"");
    wait_for_line("\"third\"", "which task \"second\"");
    set_number(1, 1);
    CHECK_INT(join(first), 0);
    CHECK_INT(join(second), 0);
    CHECK_INT(join(third), 0);
    CHECK_INT(lines->n, 2);
}

/* ---- ends ---- */

static int keep(void *arg)
{
    return plait_lock_acquire(arg, PLAIT_FOREVER);
}

static int give_back(void *arg)
{
    CHECK_INT(plait_lock_acquire(arg, PLAIT_FOREVER), 0);
    return plait_lock_release(arg);
}

DEBUG_CLAIM(a_task_that_ends_with_a_lock_is_told)
{
    plait_lock *locks = make(3 * sizeof *locks);

    CHECK_INT(plait_lock_acquire(&locks[2], PLAIT_FOREVER), 0); /* ours, and we do not end */
    CHECK_INT(join(start_named("good", give_back, &locks[0])), 0);
    CHECK_INT(join(start_named("bad", keep, &locks[0])), 0);
    CHECK_INT(lines->n, 1);
    CHECK(strstr(wait_for_line("task \"bad\"", " ends while it holds "), address_of(&locks[0])));
    CHECK_INT(join(start_named("worse", keep, &locks[1])), 0);
    CHECK_INT(lines->n, 2);
}

CLAIM_OF_THREADS(who_waits_for_an_ended_task_is_told_so)
{
    plait_lock *lock = make(sizeof *lock);

    listen("locks");
    CHECK_INT(join(start_named("gone", keep, lock)), 0);
    CHECK_INT(plait_lock_acquire(lock, plait_after_ms(1500)), -ETIMEDOUT);
    wait_for_line("waits at", "task \"gone\"");
    wait_for_line("task \"gone\"", "which has ended");
}

CLAIM_OF_PROCESSES(a_killed_holder_is_nobodys_holder)
{
    plait_lock *lock = make(sizeof *lock);
    plait_task *task;

    listen("locks");
    task = start_named("killed", hold, lock);
    UNTIL(number(0) == 1);
    kill_it(task);
    set_number(0, 0);
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait_lock_recover(lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_lock_repaired(lock), 0);
    CHECK_INT(plait_lock_release(lock), 0);
    task = start_named("next", hold, lock);
    UNTIL(number(0) == 1);
    CHECK_INT(plait_lock_acquire(lock, plait_after_ms(1500)), -ETIMEDOUT);
    CHECK(strstr(wait_for_line("waits at", "\"next\""), "\"killed\"") == NULL);
    set_number(1, 1);
    CHECK_INT(join(task), 0);
}

/* ---- all else is as it is without ---- */

static int count_up(void *arg)
{
    struct together {
        plait_rlock rlock;
        plait_rwlock rwlock;
    } *both = arg;

    for (int i = 0; i < 2000; i++) {
        CHECK_INT(plait_rlock_acquire(&both->rlock, PLAIT_FOREVER), 0);
        CHECK_INT(plait_rlock_acquire(&both->rlock, PLAIT_FOREVER), 0);
        board->sum++;
        CHECK_INT(plait_rlock_release(&both->rlock), 0);
        CHECK_INT(plait_rlock_release(&both->rlock), 0);
        CHECK_INT(plait_rlock_release(&both->rlock), -EPERM);
        CHECK_INT(plait_rwlock_acquire_read(&both->rwlock, PLAIT_FOREVER), 0);
        CHECK_INT(plait_rwlock_release(&both->rwlock), 0);
        CHECK_INT(plait_rwlock_acquire_write(&both->rwlock, PLAIT_FOREVER), 0);
        CHECK_INT(plait_rwlock_release(&both->rwlock), 0);
    }
    return 0;
}

DEBUG_CLAIM(busy_locks_give_no_word)
{
    void *both = make(sizeof(plait_rlock) + sizeof(plait_rwlock));
    plait_task *one = start(count_up, both), *other = start(count_up, both);

    CHECK_INT(join(one), 0);
    CHECK_INT(join(other), 0);
    CHECK_INT(board->sum, 4000);
    CHECK_INT(count_lines("deadlock", ""), 0);
    CHECK_INT(count_lines("ends while", ""), 0);
}

CLAIM(without_the_mode_nothing_is_said)
{
    plait_lock *lock = make(sizeof *lock);

    listen("lock,blocks");
    CHECK_INT(join(start_named("bad", keep, lock)), 0);
    CHECK_INT(lines->n, 0);
}
