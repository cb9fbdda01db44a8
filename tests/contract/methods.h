/* Process tasks that are not forked, for contracts whose tasks find what they need in static variables.
 * SPDX-License-Identifier: MIT
 *
 * A spawned process, and one of the forkserver, has nothing of its starter's memory but the family's
 * heap. So a task begins in a function of ours, which is given bytes: where in the program its own
 * function lies, what that is to be handed, and what stands in the variables that the test names:
 *
 *     static plait_queue *queue;
 *     CARRIED(queue)
 *
 * Their cases (BY_METHODS) are run with PLAIT_CASES=methods in the environment, and no others then.
 */
#ifndef PLAIT_TESTS_METHODS_H
#define PLAIT_TESTS_METHODS_H

#include <plait.h>

#include "family/member.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tasks.h"
#include "test.h"

/* How processes are started. */
static plait_start_method method = PLAIT_START_FORK;

/* The segment in which things lie; NULL: they lie elsewhere. */
static plait_segment *the_segment;
static char the_segment_name[32];

enum {
    CARRIED_MOST = 256, /* bytes */
    KEPT_MOST = 8,      /* descriptors */
    SMALL = 4096        /* a pointer below that is a number */
};

enum carriage {
    AS_BYTES,
    AS_DESCRIPTORS, /* numbers of open ones */
    AS_PIPE         /* the descriptor of the end of a pipe */
};

struct carried {
    void *at;
    size_t bytes;
    enum carriage how;
    struct carried *next;
};

static struct carried *first_carried;

#define CARRIED_AS(variable, how)                                                            \
    static struct carried variable##_carried = { &(variable), sizeof(variable), how, NULL }; \
    __attribute__((constructor)) static void variable##_is_carried(void)                     \
    {                                                                                        \
        variable##_carried.next = first_carried;                                             \
        first_carried = &variable##_carried;                                                 \
    }

#define CARRIED(variable) CARRIED_AS(variable, AS_BYTES)

CARRIED(method)
CARRIED(the_segment_name)

/* Where a pointer leads, in words that mean the same in each process of the program. */
struct whereabouts {
    enum {
        AS_IT_IS, /* the heap, or a number */
        IN_PROGRAM,
        IN_SEGMENT
    } where;

    uintptr_t at;
};

struct launch {
    struct whereabouts fn, arg;
    unsigned char carried[CARRIED_MOST];
};

/* The program lies between these two of the linker's, wherever that is. */
extern char __executable_start[], _end[];

static inline struct whereabouts place_of(const void *pointer)
{
    uintptr_t at = (uintptr_t)pointer, begin = (uintptr_t)__executable_start;

    if (at >= begin && at < (uintptr_t)_end)
        return (struct whereabouts){ IN_PROGRAM, at - begin };
    if (the_segment != NULL && plait_segment_offset(the_segment, pointer) != 0)
        return (struct whereabouts){ IN_SEGMENT, plait_segment_offset(the_segment, pointer) };
    CHECK(at < SMALL || plait__is_shared(pointer));
    return (struct whereabouts){ AS_IT_IS, at };
}

static inline void *at_place(struct whereabouts place)
{
    const plait_segment_opts opts = { .only_existing = true };

    if (place.where == IN_PROGRAM)
        return __executable_start + place.at;
    if (place.where == AS_IT_IS)
        return (void *)place.at;
    CHECK_INT(plait_segment_open(&the_segment, the_segment_name, &opts, PLAIT_FOREVER), 0);
    return plait_segment_at(the_segment, place.at, 1);
}

static inline void keep_fd(plait_process_opts *process, int *kept, int fd)
{
    if (fd <= STDERR_FILENO)
        return;
    CHECK(process->n_keep_fds < KEPT_MOST);
    kept[process->n_keep_fds++] = fd;
}

static inline void pack(struct launch *launch, plait_process_opts *process, int *kept)
{
    unsigned char *to = launch->carried;

    for (const struct carried *one = first_carried; one != NULL; one = one->next) {
        CHECK(to + one->bytes <= launch->carried + CARRIED_MOST);
        memcpy(to, one->at, one->bytes);
        if (one->how == AS_PIPE) {
            plait_pipe *end = *(plait_pipe **)one->at;
            int fd = end != NULL ? plait_pipe_fd(end) : 0;
            memcpy(to, &fd, sizeof fd);
            keep_fd(process, kept, fd);
        }
        for (size_t i = 0; one->how == AS_DESCRIPTORS && i < one->bytes / sizeof(int); i++)
            keep_fd(process, kept, ((int *)one->at)[i]);
        to += one->bytes;
    }
    process->keep_fds = kept;
}

static inline void unpack(const struct launch *launch)
{
    const unsigned char *from = launch->carried;

    for (const struct carried *one = first_carried; one != NULL; one = one->next) {
        int fd;
        memcpy(&fd, from, sizeof fd);
        if (one->how != AS_PIPE)
            memcpy(one->at, from, one->bytes);
        else if (fd > 0)
            CHECK_INT(plait_pipe_open(one->at, fd, NULL), 0);
        from += one->bytes;
    }
}

static inline int begin_launched(void *arg)
{
    const struct launch *launch = arg;

    unpack(launch);
    return ((plait_task_fn *)at_place(launch->fn))(at_place(launch->arg));
}

/* As start_of_kind, and a process by `method`. */
static inline plait_task *start_by_method(plait_kind kind, plait_task_fn *fn, void *arg,
                                          plait_task_opts opts)
{
    struct launch launch;
    plait_process_opts process = { .close_fds = true };
    int kept[KEPT_MOST];
    plait_task *task = NULL;

    if (kind == PLAIT_PROCESS && method != PLAIT_START_FORK) {
        launch.fn = place_of((const void *)fn);
        launch.arg = place_of(arg);
        pack(&launch, &process, kept);
        fn = begin_launched;
        arg = &launch;
        opts.arg_bytes = sizeof launch;
        opts.method = method;
        opts.process = &process;
    }
    CHECK_INT(plait_task_start(&task, kind, fn, arg, &opts), 0);
    return task;
}

/* Zeroes that all sides see. Not in the family's heap, unless they must be: what is tested must not
 * need it to be there. */
static inline void *share(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(at != MAP_FAILED);
    if (method != PLAIT_START_FORK)
        at = plait_shared_alloc(bytes);
    CHECK(at != NULL);
    return at;
}

/* Only for these cases: plait_init makes another program of one that would have none. */
void test_begin(int *argc, char ***argv)
{
    if (getenv("PLAIT_CASES") != NULL || getenv("PLAIT_SPAWN") != NULL)
        plait_init(argc, argv);
    if (getenv("PLAIT_SPAWN") != NULL)
        _exit(98); /* it would run all cases again, and each of its children */
}

#define BY_METHOD(claim, suffix, by, seconds)        \
    TEST_OF("methods", claim##_by_##suffix, seconds) \
    {                                                \
        method = by;                                 \
        claim();                                     \
    }

/* A case, once more with each of these methods, where WITH_METHODS is defined. */
#ifdef WITH_METHODS
#    define BY_METHODS(claim, seconds)                      \
        BY_METHOD(claim, spawn, PLAIT_START_SPAWN, seconds) \
        BY_METHOD(claim, forkserver, PLAIT_START_FORKSERVER, seconds)
#else
#    define BY_METHODS(claim, seconds)
#endif

#endif
