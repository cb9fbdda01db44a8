/* The contract of lazies in a pool of threads.
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#define KIND PLAIT_THREAD
#include "lazy.h"

#include <sys/wait.h>
#include <unistd.h>

TEST(without_a_word_there_is_a_pool_of_threads)
{
    struct page page;
    plait_lazy *lazy = make_page_lazy(3);

    CHECK_INT(plait_lazy_get(lazy, &page, sizeof page, PLAIT_FOREVER), 0);
    CHECK_INT(page.number, 3);
    plait_lazy_destroy(lazy);
    CHECK_INT(plait_lazy_pool(PLAIT_THREAD, NULL), -EALREADY);
}

TEST(a_forked_child_has_lazies_of_its_own)
{
    struct page page;
    int status;
#ifdef __SANITIZE_THREAD__
    test_skip("the thread sanitizer ends a child that starts threads");
#endif
    plait_lazy *lazy = make_page_lazy(3);

    CHECK_INT(plait_lazy_get(lazy, &page, sizeof page, PLAIT_FOREVER), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_INT(plait_lazy_get(lazy, &page, sizeof page, PLAIT_NOWAIT), -ECHILD);
        plait_lazy_destroy(lazy);
        lazy = make_page_lazy(4);
        CHECK_INT(plait_lazy_get(lazy, &page, sizeof page, PLAIT_FOREVER), 0);
        plait_lazy_destroy(lazy);
        _exit(page.number);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(WEXITSTATUS(status), 4);
    plait_lazy_destroy(lazy);
}

/* A call that makes calls, in the same pool of one worker. */
static int add_two(int of, long *ret)
{
    plait_lazy *page = make_page_lazy(of), *length = count_letters_lazy(page);

    *ret = 1 + get_long(length);
    plait_lazy_destroy(length);
    plait_lazy_destroy(page);
    return 0;
}

PLAIT_LAZY(add_two, long, int);

TEST(a_call_may_make_calls)
{
    plait_lazy *sums[4];

    prepare(1);
    for (int i = 0; i < 4; i++)
        sums[i] = add_two_lazy(i);
    for (int i = 3; i >= 0; i--) {
        CHECK_INT(get_long(sums[i]), 200 + i);
        plait_lazy_destroy(sums[i]);
    }
}
