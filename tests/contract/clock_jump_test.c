/* The time of day jumps by years while tasks wait: no wait ends early or late for that.
 * SPDX-License-Identifier: MIT
 *
 * The program's own clock_gettime stands before the C library's: whoever asks for the time of day
 * is told another year each time. A wait that stood on it would end at once, or never.
 */
#include <plait.h>

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

enum {
    YEAR_S = 365 * 24 * 3600,
    WAIT_MS = 30
};

static unsigned n_jumps;

int clock_gettime(clockid_t id, struct timespec *ret)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ret);

    if (rc == 0 && id == CLOCK_REALTIME)
        ret->tv_sec += ++n_jumps % 2 == 0 ? YEAR_S : -YEAR_S;
    return rc;
}

static int64_t now_ns(void)
{
    struct timespec now;

    CHECK_INT(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* CHECKs that this call times out, and not before its time. That it ends at all the case's time
 * limit says. */
#define TIMES_OUT(call)                                        \
    do {                                                       \
        int64_t begin = now_ns();                              \
        plait_deadline until = plait_after_ms(WAIT_MS);        \
        CHECK_INT((call), -ETIMEDOUT);                         \
        CHECK(now_ns() - begin >= (int64_t)WAIT_MS * 1000000); \
    } while (0)

static int hold(void *arg)
{
    plait_lock *lock = arg;

    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    while (plait_sleep(PLAIT_FOREVER) == 0)
        continue;
    return plait_lock_release(lock);
}

static void see_waits(void)
{
    struct {
        plait_lock lock, held;
        plait_condition condition;
        plait_event event;
        plait_semaphore semaphore;
        plait_barrier barrier;
    } *all = plait_shared_alloc(sizeof *all);

    plait_queue *queue = NULL;
    plait_pipe *ends[2];
    plait_task *holder = NULL;
    char byte;

    CHECK(all != NULL);
    CHECK_INT(plait_barrier_init(&all->barrier, 2), 0);
    CHECK_INT(plait_queue_create(&queue, NULL), 0);
    CHECK_INT(plait_pipe_create(&ends[0], &ends[1], NULL), 0);
    CHECK_INT(plait_lock_acquire(&all->lock, PLAIT_FOREVER), 0);
    TIMES_OUT(plait_condition_wait(&all->condition, &all->lock, until));
    TIMES_OUT(plait_event_wait(&all->event, until));
    TIMES_OUT(plait_semaphore_acquire(&all->semaphore, until));
    TIMES_OUT(plait_barrier_wait(&all->barrier, until));
    TIMES_OUT((int)plait_queue_get(queue, &byte, 1, until));
    TIMES_OUT((int)plait_pipe_recv(ends[0], &byte, 1, until));
    CHECK_INT(plait_task_start(&holder, PLAIT_THREAD, hold, &all->held, NULL), 0);
    while (!plait_lock_is_held(&all->held))
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    TIMES_OUT(plait_lock_acquire(&all->held, until));
    TIMES_OUT(plait_task_join(holder, until));
    CHECK_INT(plait_task_terminate(holder), 0);
    CHECK_INT(plait_task_join(holder, PLAIT_FOREVER), 0);
    plait_task_destroy(holder);
    plait_pipe_destroy(ends[0]);
    plait_pipe_destroy(ends[1]);
    plait_queue_destroy(queue);
}

TEST(no_wait_stands_on_the_time_of_day)
{
    struct timespec first, second;

    clock_gettime(CLOCK_REALTIME, &first);
    clock_gettime(CLOCK_REALTIME, &second);
    CHECK(second.tv_sec - first.tv_sec > YEAR_S); /* it is ours that is asked */
    see_waits();
}

static int note(void *arg, uint64_t ticks)
{
    *(int64_t *)arg = now_ns();
    return ticks == 1 ? 0 : -1;
}

TEST(no_timer_stands_on_the_time_of_day)
{
    static const plait_kind kinds[] = { PLAIT_THREAD, PLAIT_COROUTINE };
    const plait_timer_opts once = { .after_ms = WAIT_MS };

    for (int i = 0; i < 2; i++) {
        int64_t begin = now_ns(), at = 0;
        plait_task *timer = NULL;
        plait_outcome end;
        CHECK_INT(plait_timer_start(&timer, kinds[i], note, &at, &once), 0);
        CHECK_INT(plait_task_join(timer, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(timer, &end), 0);
        CHECK_INT(end.code, 0);
        CHECK(at - begin >= (int64_t)WAIT_MS * 1000000);
        plait_task_destroy(timer);
    }
}

static int stand(void *arg)
{
    for (;;)
        pause();
    return arg != NULL;
}

void test_begin(int *argc, char ***argv)
{
    plait_init(argc, argv);
}

TEST(no_wait_for_a_process_stands_on_the_time_of_day)
{
    const char *const argv[] = { "sleep", "1000", NULL };
    plait_subprocess *p = NULL;

    for (int method = PLAIT_START_FORK; method <= PLAIT_START_FORKSERVER; method++) {
        const plait_task_opts opts = { .method = method };
        plait_task *task = NULL;
        CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, stand, NULL, &opts), 0);
        TIMES_OUT(plait_task_join(task, until));
        CHECK_INT(plait_task_kill(task), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        plait_task_destroy(task);
    }
    CHECK_INT(plait_subprocess_start(&p, argv, NULL), 0);
    TIMES_OUT(plait_subprocess_wait(p, until));
    CHECK_INT(plait_subprocess_kill(p), 0);
    CHECK_INT(plait_subprocess_wait(p, PLAIT_FOREVER), 0);
    plait_subprocess_destroy(p);
}
