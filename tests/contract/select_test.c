/* The contract of select.
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>

#include "family/member.h"
#include "select_things.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>

static int make_ready_soon(void *arg)
{
    a_moment();
    make_ready((enum thing)(uintptr_t)arg);
    return 0;
}

/* A select on these, begun before the thing is made ready by another task. */
static ssize_t select_while(enum thing thing, const plait_waitable *some, size_t n)
{
    plait_task *task = start(make_ready_soon, (void *)(uintptr_t)thing);
    ssize_t which = plait_select(some, n, PLAIT_FOREVER);

    CHECK_INT(join(task), 0);
    return which;
}

/* In process kind each start also shows that no thread is left behind by the select before. */
CLAIM(what_becomes_ready_while_one_sleeps_on_it_alone_is_told)
{
    make_things();
    for (enum thing i = 0; i < THINGS; i++) {
        CHECK_INT(plait_select(&on[i], 1, PLAIT_NOWAIT), -ETIMEDOUT);
        CHECK_INT(select_while(i, &on[i], 1), 0);
        CHECK_INT(plait_select(&on[i], 1, PLAIT_NOWAIT), 0);
        CHECK_INT(plait_select(&on[i], 1, PLAIT_FOREVER), 0);
    }
    end_things();
}

CLAIM(what_becomes_ready_while_one_sleeps_on_all_kinds_is_told)
{
    make_things();
    for (enum thing i = 0; i < THINGS; i++) {
        CHECK_INT(select_while(i, on, THINGS), i);
        CHECK_INT(plait_select(on, THINGS, PLAIT_NOWAIT), i);
        on[i] = (plait_waitable){ 0 };
    }
    end_things();
}

CLAIM(the_first_of_those_that_are_ready_is_told)
{
    make_things();
    for (enum thing i = THINGS; i-- > 0;) {
        make_ready(i);
        CHECK_INT(plait_select(&on[i], 1, PLAIT_FOREVER), 0);
        CHECK_INT(plait_select(on, THINGS, PLAIT_NOWAIT), i);
        CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), i);
    }
    end_things();
}

CLAIM(what_becomes_ready_while_one_sleeps_on_two_is_told)
{
    make_things();
    for (enum thing i = 0; i < THINGS; i++) {
        plait_waitable two[2] = { on[i], on[(i + 1) % THINGS] };
        if (i + 1 == THINGS) /* the first one is ready by now */
            two[1] = (plait_waitable){ 0 };
        CHECK_INT(select_while(i, two, 2), 0);
    }
    end_things();
}

