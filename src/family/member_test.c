/* Tests of the members of the family.
 * SPDX-License-Identifier: MIT
 */
#include "family/member.h"

#include "test.h"
#include "threads.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the family's own words, which no heap uses here. */
static uint32_t *board(void)
{
    CHECK_INT(plait__member_join(), 0);
    return (uint32_t *)plait__family()->heap;
}

static pid_t start(void (*fn)(uint32_t *), uint32_t *word)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn(word);
        _exit(0);
    }
    return pid;
}

static void reap(pid_t pid)
{
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

static void join_and_say(uint32_t *word)
{
    CHECK_INT(plait__member_self(), 0);
    CHECK_INT(plait__member_join(), 0);
    __atomic_store_n(word, plait__member_self(), __ATOMIC_RELEASE);
}

static void join_and_stay(uint32_t *word)
{
    join_and_say(word);
    for (;;)
        pause();
}

static uint32_t await(uint32_t *word)
{
    uint32_t value;

    while ((value = __atomic_load_n(word, __ATOMIC_ACQUIRE)) == 0)
        sched_yield();
    return value;
}

TEST(nobody_is_a_member_before_it_joins)
{
    CHECK_INT(plait__member_self(), 0);
    CHECK(plait__family() == NULL);
    CHECK(!plait__family_has(&(int){ 0 }));
    CHECK(!plait__member_is_dead(0));
    CHECK(!plait__member_is_dead(1));
    CHECK_INT(plait__member_join(), 0);
    CHECK(plait__member_self() != 0);
    CHECK(plait__member_self() < 1U << PLAIT__MEMBER_BITS);
    CHECK(plait__family_has(plait__member_entry()));
    CHECK(!plait__family_has(plait__family()->shared.base + plait__family()->shared.bytes));
    uint32_t self = plait__member_self();
    CHECK_INT(plait__member_join(), 0);
    CHECK_INT(plait__member_self(), self);
    CHECK(!plait__member_is_dead(self));
}

TEST(a_child_is_a_member_of_its_own_and_dead_when_it_is_killed)
{
    uint32_t *word = board(), child;
    pid_t pid = start(join_and_stay, word);

    child = await(word);
    CHECK(child != plait__member_self());
    CHECK(!plait__member_is_dead(child));
    kill(pid, SIGSTOP);
    CHECK(!plait__member_is_dead(child));
    kill(pid, SIGKILL);
    reap(pid);
    CHECK(plait__member_is_dead(child));
    CHECK(!plait__member_is_dead(plait__member_self()));
}

static void start_child_and_end(uint32_t *word)
{
    start(join_and_say, word);
}

TEST(a_grandchild_joins_where_its_parent_has_not)
{
    uint32_t *word = board();

    reap(start(start_child_and_end, word));
    CHECK(await(word) != plait__member_self());
}

TEST(one_that_joins_and_is_killed_at_any_moment_does_no_harm)
{
    uint32_t *word = board();

    for (unsigned i = 0; i < 300; i++) {
        pid_t pid = start(join_and_stay, word);
        for (unsigned k = 0; k < i * 20; k++)
            sched_yield();
        kill(pid, SIGKILL);
        reap(pid);
        if (*word != 0)
            CHECK(plait__member_is_dead(*word));
        *word = 0;
    }
    reap(start(join_and_say, word));
    CHECK(*word != 0);
}

TEST_LIMIT(more_may_come_and_go_than_the_table_holds, 60)
{
    static uint32_t seen[PLAIT__MEMBERS + 200];

    enum {
        N = sizeof seen / sizeof *seen
    };

    uint32_t *word = board(), living;
    pid_t pid = start(join_and_stay, word);

    living = await(word);
    for (unsigned i = 0; i < N; i++) {
        *word = 0;
        reap(start(join_and_say, word));
        seen[i] = *word;
        CHECK(seen[i] != 0 && seen[i] != living && seen[i] != plait__member_self());
    }
    for (unsigned i = 0; i < N; i++)
        CHECK(plait__member_is_dead(seen[i]));
    for (unsigned i = PLAIT__MEMBERS; i < N; i++) /* in the same places, as others */
        for (unsigned k = 0; k < N; k++)
            CHECK(i == k || seen[i] != seen[k]);
    CHECK(!plait__member_is_dead(living));
    kill(pid, SIGKILL);
    reap(pid);
    CHECK(plait__member_is_dead(living));
}

/* Entries that a living process has: our own is copied into all of them. */
TEST(a_table_full_of_the_living_takes_nobody_and_then_again_one)
{
    uint32_t *word = board();
    struct plait__member_entry *members = plait__family()->members, *own = plait__member_entry();
    int status;

    for (unsigned i = 1; i < PLAIT__MEMBERS; i++)
        members[i] = *own;
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_INT(plait__member_join(), -EUSERS);
        CHECK_INT(plait__member_self(), 0);
        CHECK_INT(plait__member_join(), -EUSERS);
        memset(&members[77], 0, sizeof members[77]);
        join_and_say(word);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_INT(*word % PLAIT__MEMBERS, 77);
}

TEST(processes_of_different_families_have_different_ids)
{
    enum {
        N = 40
    };

    uint32_t ids_seen[N];

    for (int i = 0; i < N; i++) {
        int ends[2];
        CHECK_INT(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
            CHECK(plait__family() == NULL);
            CHECK_INT(plait__member_join(), 0);
            uint32_t self = plait__member_self();
            _exit(write(ends[1], &self, sizeof self) != sizeof self);
        }
        CHECK_INT(read(ends[0], &ids_seen[i], sizeof ids_seen[i]), sizeof ids_seen[i]);
        reap(pid);
        close(ends[0]);
        close(ends[1]);
        for (int k = 0; k < i; k++)
            CHECK(ids_seen[k] != ids_seen[i]);
    }
}

enum {
    THREADS = 4
};

static uint32_t ids[THREADS], left, is_open;

static void join_in_thread(void *arg)
{
    while (!__atomic_load_n(&is_open, __ATOMIC_ACQUIRE))
        sched_yield();
    CHECK_INT(plait__member_join(), 0);
    *(uint32_t *)arg = plait__member_self();
    __atomic_fetch_sub(&left, 1, __ATOMIC_RELEASE);
}

/* How many entries have our pid in their claim. */
static unsigned count_own_entries(void)
{
    unsigned n = 0;

    for (unsigned i = 1; i < PLAIT__MEMBERS; i++)
        n += (pid_t)(plait__family()->members[i].claim >> 32) == getpid();
    return n;
}

static void join_in_all_threads(uint32_t *word)
{
    left = THREADS;
    for (unsigned i = 0; i < THREADS; i++)
        CHECK_INT(start_detached(join_in_thread, &ids[i], 0), 0);
    __atomic_store_n(&is_open, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE) > 0)
        sched_yield();
    for (unsigned i = 0; i < THREADS; i++)
        CHECK_INT(ids[i], plait__member_self());
    CHECK_INT(count_own_entries(), 1);
    __atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
}

