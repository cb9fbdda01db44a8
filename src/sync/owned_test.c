/* Tests of a word that names its owner.
 * SPDX-License-Identifier: MIT
 */
#include "family/member.h"
#include "sync/owned.h"

#include "test.h"

#include <plait/time.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A word that other processes see. */
static uint32_t *shared_word(void)
{
    CHECK_INT(plait__member_join(), 0);
    return (uint32_t *)&plait__family()->heap[13];
}

TEST(a_free_word_is_taken_and_released)
{
    uint32_t word = 0;

    CHECK_INT(plait__owned_acquire(&word, false, PLAIT_NOWAIT), 0);
    CHECK(plait__owned_is_ours(&word));
    CHECK_INT(plait__owned_acquire(&word, false, PLAIT_NOWAIT), -ETIMEDOUT);
    plait__owned_release(&word);
    CHECK_INT(word, 0);
}

TEST(the_word_of_a_killed_owner_is_free_and_broken)
{
    uint32_t *word = shared_word();
    pid_t pid = fork();

    if (pid == 0) {
        CHECK_INT(plait__owned_acquire(word, false, PLAIT_FOREVER), 0);
        raise(SIGKILL);
    }
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_INT(plait__owned_acquire(word, false, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait__owned_acquire(word, false, PLAIT_NOWAIT), -EOWNERDEAD);
    CHECK_INT(plait__owned_acquire(word, true, PLAIT_NOWAIT), 1);
    plait__owned_release(word);
    CHECK_INT(plait__owned_acquire(word, true, PLAIT_NOWAIT), 1);
    plait__owned_mend(word);
    plait__owned_release(word);
    CHECK_INT(plait__owned_acquire(word, false, PLAIT_NOWAIT), 0);
    plait__owned_release(word);
    CHECK_INT(*word, 0);
}

TEST(an_unreaped_owner_is_dead_too)
{
    uint32_t *word = shared_word();
    siginfo_t info;
    pid_t pid = fork();

    if (pid == 0) {
        CHECK_INT(plait__owned_acquire(word, false, PLAIT_FOREVER), 0);
        _exit(0);
    }
    CHECK_INT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    CHECK_INT(plait__owned_acquire(word, false, PLAIT_NOWAIT), -EOWNERDEAD);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

TEST(a_private_word_held_across_a_fork_is_an_error_in_the_child)
{
    static uint32_t word;
    int status;

    CHECK_INT(plait__owned_acquire(&word, false, PLAIT_NOWAIT), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_INT(plait__owned_acquire(&word, false, PLAIT_FOREVER), -EDEADLK);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}