CLAIM(all_that_are_ready_are_told)
{
    size_t ready[THINGS] = { 99, 99, 99 };

    make_things();
    CHECK_INT(plait_select_all(on, THINGS, ready, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(ready[0], 99);
    make_ready(READ);
    CHECK_INT(plait_select_all(on, THINGS, ready, PLAIT_FOREVER), 1);
    CHECK_INT(ready[0], READ);
    make_ready(EVENT);
    make_ready(GET);
    CHECK_INT(plait_select_all(on, THINGS, ready, PLAIT_FOREVER), 3);
    CHECK_INT(ready[0], GET);
    CHECK_INT(ready[1], EVENT);
    CHECK_INT(ready[2], READ);
    for (enum thing i = 0; i < THINGS; i++)
        if (i != GET && i != EVENT && i != READ)
            make_ready(i);
    CHECK_INT(plait_select(&on[END], 1, PLAIT_FOREVER), 0);
    CHECK_INT(plait_select_all(on, THINGS, ready, PLAIT_NOWAIT), THINGS);
    for (size_t i = 0; i < THINGS; i++)
        CHECK_INT(ready[i], i);
    end_things();
}

CLAIM(a_select_ends_at_its_deadline)
{
    make_things();
    for (enum thing i = 0; i < THINGS; i++) {
        plait_deadline soon = plait_after_ms(15);
        CHECK_INT(plait_select(&on[i], 1, soon), -ETIMEDOUT);
        CHECK_INT(plait_left_ns(soon), 0);
        soon = plait_after_ms(15);
        CHECK_INT(plait_select(&on[i], THINGS - i, soon), -ETIMEDOUT);
        CHECK_INT(plait_left_ns(soon), 0);
    }
    CHECK_INT(plait_select(on, THINGS, plait_after_ms(-1)), -ETIMEDOUT);
    end_things();
}

CLAIM(nothing_is_never_ready)
{
    plait_waitable none[3] = { { 0 } };
    plait_deadline soon = plait_after_ms(15);

    CHECK_INT(sizeof none[0], 64);
    CHECK_INT(plait_select(NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_select(NULL, 0, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    CHECK_INT(plait_select_all(NULL, 0, NULL, PLAIT_NOWAIT), -ETIMEDOUT);
    soon = plait_after_ms(15);
    CHECK_INT(plait_select(none, 3, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    make_things();
    none[1] = on[EVENT];
    CHECK_INT(select_while(EVENT, none, 3), 1);
    end_things();
}

/* ---- the ends of things ---- */

CLAIM(the_end_of_a_queue_is_ready)
{
    plait_waitable both[2];

    make_things();
    both[0] = on[PUT];
    both[1] = on[GET];
    CHECK_INT(plait_queue_close(things.empty), 0);
    CHECK_INT(plait_select(both, 2, PLAIT_FOREVER), 1);
    CHECK_INT(plait_queue_get(things.empty, NULL, 0, PLAIT_NOWAIT), -EPIPE);
    CHECK_INT(plait_queue_close(things.full), 0);
    CHECK_INT(plait_select(both, 2, PLAIT_FOREVER), 0);
    CHECK_INT(plait_queue_put(things.full, "x", 1, PLAIT_NOWAIT), -EPIPE);
    end_things();
}

static int close_soon(void *arg)
{
    a_moment();
    return plait_queue_close(arg);
}

static int drop_soon(void *arg)
{
    a_moment();
    return plait_queue_shutdown(arg, true);
}

CLAIM(who_sleeps_is_told_of_the_end_of_a_queue)
{
    plait_task *task;

    make_things();
    task = start(close_soon, things.empty);
    CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), GET);
    CHECK_INT(join(task), 0);
    task = start(drop_soon, things.full);
    CHECK_INT(plait_select(on + PUT, THINGS - PUT, PLAIT_FOREVER), 0);
    CHECK_INT(join(task), 0);
    end_things();
}

static int select_get(void *arg)
{
    (void)arg;
    return (int)plait_select(&on[GET], 1, PLAIT_FOREVER);
}

CLAIM(who_sleeps_is_told_that_a_queue_is_destroyed)
{
    plait_task *tasks[3];

    make_things();
    for (int i = 0; i < 3; i++)
        tasks[i] = start(select_get, NULL);
    UNTIL(plait__bell_awaited(&things.empty->ring.shared->get_bell));
    a_moment();
    plait_queue_destroy(things.empty);
    for (int i = 0; i < 3; i++)
        CHECK_INT(join(tasks[i]), -EPIPE);
    end_things();
}

TEST(the_end_of_a_file_is_ready)
{
    prepare(PLAIT_THREAD, true);
    make_things();
    CHECK_INT(plait_pipe_close(things.asker), 0);
    CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), RECV);
    CHECK_INT(plait_pipe_close(things.asked), 0);
    CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), -EBADF);
    on[RECV] = (plait_waitable){ 0 };
    CHECK_INT(close(things.fds[1]), 0);
    CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), READ);
    CHECK_INT(close(things.clogged_fds[0]), 0);
    on[READ] = (plait_waitable){ 0 };
    CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), WRITE);
    end_things();
}

/* ---- hints ---- */

