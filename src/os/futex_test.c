/* Sleeping on a word.
 * SPDX-License-Identifier: MIT
 */
#include "os/futex.h"

#include "os/clock.h"
#include "os/probe.h"
#include "os/thread.h"
#include "test.h"
#include "threads.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MS = 1000 * 1000
};

static uint32_t word, word2, done;

static void load_and_check(uint32_t *at, uint32_t want)
{
    while (__atomic_load_n(at, __ATOMIC_SEQ_CST) != want)
        plait__os_futex_wait(at, __atomic_load_n(at, __ATOMIC_SEQ_CST), plait__os_now_ns() + MS);
}

TEST(a_word_with_another_value_is_not_waited_for)
{
    word = 1;
    CHECK_INT(plait__os_futex_wait(&word, 0, INT64_MAX), -EAGAIN);
}

TEST(a_wait_ends_at_its_deadline_and_not_before)
{
    int64_t until = plait__os_now_ns() + 20 * MS;

    CHECK_INT(plait__os_futex_wait(&word, 0, until), -ETIMEDOUT);
    CHECK(plait__os_now_ns() >= until);
    CHECK_INT(plait__os_futex_wait(&word, 0, 0), -ETIMEDOUT);
    CHECK_INT(plait__os_futex_wait(&word, 0, -5), -ETIMEDOUT);
}

static void sleep_on_word(void *arg)
{
    (void)arg;
    while (plait__os_futex_wait(&word, 0, INT64_MAX) == 0 &&
           __atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0)
        ;
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
    plait__os_futex_wake(&done, UINT_MAX);
}

TEST(all_sleepers_are_woken)
{
    for (int i = 0; i < 4; i++)
        CHECK_INT(start_detached(sleep_on_word, NULL, 0), 0);
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    CHECK(plait__os_futex_wake(&word, UINT_MAX) <= 4);
    load_and_check(&done, 4);
    CHECK_INT(plait__os_futex_wake(&word, UINT_MAX), 0);
}

TEST(another_process_is_woken_through_shared_memory)
{
    uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    pid_t pid;

    CHECK(shared != MAP_FAILED);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        while (__atomic_load_n(shared, __ATOMIC_SEQ_CST) == 0)
            plait__os_futex_wait(shared, 0, INT64_MAX);
        _exit(7);
    }
    usleep(10000); /* most likely it sleeps now; if not, the claim holds all the same */
    __atomic_store_n(shared, 1, __ATOMIC_SEQ_CST);
    plait__os_futex_wake(shared, 1);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(WEXITSTATUS(status), 7);
}

TEST(a_wake_leaves_errno_alone)
{
    errno = ENOENT;
    plait__os_futex_wake(NULL, 1);
    CHECK_INT(errno, ENOENT);
}

static void change_word2(void *arg)
{
    (void)arg;
    usleep(10000);
    __atomic_store_n(&word2, 1, __ATOMIC_SEQ_CST);
    plait__os_futex_wake(&word2, 1);
}

TEST(two_words_are_slept_on_at_once)
{
    if (!plait__probe_has(PLAIT__PROBE_FUTEX_WAITV))
        return; /* the promise asks for the probe */
    word = 1;
    CHECK_INT(plait__os_futex_wait2(&word, 0, &word2, 0, INT64_MAX), -EAGAIN);
    CHECK_INT(plait__os_futex_wait2(&word2, 0, &word, 0, INT64_MAX), -EAGAIN);
    word = 0;
    CHECK_INT(plait__os_futex_wait2(&word, 0, &word2, 0, plait__os_now_ns() + 5 * MS), -ETIMEDOUT);
    CHECK_INT(plait__os_futex_wait2(&word, 0, &word2, 0, 0), -ETIMEDOUT);
    CHECK_INT(start_detached(change_word2, NULL, 0), 0);
    while (__atomic_load_n(&word2, __ATOMIC_SEQ_CST) == 0) {
        int rc = plait__os_futex_wait2(&word, 0, &word2, 0, INT64_MAX);
        CHECK(rc == 0 || rc == -EAGAIN);
    }
}

TEST(many_words_are_slept_on_at_once)
{
    static uint32_t many[PLAIT__FUTEX_MOST];
    struct plait__futex words[PLAIT__FUTEX_MOST];

    if (!plait__probe_has(PLAIT__PROBE_FUTEX_WAITV))
        return; /* the promise asks for the probe */
    for (size_t i = 0; i < PLAIT__FUTEX_MOST; i++)
        words[i] = (struct plait__futex){ &many[i], 0 };
    for (size_t n = 1; n <= PLAIT__FUTEX_MOST; n++) {
        CHECK_INT(plait__os_futex_wait_any(words, n, 0), -ETIMEDOUT);
        many[n - 1] = 1;
        CHECK_INT(plait__os_futex_wait_any(words, n, INT64_MAX), -EAGAIN);
        many[n - 1] = 0;
    }
    words[PLAIT__FUTEX_MOST - 1].word = &word2;
    CHECK_INT(start_detached(change_word2, NULL, 0), 0);
    while (__atomic_load_n(&word2, __ATOMIC_SEQ_CST) == 0) {
        int rc = plait__os_futex_wait_any(words, PLAIT__FUTEX_MOST, INT64_MAX);
        CHECK(rc == 0 || rc == -EAGAIN);
    }
}
