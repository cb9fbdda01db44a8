/* Many who select on the same things; and some of them are killed.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "chan/queue.h"
#include "os/probe.h"

#include "sync.h"

#include <limits.h>

static plait_queue *queue;
static plait_event *over;
static plait_pipe *here, *there;
CARRIED(queue)
CARRIED_AS(over, AS_POINTER)
CARRIED_AS(here, AS_PIPE)

static void prepare_queue(size_t max_items)
{
    over = make(sizeof *over);
    CHECK_INT(plait_queue_create(&queue, &(plait_queue_opts){ .max_items = max_items }), 0);
    CHECK_INT(plait_pipe_create(&here, &there, NULL), 0);
}

/* How many tasks a destroy would wait for. */
static uint64_t n_visits(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < PLAIT__VISITS; i++)
        n += __atomic_load_n(&queue->visits.entries[i], __ATOMIC_SEQ_CST) >> 32;
    return n;
}

/* ---- storms ---- */

enum {
    ITEMS = 3000,
    SIDES = 4
};

static void count_item(void)
{
    uint32_t item;

    if (plait_queue_get(queue, &item, sizeof item, PLAIT_NOWAIT) != sizeof item)
        return; /* another was quicker */
    add_number(0);
    __atomic_fetch_add(&board->tokens[0], item, __ATOMIC_SEQ_CST);
}

/* Selects on the queue, and by `arg` on other things too, until it is closed and drained. */
static int get_by_select(void *arg)
{
    plait_waitable on[3] = { { 0 } };
    size_t n = 1 + (uintptr_t)arg % 3;

    CHECK_INT(plait_queue_on_get(&on[0], queue), 0);
    CHECK_INT(plait_event_on_set(&on[1], over), 0);
    CHECK_INT(plait_pipe_on_recv(&on[2], here), 0);
    for (;;) {
        ssize_t which = plait_select(on, n, PLAIT_FOREVER);
        CHECK_INT(which, 0);
        if (plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT) == -EPIPE)
            return 0;
        count_item();
    }
}

static int get_plainly(void *arg)
{
    uint32_t item;
    ssize_t n;

    (void)arg;
    while ((n = plait_queue_get(queue, &item, sizeof item, PLAIT_FOREVER)) == sizeof item) {
        add_number(0);
        __atomic_fetch_add(&board->tokens[0], item, __ATOMIC_SEQ_CST);
    }
    CHECK_INT(n, -EPIPE);
    return 0;
}

static int put_by_select(void *arg)
{
    plait_waitable on[2] = { { 0 } };
    uint32_t item = 0;

    CHECK_INT(plait_queue_on_put(&on[0], queue, sizeof item), 0);
    CHECK_INT(plait_event_on_set(&on[1], over), 0);
    while (item < ITEMS) {
        int rc;
        if ((uintptr_t)arg % 2 == 0) {
            rc = plait_queue_put(queue, &item, sizeof item, PLAIT_FOREVER);
        } else {
            CHECK_INT(plait_select(on, 2, PLAIT_FOREVER), 0);
            rc = plait_queue_put(queue, &item, sizeof item, PLAIT_NOWAIT);
        }
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        item += rc == 0;
        if (rc == 0 && item % 16 == 0) /* let them fall asleep */
            plait_sleep(plait_after_ns(200000));
    }
    return 0;
}

