/* Who has an item of a queue in hand deals with it and is killed, while somebody else looks whether it
 * lives.
 * SPDX-License-Identifier: MIT
 *
 * What it has dealt with stays so, at whichever moment of the look that was. Who looks is stopped at
 * the beginning of a system call, the first, the second and so on: the owner lives before that, and is
 * dead behind it.
 */
#include "queue_support.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

enum {
    MOST_CALLS = 2000, /* of the kernel, in a look: a guard */
};

static struct stage {
    uint32_t has_it, may_deal, has_dealt; /* atomic: the owner */
    uint32_t n_got, sum;                  /* who looks: how many items, their sum */
} * stage;

static pid_t owner;

static void await(const uint32_t *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_SEQ_CST))
        usleep(50);
}

static void raise_flag(uint32_t *flag)
{
    __atomic_store_n(flag, 1, __ATOMIC_SEQ_CST);
}

static void put_number(unsigned char number)
{
    CHECK_INT(plait_queue_put(queue, &number, 1, PLAIT_NOWAIT), 0);
}

static void kill_child(pid_t pid)
{
    CHECK_INT(kill(pid, SIGKILL), 0);
    CHECK_INT(test_waitpid(pid, NULL, 0), pid);
}

/* Starts a process that does this and waits then. */
static pid_t start(void (*fn)(void))
{
    pid_t pid;

    *stage = (struct stage){ 0 };
    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        fn();
        for (;;)
            pause();
    }
    await(&stage->has_it);
    return pid;
}

/* It is killed when it has dealt with what it has, at the latest in the next instruction. */
static void let_owner_deal(void)
{
    raise_flag(&stage->may_deal);
    await(&stage->has_dealt);
    kill_child(owner);
    owner = 0;
}

/* ---- who looks ---- */

static void get_all(void)
{
    unsigned char number = 0;
    ssize_t rc;

    while ((rc = plait_queue_get(queue, &number, 1, PLAIT_NOWAIT)) == 1) {
        stage->n_got++;
        stage->sum += number;
    }
    CHECK_INT(rc, -ETIMEDOUT);
}

/* Goes on to the next stop. False: it has ended. */
static bool go_on(pid_t pid, int *signal)
{
    int status;

    ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(uintptr_t)*signal);
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    if (!WIFSTOPPED(status)) {
        CHECK_INT(status, 0);
        return false;
    }
    *signal = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
    return true;
}

/* The owner deals at the beginning of the n-th system call. False: there were fewer. */
static bool look_with_stop(unsigned n)
{
    unsigned stops = 0; /* two a call */
    int signal = 0, status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_INT(ptrace(PTRACE_TRACEME, 0, NULL, NULL), 0);
        raise(SIGSTOP);
        get_all();
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFSTOPPED(status));
    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
    while (go_on(pid, &signal))
        if (signal == 0 && ++stops == 2 * n - 1)
            let_owner_deal();
    return stops >= 2 * n - 1;
}

/* The owner is killed at each stop once, and all others get that one item. */
static void try_all(void (*prepare)(void), void (*fn)(void), uint32_t item)
{
    bool was_reached = true;
    unsigned n = 0;

    while (was_reached) {
        CHECK(++n < MOST_CALLS);
        prepare();
        owner = start(fn);
        was_reached = look_with_stop(n);
        if (!was_reached)
            let_owner_deal();
        get_all();
        CHECK_INT(stage->n_got, 1);
        CHECK_INT(stage->sum, item);
    }
    printf("    %u calls\n", n - 1);
    CHECK(n > 2);
}

/* ---- what is in hand ---- */

static void prepare_none(void)
{
}

static void reserve_and_commit(void)
{
    void *place = NULL;

    CHECK_INT(plait_queue_reserve(queue, &place, 1, PLAIT_NOWAIT), 0);
    memset(place, 3, 1);
    raise_flag(&stage->has_it);
    await(&stage->may_deal);
    CHECK_INT(plait_queue_commit(queue, place, 1), 0);
    raise_flag(&stage->has_dealt);
}

CLAIM_LIMIT(what_was_committed_before_a_death_is_in_the_queue, 60)
{
    stage = share(sizeof *stage);
    queue = create((plait_queue_opts){ .max_items = 4 });
    try_all(prepare_none, reserve_and_commit, 3);
}

static void borrow_first(void)
{
    const void *place = NULL;

    CHECK_INT(plait_queue_borrow(queue, &place, PLAIT_NOWAIT), 1);
    raise_flag(&stage->has_it);
}

/* Before what the owner will have lies what somebody had who is dead already: looks go back to it. */
static void prepare_two(void)
{
    put_number(1);
    put_number(3);
    kill_child(start(borrow_first));
}

static void borrow_and_release(void)
{
    const void *place = NULL;

    CHECK_INT(plait_queue_borrow(queue, &place, PLAIT_NOWAIT), 1);
    raise_flag(&stage->has_it);
    await(&stage->may_deal);
    CHECK_INT(plait_queue_release(queue, place), 0);
    raise_flag(&stage->has_dealt);
}

CLAIM_LIMIT(what_was_released_before_a_death_is_got_by_nobody_else, 60)
{
    stage = share(sizeof *stage);
    queue = create((plait_queue_opts){ .max_items = 4 });
    try_all(prepare_two, borrow_and_release, 1);
}