CLAIM(an_item_that_is_being_written_is_not_ready)
{
    void *bytes = NULL;

    make_things();
    CHECK_INT(plait_queue_reserve(things.empty, &bytes, 1, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_put(things.empty, "x", 1, PLAIT_NOWAIT), 0); /* behind it */
    CHECK_INT(plait_select(on, THINGS, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_select(on, THINGS, plait_after_ms(15)), -ETIMEDOUT);
    CHECK_INT(plait_queue_abort(things.empty, bytes), 0);
    CHECK_INT(plait_select(on, THINGS, PLAIT_NOWAIT), GET);
    end_things();
}

CLAIM(room_is_ready_when_it_is_enough)
{
    plait_queue *queue = NULL;
    plait_waitable room;
    const void *bytes = NULL;

    CHECK_INT(plait_queue_create(&queue, &(plait_queue_opts){ .max_bytes = 1024 }), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(plait_queue_put(queue, board, 240, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_on_put(&room, queue, 300), 0);
    CHECK_INT(plait_select(&room, 1, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_borrow(queue, &bytes, PLAIT_NOWAIT), 240);
    CHECK_INT(plait_select(&room, 1, plait_after_ms(15)), -ETIMEDOUT);
    CHECK_INT(plait_queue_release(queue, bytes), 0);
    CHECK_INT(plait_select(&room, 1, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_borrow(queue, &bytes, PLAIT_NOWAIT), 240);
    CHECK_INT(plait_queue_release(queue, bytes), 0);
    CHECK_INT(plait_select(&room, 1, PLAIT_FOREVER), 0);
    CHECK_INT(plait_queue_put(queue, board, 300, PLAIT_NOWAIT), 0);
    plait_queue_destroy(queue);
}

CLAIM(an_item_that_is_too_large_is_ready_to_be_refused)
{
    plait_queue *queue = NULL;
    plait_waitable room;

    CHECK_INT(plait_queue_create(&queue, &(plait_queue_opts){ .max_item_bytes = 10 }), 0);
    CHECK_INT(plait_queue_put(queue, board, 10, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_on_put(&room, queue, 11), 0);
    CHECK_INT(plait_select(&room, 1, PLAIT_FOREVER), 0);
    CHECK_INT(plait_queue_put(queue, board, 11, PLAIT_NOWAIT), -EMSGSIZE);
    plait_queue_destroy(queue);
}

CLAIM(room_for_a_large_item_is_ready_when_it_is_enough)
{
    static char bytes[2000];
    plait_queue *queue = NULL;
    plait_waitable room;

    CHECK_INT(plait_queue_create(&queue, &(plait_queue_opts){ .max_bytes = 1024 }), 0);
    CHECK_INT(plait_queue_put(queue, bytes, sizeof bytes, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_on_put(&room, queue, sizeof bytes), 0);
    CHECK_INT(plait_select(&room, 1, plait_after_ms(15)), -ETIMEDOUT);
    CHECK_INT(plait_queue_get(queue, bytes, sizeof bytes, PLAIT_NOWAIT), sizeof bytes);
    CHECK_INT(plait_select(&room, 1, PLAIT_FOREVER), 0);
    CHECK_INT(plait_queue_put(queue, bytes, sizeof bytes, PLAIT_NOWAIT), 0);
    plait_queue_destroy(queue);
}

static int set_and_clear(void *arg)
{
    UNTIL(has_bit(&things.event->word, 2));
    CHECK_INT(plait_event_set(arg), 0);
    return plait_event_clear(arg);
}

CLAIM(an_event_that_was_set_and_cleared_is_told_to_who_slept)
{
    plait_task *task;

    make_things();
    task = start(set_and_clear, things.event);
    CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), EVENT);
    CHECK_INT(join(task), 0);
    CHECK_INT(plait_select(on, THINGS, PLAIT_NOWAIT), -ETIMEDOUT);
    end_things();
}

/* ---- being cancelled ---- */

static uint32_t asleep; /* atomic */

static int select_some(void *arg)
{
    size_t i = (size_t)(uintptr_t)arg;
    size_t first = i < THINGS ? i : 0, n = i < THINGS ? 1 : THINGS;

    __atomic_store_n(&asleep, 1, __ATOMIC_SEQ_CST);
    return (int)plait_select(on + first, n, PLAIT_FOREVER);
}

CLAIM_OF_THREADS(a_cancel_ends_a_select)
{
    make_things();
    for (size_t i = 0; i <= THINGS; i++) {
        plait_outcome end = { 0 };
        plait_task *task = start(select_some, (void *)(uintptr_t)i);
        UNTIL(__atomic_exchange_n(&asleep, 0, __ATOMIC_SEQ_CST) != 0);
        if (i % 2 == 0)
            a_moment();
        CHECK_INT(plait_task_terminate(task), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(task, &end), 0);
        CHECK_INT(end.kind, PLAIT_CANCELLED);
        plait_task_destroy(task);
    }
    end_things();
}

static int select_cancelled(void *arg)
{
    (void)arg;
    CHECK_INT(plait_task_terminate(plait_task_current()), 0);
    for (enum thing i = 0; i < THINGS; i++)
        CHECK_INT(plait_select(&on[i], 1, PLAIT_FOREVER), -ECANCELED);
    CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), -ECANCELED);
    make_ready(READ);
    CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), READ);
    make_ready(GET);
    CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), GET);
    return 0;
}

