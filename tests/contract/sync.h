/* The ground of the contract of locks and what goes with them: one body for each claim, run with
 * threads and with coroutines in private memory and in the family's heap, and with processes, in the
 * heap and in a named segment, forked ones and others (methods.h).
 * SPDX-License-Identifier: MIT
 *
 *     CLAIM(a_free_lock_is_taken)
 *     {
 *         plait_lock *lock = make(sizeof *lock);
 *         …
 *     }
 */
#ifndef PLAIT_TESTS_SYNC_H
#define PLAIT_TESTS_SYNC_H

#include <plait.h>

#include "os/futex.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "methods.h"
#include "test.h"

enum {
    MANY = 8
};

/* What all sides see, whether they share memory or not. */
struct board {
    uint32_t numbers[MANY]; /* atomic */
    uint64_t tokens[MANY];
    long sum; /* guarded by what is tested */
};

enum memory {
    HEAP,
    PRIVATE,
    SEGMENT
};

static plait_kind kind;
static bool is_private; /* the objects lie in private memory */
static struct board *board;
CARRIED(kind)
CARRIED(board)

static inline void prepare(plait_kind with, enum memory memory)
{
    plait_segment_opts opts = { .only_new = true };

    kind = with;
    is_private = memory == PRIVATE;
    snprintf(the_segment_name, sizeof the_segment_name, "sync-test-%d", (int)getpid());
    if (memory == SEGMENT)
        CHECK_INT(plait_segment_open(&the_segment, the_segment_name, &opts, PLAIT_FOREVER), 0);
    board = share(sizeof *board);
    if (with == PLAIT_PROCESS)
        CHECK_INT(plait_keeper_start(), 0);
}

#define CLAIM_AS(name, suffix, with, memory) \
    TEST_LIMIT(name##_##suffix, 30)          \
    {                                        \
        prepare(with, memory);               \
        name();                              \
    }

#define CLAIM_AS_PROCESSES(name)                                      \
    CLAIM_AS(name, between_processes, PLAIT_PROCESS, HEAP)            \
    CLAIM_AS(name, between_processes_segment, PLAIT_PROCESS, SEGMENT) \
    BY_METHODS(name##_between_processes, 30)                          \
    BY_METHODS(name##_between_processes_segment, 30)

#define CLAIM(name)                                                \
    static void name(void);                                        \
    CLAIM_AS(name, between_threads, PLAIT_THREAD, PRIVATE)         \
    CLAIM_AS(name, between_threads_heap, PLAIT_THREAD, HEAP)       \
    CLAIM_AS(name, between_coroutines, PLAIT_COROUTINE, PRIVATE)   \
    CLAIM_AS(name, between_coroutines_heap, PLAIT_COROUTINE, HEAP) \
    CLAIM_AS_PROCESSES(name)                                       \
    static void name(void)

/* What only a process can do: to be killed. */
#define CLAIM_OF_PROCESSES(name) \
    static void name(void);      \
    CLAIM_AS_PROCESSES(name)     \
    static void name(void)

/* What a process cannot: to be cancelled. */
#define CLAIM_OF_THREADS(name)                                     \
    static void name(void);                                        \
    CLAIM_AS(name, between_threads, PLAIT_THREAD, PRIVATE)         \
    CLAIM_AS(name, between_threads_heap, PLAIT_THREAD, HEAP)       \
    CLAIM_AS(name, between_coroutines, PLAIT_COROUTINE, PRIVATE)   \
    CLAIM_AS(name, between_coroutines_heap, PLAIT_COROUTINE, HEAP) \
    static void name(void)

/* Zeroed memory for the object of the case, never given back. */
static inline void *make(size_t bytes)
{
    static _Alignas(64) char private_memory[1024];
    static unsigned n_made;
    void *object = is_private ? private_memory : NULL;
    char key[32];

    snprintf(key, sizeof key, "object %u", n_made++);
    if (the_segment != NULL)
        CHECK_INT(plait_segment_get(the_segment, &object, key, bytes, PLAIT_FOREVER), 0);
    else if (!is_private)
        object = plait_shared_alloc(bytes);
    CHECK(object != NULL && bytes <= sizeof private_memory);
    return object;
}

static inline plait_task *start(plait_task_fn *fn, void *arg)
{
    return start_by_method(kind, fn, arg, (plait_task_opts){ 0 });
}

/* What its function returned. */
static inline int join(plait_task *task)
{
    return result_of(task);
}

/* Waits for its death by SIGKILL. */
static inline void see_killed(plait_task *task)
{
    plait_outcome end = outcome_of(task);

    CHECK_INT(end.kind, PLAIT_SIGNALLED);
    CHECK_INT(end.signal, SIGKILL);
}

static inline void kill_it(plait_task *task)
{
    CHECK_INT(plait_task_kill(task), 0);
    see_killed(task);
}

static inline uint32_t number(int i)
{
    return __atomic_load_n(&board->numbers[i], __ATOMIC_SEQ_CST);
}

static inline void set_number(int i, uint32_t to)
{
    __atomic_store_n(&board->numbers[i], to, __ATOMIC_SEQ_CST);
}

static inline void add_number(int i)
{
    __atomic_fetch_add(&board->numbers[i], 1, __ATOMIC_SEQ_CST);
}

/* For what will surely become true. */
#define UNTIL(expr)                         \
    do {                                    \
        while (!(expr))                     \
            plait_sleep(plait_after_ms(1)); \
    } while (0)

/* Is a bit of the word set, as a sleeper does before it sleeps? */
static inline bool has_bit(const uint32_t *word, uint32_t bit)
{
    return (__atomic_load_n(word, __ATOMIC_SEQ_CST) & bit) != 0;
}

/* A moment in which who is not held back would have gone on. */
static inline void a_moment(void)
{
    plait_sleep(plait_after_ms(30));
}

/* Sleeps as somebody does who waits for the word, and is killed once a wake was spent on it, before
 * it could do anything. */
static inline void die_with_the_wake(const uint32_t *word, uint32_t expected)
{
    add_number(MANY - 1);
    plait__os_futex_wait(word, expected, INT64_MAX);
    raise(SIGKILL);
}

/* Until so many are about to sleep in die_with_the_wake, or do. */
static inline void see_dying(uint32_t n)
{
    UNTIL(number(MANY - 1) == n);
    a_moment();
}

/* Runs fn in a child of a plain fork, which CHECKs by itself. */
static inline void in_forked_child(void (*fn)(void *arg), void *arg)
{
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn(arg);
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

#endif
