/* No memory, descriptors or processes are left: a pool does with what it has, or says so, and hangs
 * nobody.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND PLAIT_PROCESS
#include "child.h"
#include "pool_pids.h"
#include "pool_support.h"
#include "shortage.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum {
    LARGE = 200000,
    A_USER = 50000 /* and the pid: a user of whom nothing else runs */
};

/* ---- memory ---- */

static void fill_heap(void **ret_large)
{
    *ret_large = take_all(2 * LARGE);
    CHECK(*ret_large != NULL);
    take_all(8192);
    take_all(64);
}

static int write_large(plait_task *task, const void *in, size_t n)
{
    static char large[LARGE];

    (void)in;
    (void)n;
    return plait_task_write(task, large, sizeof large);
}

TEST(a_full_heap_is_told_by_what_needs_room_in_it_and_by_nothing_else)
{
    static char large[LARGE], got[LARGE];
    plait_pool *more = NULL;
    plait_future *future = NULL;
    void *last;

    limit_memory();
    create_with(1);
    check_square(submit_square(1), 1);
    fill_heap(&last);
    check_square(submit_square(2), 2);
    CHECK_INT(plait_pool_create(&more, KIND, NULL), -ENOMEM);
    plait_job job = { .fn = count, .in = large, .in_bytes = sizeof large };
    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_FOREVER), -ENOMEM);
    CHECK(more == NULL && future == NULL);
    plait_result result = end_of(submit_job((plait_job){ .text_fn = write_large }));
    CHECK_INT(result.end, PLAIT_JOB_LOST);
    CHECK_INT(result.cause, PLAIT_CAUSE_MEMORY);
    check_square(submit_square(3), 3);
    CHECK_INT(plait_shared_free(last), 0);
    future = submit_job((plait_job){ .text_fn = write_large });
    CHECK_INT(plait_future_get(future, got, sizeof got, PLAIT_FOREVER), sizeof got);
    plait_future_unref(future);
    destroy();
}

/* ---- descriptors ---- */

TEST(a_pool_needs_no_descriptors_of_its_owner_once_it_is_made)
{
    struct rlimit limit;

    create_with(2);
    check_square(submit_square(1), 1);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, limit.rlim_max }), 0);
    int fd = dup(0);
    CHECK(fd == -1 && errno == EMFILE); /* the limit bites */
    for (long i = 0; i < 20; i++)
        check_square(submit_square(i), i);
    CHECK_INT(plait_pool_resize(pool, 3), 0);
    for (long i = 0; i < 20; i++)
        check_square(submit_square(i), i);
    destroy();
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0); /* a sanitizer needs some at the end */
}

TEST(a_pool_for_which_no_descriptors_are_left_is_refused)
{
    struct rlimit limit;

    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (rlim_t n = 3; n < 12; n++) {
        pool = NULL;
        CHECK_INT(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ n, limit.rlim_max }), 0);
        int rc = plait_pool_create(&pool, KIND, &(plait_pool_opts){ .workers = 1 });
        CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (rc == 0) { /* the keeper has the limit still, and so have the workers */
            plait_result end = end_of(submit_square(3));
            if (end.end != PLAIT_JOB_LOST || end.cause != PLAIT_CAUSE_INIT)
                CHECK_INT(end.end, PLAIT_JOB_VALUE);
            destroy();
            break;
        }
        if (rc != -EMFILE && rc != -ENOMEM)
            test_fail(__FILE__, __LINE__, "with %d descriptors: %s", (int)n, plait_errname(rc));
        CHECK(pool == NULL);
    }
}

TEST_LIMIT(what_is_queued_is_lost_when_no_new_keeper_can_be_made_for_long_and_later_one_helps, 90)
{
    long n = 3;
    plait_job job = { .fn = square, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof n };
    struct rlimit limit;

    create_with(1);
    check_square(submit_square(1), 1);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    kill_keeper();
    /* one: to poll */
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 1, limit.rlim_max }), 0);
    plait_result result = end_of(submit_square(2));
    CHECK_INT(result.end, PLAIT_JOB_LOST);
    CHECK_INT(result.cause, PLAIT_CAUSE_KEEPER);
    CHECK_INT(try_submit(job, PLAIT_NOWAIT), PLAIT_EPOOL);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    UNTIL(try_submit(job, PLAIT_NOWAIT) == 0);
    check_square(submit_square(4), 4);
    destroy();
}

/* ---- processes ---- */

static int die(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return raise(SIGKILL);
}

/* As an ordinary user: a limit does not bind root. The keeper counts, and this process. */
static void limit_processes(rlim_t n, struct rlimit *ret_before)
{
    if (geteuid() == 0) {
        CHECK_INT(setgroups(0, NULL), 0);
        uid_t user = A_USER + (uid_t)getpid();
        CHECK_INT(setgid(user), 0);
        CHECK_INT(setuid(user), 0);
    }
    CHECK_INT(getrlimit(RLIMIT_NPROC, ret_before), 0);
    CHECK_INT(setrlimit(RLIMIT_NPROC, &(struct rlimit){ n, ret_before->rlim_max }), 0);
}

/* A sanitizer needs one at the end. */
static void unlimit_processes(const struct rlimit *before)
{
    CHECK_INT(setrlimit(RLIMIT_NPROC, before), 0);
}

static void require_root(void)
{
    if (geteuid() != 0)
        test_skip("only root can become a user of whom nothing else runs");
}

TEST_LIMIT(a_pool_that_gets_fewer_workers_than_it_wants_works_with_those, 40)
{
    struct rlimit before;

    require_root();
    limit_processes(3, &before); /* this one, the keeper, and one worker */
    create_with(4);
    for (long i = 0; i < 50; i++)
        check_square(submit_square(i), i);
    CHECK_INT(end_of(submit(die)).end, PLAIT_JOB_LOST);
    check_square(submit_square(5), 5);
    pid_t pid = fork();
    CHECK(pid < 0); /* the limit bites */
    destroy();
    unlimit_processes(&before);
}

TEST_LIMIT(a_pool_that_gets_no_worker_says_so_and_hangs_nobody, 60)
{
    long n = 3;
    plait_job job = { .fn = square, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof n };
    plait_future *future = NULL;
    struct rlimit before;
    int rc;

    require_root();
    limit_processes(2, &before); /* this one and the keeper */
    rc = plait_pool_create(&pool, KIND, &(plait_pool_opts){ .workers = 2 });
    if (rc == 0) {
        rc = plait_pool_submit(pool, &future, &job, plait_after_ms(15000));
        if (rc == 0) {
            CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
            CHECK_INT(plait_future_is_successful(future), 0);
            UNTIL((rc = try_submit(job, PLAIT_NOWAIT)) < 0);
        }
        CHECK_INT(rc, PLAIT_EPOOL);
        plait_future_unref(future);
        destroy();
    } else {
        CHECK(rc == -EAGAIN || rc == PLAIT_EPOOL);
    }
    unlimit_processes(&before);
}