static void storm(size_t max_items, plait_task_fn *even, plait_task_fn *odd)
{
    plait_task *tasks[2 * SIDES];

    prepare_queue(max_items);
    for (size_t i = 0; i < SIDES; i++) {
        tasks[i] = start(i % 2 == 0 ? even : odd, (void *)(uintptr_t)i);
        tasks[SIDES + i] = start(put_by_select, (void *)(uintptr_t)i);
    }
    for (size_t i = SIDES; i < 2 * SIDES; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(plait_queue_close(queue), 0);
    for (size_t i = 0; i < SIDES; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(number(0), SIDES * ITEMS);
    CHECK_INT(board->tokens[0], (uint64_t)SIDES * ITEMS * (ITEMS - 1) / 2);
    plait_queue_destroy(queue);
}

CLAIM(many_who_select_get_each_item_once)
{
    storm(64, get_by_select, get_by_select);
}

CLAIM(who_selects_beside_plain_getters_takes_nothing_from_them)
{
    storm(64, get_by_select, get_plainly);
}

CLAIM(many_who_select_for_room_put_each_item)
{
    storm(2, get_plainly, get_by_select);
}

/* ---- wakes ---- */

static bool is_for_room; /* else for an item */
CARRIED(is_for_room)

static uint32_t *bell(void)
{
    return is_for_room ? &queue->ring.shared->put_bell : &queue->ring.shared->get_bell;
}

/* How often the bell was rung. */
static uint32_t n_rung(void)
{
    return __atomic_load_n(bell(), __ATOMIC_SEQ_CST) >> 16;
}

static int select_and_take_nothing(void *arg)
{
    plait_waitable on[2];

    (void)arg;
    CHECK_INT(plait_event_on_set(&on[0], over), 0);
    CHECK_INT(
        is_for_room ? plait_queue_on_put(&on[1], queue, 1) : plait_queue_on_get(&on[1], queue), 0);
    return (int)plait_select(on, 2, PLAIT_FOREVER);
}

static int get_or_put(void *room)
{
    char item = 0;

    return room != NULL ? plait_queue_put(queue, &item, 1, PLAIT_FOREVER)
                        : (int)plait_queue_get(queue, &item, 1, PLAIT_FOREVER) - 1;
}

/* Is the wake that one item, or room for one, makes passed on? */
static bool try_to_pass_on(bool is_over)
{
    plait_task *selects = start(select_and_take_nothing, NULL), *waits;
    uint32_t before;
    int which;

    UNTIL(plait__bell_awaited(bell()));
    a_moment();
    waits = start(get_or_put, is_for_room ? queue : NULL);
    a_moment();
    before = n_rung();
    if (is_over) /* set it without waking anybody */
        __atomic_fetch_or(&over->word, 1, __ATOMIC_SEQ_CST);
    CHECK_INT(get_or_put(is_for_room ? NULL : queue), 0);
    CHECK_INT(join(waits), 0);
    before = n_rung() - before;
    CHECK_INT(plait_event_set(over), 0);
    if (is_over) /* the set woke nobody */
        plait__os_futex_wake(&over->word, UINT_MAX);
    which = join(selects);
    CHECK_INT(plait_event_clear(over), 0);
    return before >= 2 && (is_over || which == 1);
}

/* Without it the other would find by itself, when its slice is over, what is there; so what is
 * counted is how often the bell was rung. It may be that the other is woken first, or that one of
 * the two is just awake: then nothing is to be passed on, and it is tried again. */
static void pass_on(bool for_room, bool is_over)
{
    /* else a select on two words sleeps in slices, and no wake can be spent on it */
    bool takes_wakes = plait__probe_has(PLAIT__PROBE_FUTEX_WAITV), passed_on = false;

    prepare_queue(1);
    if (for_room)
        CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_NOWAIT), 0);
    is_for_room = for_room;
    for (int round = 0; round < (takes_wakes ? 200 : 3) && !passed_on; round++)
        passed_on = try_to_pass_on(is_over);
    CHECK(passed_on || !takes_wakes);
}

CLAIM(a_select_that_takes_nothing_passes_the_wake_on)
{
    pass_on(false, false);
}

CLAIM(a_select_that_takes_no_room_passes_the_wake_on)
{
    pass_on(true, false);
}

CLAIM(a_select_that_has_something_else_passes_the_wake_on)
{
    pass_on(false, true);
}

CLAIM(a_select_that_has_something_else_passes_the_wake_for_room_on)
{
    pass_on(true, true);
}

CLAIM(a_select_is_not_waited_for_when_it_is_over)
{
    plait_task *task;

    prepare_queue(0);
    task = start(select_and_take_nothing, NULL);
    UNTIL(n_visits() == 1);
    CHECK_INT(plait_event_set(over), 0);
    CHECK_INT(join(task), 0);
    CHECK_INT(n_visits(), 0);
    CHECK_INT(plait_event_clear(over), 0);
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(select_and_take_nothing(NULL), 1);
    CHECK_INT(n_visits(), 0);
}

/* ---- deaths ---- */

static int die_asleep_at_the_queue(void *arg)
{
    (void)arg;
    die_with_the_wake(&queue->ring.shared->get_bell,
                      plait__bell_announce(&queue->ring.shared->get_bell, 0));
    return 0;
}