CLAIM_OF_THREADS(a_cancelled_task_is_told_of_what_is_ready)
{
    make_things();
    CHECK_INT(join(start(select_cancelled, NULL)), 0);
    end_things();
}

static void handle(int number)
{
    (void)number;
}

TEST(a_signal_handler_does_not_end_a_select)
{
    struct itimerval often = { { 0, 3000 }, { 0, 3000 } };
    plait_deadline soon;

    prepare(PLAIT_THREAD, true);
    make_things();
    CHECK_INT(sigaction(SIGALRM, &(struct sigaction){ .sa_handler = handle }, NULL), 0);
    CHECK_INT(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (enum thing i = 0; i < THINGS; i++) {
        soon = plait_after_ms(20);
        CHECK_INT(plait_select(&on[i], 1, soon), -ETIMEDOUT);
        CHECK_INT(plait_left_ns(soon), 0);
    }
    soon = plait_after_ms(20);
    CHECK_INT(plait_select(on, THINGS, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    end_things();
}

static bool has_returned;

static void *select_in_thread_of_the_host(void *arg)
{
    (void)arg;
    CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), EVENT);
    has_returned = true;
    pthread_testcancel();
    return NULL;
}

TEST(a_pthread_cancel_comes_after_a_select)
{
    pthread_t thread;
    void *end = NULL;

    prepare(PLAIT_THREAD, true);
    make_things();
    CHECK_INT(pthread_create(&thread, NULL, select_in_thread_of_the_host, NULL), 0);
    UNTIL(has_bit(&things.event->word, 2));
    a_moment();
    CHECK_INT(pthread_cancel(thread), 0);
    a_moment();
    make_ready(EVENT);
    CHECK_INT(pthread_join(thread, &end), 0);
    CHECK(end == PTHREAD_CANCELED);
    CHECK(has_returned);
    end_things();
}

/* ---- limits ---- */

CLAIM(as_many_as_there_may_be_are_waited_for)
{
    static plait_waitable many[PLAIT_SELECT_MAX + 1];
    static plait_event *events;
    size_t ready[PLAIT_SELECT_MAX];

    make_things();
    events = plait_shared_alloc(PLAIT_SELECT_MAX * sizeof *events);
    CHECK(events != NULL);
    for (size_t i = 0; i < PLAIT_SELECT_MAX; i++)
        CHECK_INT(plait_event_on_set(&many[i], &events[i]), 0);
    many[PLAIT_SELECT_MAX] = many[0];
    CHECK_INT(plait_select(many, PLAIT_SELECT_MAX + 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_select(many, PLAIT_SELECT_MAX, plait_after_ms(5)), -ETIMEDOUT);
    many[PLAIT_SELECT_MAX - 1] = on[EVENT];
    CHECK_INT(select_while(EVENT, many, PLAIT_SELECT_MAX), PLAIT_SELECT_MAX - 1);
    CHECK_INT(plait_event_clear(things.event), 0);
    many[50] = on[READ]; /* words and descriptors */
    CHECK_INT(select_while(EVENT, many, PLAIT_SELECT_MAX), PLAIT_SELECT_MAX - 1);
    make_ready(READ);
    CHECK_INT(plait_select(many, PLAIT_SELECT_MAX, PLAIT_NOWAIT), 50);
    CHECK_INT(plait_select_all(many, PLAIT_SELECT_MAX, ready, PLAIT_NOWAIT), 2);
    for (size_t i = 0; i < PLAIT_SELECT_MAX; i++)
        many[i] = on[RECV];
    CHECK_INT(select_while(RECV, many, PLAIT_SELECT_MAX), 0);
    CHECK_INT(plait_select_all(many, PLAIT_SELECT_MAX, ready, PLAIT_NOWAIT), PLAIT_SELECT_MAX);
    end_things();
}

static void fill_in_child(void *arg)
{
    plait_waitable one;

    (void)arg;
    CHECK_INT(plait_task_on_end(&one, things.task), -ECHILD);
    CHECK_INT(plait_select(&on[END], 1, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_select(on, END, PLAIT_FOREVER), GET);
}

TEST(a_forked_child_selects_but_not_on_the_tasks_of_its_parent)
{
    prepare(PLAIT_PROCESS, false);
    make_things();
    make_ready(GET);
    in_forked_child(fill_in_child, NULL);
    end_things();
}

TEST(what_cannot_be_is_refused)
{
    plait_waitable one, before;
    plait_pipe *receives = NULL, *sends = NULL;
    size_t ready;

    memset(&one, 0x5a, sizeof one);
    before = one;
    CHECK_INT(plait_queue_on_get(&one, NULL), -EINVAL);
    CHECK_INT(plait_queue_on_put(&one, NULL, 1), -EINVAL);
    CHECK_INT(plait_event_on_set(&one, NULL), -EINVAL);
    CHECK_INT(plait_pipe_on_recv(&one, NULL), -EINVAL);
    CHECK_INT(plait_pipe_on_send(&one, NULL), -EINVAL);
    CHECK_INT(plait_task_on_end(&one, NULL), -EINVAL);
    CHECK_INT(plait_task_on_end(&one, plait_task_current()), -ECHILD);
    CHECK_INT(plait_on_fd(&one, -1, PLAIT_READABLE), -EBADF);
    CHECK_INT(plait_on_fd(&one, 0, 0), -EINVAL);
    CHECK_INT(plait_on_fd(&one, 0, 4 | PLAIT_READABLE), -EINVAL);
    CHECK_INT(plait_pipe_create(&receives, &sends, &(plait_pipe_opts){ .simplex = true }), 0);
    CHECK_INT(plait_pipe_on_send(&one, receives), -EBADF);
    CHECK_INT(plait_pipe_on_recv(&one, sends), -EBADF);
    plait_pipe_destroy(receives);
    plait_pipe_destroy(sends);
    CHECK_MEM(&one, sizeof one, &before, sizeof before);

    prepare(PLAIT_THREAD, true);
    make_things();
    CHECK_INT(plait_queue_on_get(NULL, things.empty), -EINVAL);
    CHECK_INT(plait_queue_on_put(NULL, things.empty, 1), -EINVAL);
    CHECK_INT(plait_event_on_set(NULL, things.event), -EINVAL);
    CHECK_INT(plait_pipe_on_recv(NULL, things.asked), -EINVAL);
    CHECK_INT(plait_pipe_on_send(NULL, things.asked), -EINVAL);
    CHECK_INT(plait_task_on_end(NULL, things.task), -EINVAL);
    CHECK_INT(plait_on_fd(NULL, 0, PLAIT_READABLE), -EINVAL);
    CHECK_INT(plait_select(NULL, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_select_all(NULL, 1, &ready, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_select_all(on, 1, NULL, PLAIT_NOWAIT), -EINVAL);

    CHECK_INT(close(things.fds[0]), 0);
    CHECK_INT(plait_select(on, THINGS, PLAIT_FOREVER), READ); /* as poll says it */
    end_things();
}

TEST(who_is_stopped_within_a_get_does_not_hold_up_a_select_again_and_again)
{
    plait_deadline late = plait_after_ms(20000);

    prepare(PLAIT_THREAD, true);
    make_things();
    make_ready(GET);
    __atomic_store_n(&things.empty->ring.shared->get_lock, plait__member_self(), __ATOMIC_SEQ_CST);
    CHECK_INT(plait_select(&on[GET], 1, plait_after_ms(10)), -ETIMEDOUT);
    CHECK(plait_left_ns(late) > 0);
    __atomic_store_n(&things.empty->ring.shared->get_lock, 0, __ATOMIC_SEQ_CST);
    CHECK_INT(plait_select(&on[GET], 1, PLAIT_NOWAIT), 0);
    end_things();
}

TEST(without_a_descriptor_left_one_sleeps_on_words_and_descriptors)
{
    struct rlimit limit, before;

    prepare(PLAIT_THREAD, true);
    make_things();
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = 64; /* poll takes no more descriptors than there may be */
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (dup(0) >= 0)
        continue;
    CHECK_INT(select_while(READ, on, THINGS), READ);
    on[READ] = (plait_waitable){ 0 };
    CHECK_INT(select_while(EVENT, on, THINGS), EVENT);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0); /* for what looks at the program's end */
    end_things();
}
