/* Tests of a word that names its owner.
 * SPDX-License-Identifier: MIT
 */
#include "family/member.h"
#include "sync/owned.h"
#include "wait/wait.h"

#include "test.h"
#include "threads.h"

#include <plait/time.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void add_one(uint32_t *to)
{
    __atomic_fetch_add(to, 1, __ATOMIC_SEQ_CST);
}

static uint32_t load(const uint32_t *at)
{
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}

/* A word that other processes see. */
static uint32_t *shared_word(void)
{
    CHECK_INT(plait__member_join(), 0);
    return (uint32_t *)&plait__family()->heap[13];
}

TEST(a_free_word_is_taken_and_released)
{
    uint32_t own = 0;

    CHECK_INT(plait__owned_acquire(&own, false, PLAIT_NOWAIT), 0);
    CHECK(plait__owned_is_ours(&own));
    CHECK_INT(plait__owned_acquire(&own, false, PLAIT_NOWAIT), -ETIMEDOUT);
    plait__owned_release(&own);
    CHECK_INT(own, 0);
}

TEST(the_word_of_a_killed_owner_is_free_and_broken)
{
    uint32_t *shared = shared_word();
    pid_t pid = fork();

    if (pid == 0) {
        CHECK_INT(plait__owned_acquire(shared, false, PLAIT_FOREVER), 0);
        raise(SIGKILL);
    }
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_INT(plait__owned_acquire(shared, false, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait__owned_acquire(shared, false, PLAIT_NOWAIT), -EOWNERDEAD);
    CHECK_INT(plait__owned_acquire(shared, true, PLAIT_NOWAIT), 1);
    plait__owned_release(shared);
    CHECK_INT(plait__owned_acquire(shared, true, PLAIT_NOWAIT), 1);
    plait__owned_mend(shared);
    plait__owned_release(shared);
    CHECK_INT(plait__owned_acquire(shared, false, PLAIT_NOWAIT), 0);
    plait__owned_release(shared);
    CHECK_INT(*shared, 0);
}

TEST(an_unreaped_owner_is_dead_too)
{
    uint32_t *shared = shared_word();
    siginfo_t info;
    pid_t pid = fork();

    if (pid == 0) {
        CHECK_INT(plait__owned_acquire(shared, false, PLAIT_FOREVER), 0);
        _exit(0);
    }
    CHECK_INT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    CHECK_INT(plait__owned_acquire(shared, false, PLAIT_NOWAIT), -EOWNERDEAD);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

TEST(a_private_word_held_across_a_fork_is_an_error_in_the_child)
{
    static uint32_t own;
    int status;

    CHECK_INT(plait__owned_acquire(&own, false, PLAIT_NOWAIT), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_INT(plait__owned_acquire(&own, false, PLAIT_FOREVER), -EDEADLK);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

/* ---- seeing it free ---- */

static uint32_t word;
static uint32_t n_ended; /* atomic */

static void wait_until_free(void *arg)
{
    (void)arg;
    CHECK_INT(plait__owned_wait(&word, PLAIT_FOREVER), 0);
    add_one(&n_ended);
}

TEST(all_who_wait_to_see_it_free_are_told_by_one_release)
{
    CHECK_INT(plait__owned_wait(&word, PLAIT_NOWAIT), 0);
    CHECK_INT(plait__owned_acquire(&word, false, PLAIT_NOWAIT), 0);
    CHECK_INT(plait__owned_wait(&word, PLAIT_NOWAIT), -ETIMEDOUT);
    for (int i = 0; i < 4; i++)
        CHECK_INT(start_detached(wait_until_free, NULL, 0), 0);
    while (!(load(&word) & PLAIT__OWNED_WAITERS))
        plait_sleep(plait_after_ms(1));
    plait_sleep(plait_after_ms(20));
    CHECK_INT(load(&n_ended), 0);
    plait__owned_release(&word);
    while (load(&n_ended) < 4)
        plait_sleep(plait_after_ms(1));
    CHECK_INT(plait__owned_by(word), 0);
}

TEST(a_wait_to_see_it_free_tells_of_a_death)
{
    uint32_t *shared = shared_word();
    pid_t pid = fork();

    if (pid == 0) {
        CHECK_INT(plait__owned_acquire(shared, false, PLAIT_FOREVER), 0);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_INT(plait__owned_wait(shared, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait__owned_wait(shared, PLAIT_NOWAIT), -EOWNERDEAD);
}
