/* The contract of lazies in a pool of coroutines.
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#define KIND PLAIT_COROUTINE
#include "lazy.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int call_exit(int status, int *ret)
{
    *ret = 0;
    exit(status);
}

PLAIT_LAZY(call_exit, int, int);

static plait_lazy *volatile left[2]; /* what nobody destroys: for a leak checker to see */

TEST(a_program_ends_whatever_is_left_and_whoever_says_so)
{
    int value, status;

    for (int in_a_call = 0; in_a_call < 2; in_a_call++) {
        pid_t pid = fork();
        if (pid == 0) {
            prepare(2);
            left[0] = stand_lazy(board);
            await_begun(1);
            if (in_a_call) {
                left[1] = call_exit_lazy(6);
                plait_lazy_get(left[1], &value, sizeof value, PLAIT_FOREVER);
            }
            exit(6);
        }
        CHECK_INT(test_waitpid(pid, &status, 0), pid);
        CHECK_INT(WEXITSTATUS(status), 6);
    }
}

/* ---- a pool that cannot be made ---- */

enum {
    NOBODY_ELSE = 61234, /* a user who has no process: a limit on processes counts ours alone */
    THREADS = 3          /* the first ones of a pool begin, and have to end again */
};

static int make_large_pool(void *arg)
{
    (void)arg;
    CHECK_INT(plait_lazy_pool(PLAIT_THREAD, &(plait_pool_opts){ .workers = 8 }), -EAGAIN);
    return 0;
}

static void make_pools_at_once(void)
{
    struct rlimit limit = { THREADS, THREADS };
    plait_group *group = NULL;

    CHECK_INT(setgid(NOBODY_ELSE), 0);
    CHECK_INT(setuid(NOBODY_ELSE), 0);
    CHECK_INT(setrlimit(RLIMIT_NPROC, &limit), 0);
    CHECK_INT(plait_group_create(&group, NULL), 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_group_go(group, make_large_pool, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    plait_group_destroy(group);
}

/* The one that waits for the end of those that had begun lets the others run. */
TEST(coroutines_that_make_the_pool_at_once_do_not_wait_for_each_other_for_ever)
{
    int status;
    pid_t pid;

    if (getuid() != 0)
        test_skip("needs root");
    pid = fork();
    if (pid == 0) {
        make_pools_at_once();
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}