TEST(threads_that_join_at_once_are_one_member)
{
    uint32_t *word = board();

    enum {
        ROUNDS = 40
    };

    for (unsigned i = 0; i < ROUNDS; i++)
        reap(start(join_in_all_threads, word));
    CHECK_INT(*word, ROUNDS);
}

/* Forks while another thread of the child's parent joins: what the child finds half done is not its
 * own. */
TEST(a_fork_while_another_thread_joins_leaves_the_child_able_to_join)
{
    for (unsigned i = 0; i < 100; i++) {
        int status;
        pid_t parent = fork();
        if (parent == 0) {
            left = is_open = 1;
            CHECK_INT(start_detached(join_in_thread, &ids[0], 0), 0);
            for (unsigned k = 0; k < i % 10; k++)
                sched_yield();
            pid_t child = fork();
            if (child == 0) {
                CHECK_INT(plait__member_self(), 0);
                CHECK_INT(plait__member_join(), 0);
                CHECK(plait__member_self() != 0);
                _exit(0);
            }
            CHECK_INT(waitpid(child, &status, 0), child);
            _exit(status != 0);
        }
        CHECK_INT(waitpid(parent, &status, 0), parent);
        CHECK_INT(status, 0);
    }
}

/* ---- namespaces ---- */

static void be_first_in_a_namespace(uint32_t *words)
{
    join_and_say(&words[0]);
    CHECK_INT(getpid(), 1);
    CHECK(!plait__member_is_dead(words[1])); /* of its parent, whose pid means nothing here */
    pid_t pid = start(join_and_stay, &words[2]);
    uint32_t child = await(&words[2]);
    CHECK(!plait__member_is_dead(child));
    kill(pid, SIGKILL);
    reap(pid);
    CHECK(plait__member_is_dead(child));
    /* entries of those outside, also of one that has only begun to join, are not taken */
    struct plait__member_entry *next = plait__member_entry() + 10;
    uint64_t claim = (uint64_t)UINT32_C(12345) << 32 | 1;
    next->claim = claim;
    plait__family()->next_entry = (uint32_t)(next - plait__family()->members);
    reap(start(join_and_say, &words[3]));
    CHECK_INT(next->claim, claim);
    syscall(SYS_exit_group, 0);
}

/* No leak checker has a last look: it fails where no thread can be made. */
static void enter_namespace(uint32_t *words)
{
    int status;

    if (unshare(CLONE_NEWPID) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
        syscall(SYS_exit_group, 77);
    pid_t pid = start(be_first_in_a_namespace, words);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    syscall(SYS_exit_group, status != 0);
}

TEST(members_of_other_pid_namespaces_are_not_taken_for_dead)
{
    uint32_t *words = board();
    int status;

    words[1] = plait__member_self();
    pid_t pid = start(enter_namespace, words);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        test_skip("no pid namespaces can be made here");
    CHECK_INT(status, 0);
    CHECK(words[0] != 0);
    CHECK(!plait__member_is_dead(words[0])); /* nobody tells us */
}