CLAIM_OF_PROCESSES(a_wake_that_died_with_its_sleeper_does_not_leave_a_select_asleep)
{
    plait_task *dies, *selects;

    prepare_queue(0);
    dies = start(die_asleep_at_the_queue, NULL);
    see_dying(1);
    selects = start(select_and_take_nothing, NULL);
    a_moment();
    CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_NOWAIT), 0);
    CHECK_INT(join(selects), 1);
    plait_task_kill(dies);
    see_killed(dies);
}

CLAIM_OF_PROCESSES(killed_selects_leave_nothing_that_hinders_others)
{
    plait_deadline late = plait_after_ms(20000);

    prepare_queue(1);
    for (int i = 0; i < 20; i++) {
        plait_task *task = start(get_by_select, (void *)(uintptr_t)i);
        if (i % 3 != 0)
            plait_sleep(plait_after_ns(i * 300000));
        kill_it(task);
    }
    for (uint32_t i = 0; i < 100; i++) {
        plait_task *task = i % 25 == 0 ? start(get_or_put, NULL) : NULL;
        CHECK_INT(plait_queue_put(queue, "x", 1, late), 0);
        CHECK_INT(task != NULL ? join(task) : get_or_put(NULL), 0);
    }
    plait_queue_destroy(queue); /* waits for nobody who is dead */
    CHECK(plait_left_ns(late) > 0);
}

static int reserve_and_die(void *arg)
{
    void *bytes = NULL;

    (void)arg;
    CHECK_INT(plait_queue_reserve(queue, &bytes, 4, PLAIT_NOWAIT), 0);
    set_number(1, 1);
    return plait_sleep(PLAIT_FOREVER);
}

CLAIM_OF_PROCESSES(what_the_dead_were_about_to_put_is_not_in_the_way)
{
    plait_waitable on[2] = { { 0 } };
    plait_task *task;

    prepare_queue(2);
    CHECK_INT(plait_queue_on_get(&on[0], queue), 0);
    for (int with_fd = 0; with_fd < 2; with_fd++) {
        if (with_fd)
            CHECK_INT(plait_pipe_on_recv(&on[1], here), 0);
        for (int can_wait = 0; can_wait < 2; can_wait++) {
            set_number(1, 0);
            task = start(reserve_and_die, NULL);
            UNTIL(number(1) == 1);
            CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_NOWAIT), 0);
            CHECK_INT(plait_select(on, 2, PLAIT_NOWAIT), -ETIMEDOUT);
            kill_it(task);
            CHECK_INT(plait_select(on, 2, can_wait ? PLAIT_FOREVER : PLAIT_NOWAIT), 0);
            CHECK_INT(plait_queue_get(queue, board, 1, PLAIT_NOWAIT), 1);
        }
    }
}

CLAIM_OF_PROCESSES(room_that_the_dead_had_reserved_is_free)
{
    plait_waitable on;

    prepare_queue(1);
    CHECK_INT(plait_queue_on_put(&on, queue, 1), 0);
    for (int can_wait = 0; can_wait < 2; can_wait++) {
        plait_task *task = start(reserve_and_die, NULL);
        UNTIL(number(1) == 1);
        set_number(1, 0);
        CHECK_INT(plait_select(&on, 1, PLAIT_NOWAIT), -ETIMEDOUT);
        kill_it(task);
        CHECK_INT(plait_select(&on, 1, can_wait ? PLAIT_FOREVER : PLAIT_NOWAIT), 0);
    }
}

CLAIM_OF_PROCESSES(the_death_of_a_task_is_ready)
{
    plait_waitable on[2] = { { 0 } };
    plait_task *task;

    prepare_queue(1);
    CHECK_INT(plait_queue_on_get(&on[1], queue), 0);
    for (int i = 0; i < 10; i++) {
        task = start(get_plainly, NULL);
        CHECK_INT(plait_task_on_end(&on[0], task), 0);
        CHECK_INT(plait_select(on, 2, PLAIT_NOWAIT), -ETIMEDOUT);
        CHECK_INT(plait_task_kill(task), 0);
        CHECK_INT(plait_select(on, 2, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), 0);
        see_killed(task);
    }
}
