/* The contract of lazies in a pool of coroutines.
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#define KIND PLAIT_COROUTINE
#include "lazy.h"

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
