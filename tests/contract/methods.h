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
    AS_POINTER,     /* into the heap, the program or the segment */
    AS_PIPE         /* the descriptor of the end of a pipe */
};

struct carried {
    void *at;
    size_t bytes;
    enum carriage how;
    struct carried *next;
};

static struct carried *first_carried, **last_carried = &first_carried;

#define CARRIED_AS(variable, how)                                                            \
    static struct carried variable##_carried = { &(variable), sizeof(variable), how, NULL }; \
    __attribute__((constructor)) static void variable##_is_carried(void)                     \
    {                                                                                        \
        *last_carried = &variable##_carried;                                                 \
        last_carried = &variable##_carried.next;                                             \
    }

#define CARRIED(variable) CARRIED_AS(variable, AS_BYTES)

CARRIED(method)
CARRIED(the_segment_name)

/* Where a pointer leads, in words that mean the same in each process of the program: above this bit
 * stands what it is counted from; 0: it is as it is, into the heap, or a number. */
enum {
    FROM_BIT = 60,
    FROM_PROGRAM = 1,
    FROM_SEGMENT = 2
};

struct launch {
    uint64_t fn, arg; /* pointers that travel */
    unsigned char carried[CARRIED_MOST];
};

/* The program lies between these two of the linker's, wherever that is. */
extern char __executable_start[], _end[];

static inline uint64_t pack_pointer(const void *pointer)
{
    uintptr_t at = (uintptr_t)pointer, begin = (uintptr_t)__executable_start;

    if (at >= begin && at < (uintptr_t)_end)
        return ((uint64_t)FROM_PROGRAM << FROM_BIT) + (at - begin);
    if (the_segment != NULL && plait_segment_offset(the_segment, pointer) != 0)
        return ((uint64_t)FROM_SEGMENT << FROM_BIT) + plait_segment_offset(the_segment, pointer);
    CHECK(at < SMALL || plait__is_shared(pointer));
    return at;
}

static inline void *unpack_pointer(uint64_t packed)
{
    const plait_segment_opts opts = { .only_existing = true };
    uint64_t offset = packed & (((uint64_t)1 << FROM_BIT) - 1);

    if (packed >> FROM_BIT == 0)
        return (void *)(uintptr_t)packed;
    if (packed >> FROM_BIT == FROM_PROGRAM)
        return __executable_start + offset;
    CHECK_INT(plait_segment_open(&the_segment, the_segment_name, &opts, PLAIT_FOREVER), 0);
    return plait_segment_at(the_segment, offset, 1);
}

static inline void keep_fd(plait_process_opts *process, int *kept, int fd)
{
    CHECK(process->n_keep_fds < KEPT_MOST);
    if (fd > STDERR_FILENO)
        kept[process->n_keep_fds++] = fd;
}

static inline void pack(struct launch *launch, plait_process_opts *process, int *kept)
{
    unsigned char *to = launch->carried;

    for (const struct carried *one = first_carried; one != NULL;
         to += one->bytes, one = one->next) {
        uint64_t pointer = 0;
        CHECK(to + one->bytes <= launch->carried + CARRIED_MOST);
        memcpy(to, one->at, one->bytes);
        for (size_t i = 0; one->how == AS_DESCRIPTORS && i < one->bytes / sizeof(int); i++)
            keep_fd(process, kept, ((const int *)one->at)[i]);
        if (one->how == AS_POINTER)
            pointer = pack_pointer(*(void **)one->at);
        if (one->how == AS_PIPE && *(plait_pipe **)one->at != NULL) {
            pointer = (uint64_t)plait_pipe_fd(*(plait_pipe **)one->at);
            keep_fd(process, kept, (int)pointer);
        }
        if (one->how == AS_POINTER || one->how == AS_PIPE)
            memcpy(to, &pointer, sizeof pointer);
    }
    process->keep_fds = kept;
}

static inline void unpack(const struct launch *launch)
{
    const unsigned char *from = launch->carried;

    for (const struct carried *one = first_carried; one != NULL; one = one->next) {
        uint64_t pointer = 0;
        memcpy(&pointer, from, one->bytes < sizeof pointer ? one->bytes : sizeof pointer);
        if (one->how == AS_POINTER)
            *(void **)one->at = unpack_pointer(pointer);
        else if (one->how != AS_PIPE)
            memcpy(one->at, from, one->bytes);
        else if (pointer != 0)
            CHECK_INT(plait_pipe_open(one->at, (int)pointer, NULL), 0);
        from += one->bytes;
    }
}

static inline int begin_launched(void *arg)
{
    const struct launch *launch = arg;

    unpack(launch);
    return ((plait_task_fn *)unpack_pointer(launch->fn))(unpack_pointer(launch->arg));
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
        launch.fn = pack_pointer((const void *)fn);
        launch.arg = pack_pointer(arg);
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
