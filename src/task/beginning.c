/* What a process begins with that the keeper forks.
 * SPDX-License-Identifier: MIT
 */
#include "task/beginning.h"
#include "base/time.h"
#include "family/heap.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/futex.h"
#include "task/verdict.h"

#include <plait/shared.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ALIGNMENT = 16,
    LOOK_NS = 10 * 1000 * 1000 /* from one look whether it has died to the next */
};

/* ---- in the starter ---- */

/* Where the copies go, one behind the other; at first nowhere: then it counts. */
struct room {
    char *at;
    size_t n;
};

static const void *put(struct room *room, const void *bytes, size_t n)
{
    void *to = room->at != NULL ? room->at + room->n : NULL;

    if (bytes == NULL || n == 0)
        return NULL;
    room->n += (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    return to != NULL ? memcpy(to, bytes, n) : NULL;
}

static void put_environment(struct room *room, char *const *from, struct plait__beginning *ret)
{
    if (from == NULL)
        return;
    ret->environment = room->at + room->n;
    for (; from[ret->n_environment] != NULL; ret->n_environment++) {
        const char *text = from[ret->n_environment];
        size_t n = strlen(text) + 1;
        if (room->at != NULL)
            memcpy(room->at + room->n, text, n);
        room->n += n;
    }
}

static void put_all(struct room *room, const struct plait__child_plan *plan,
                    const plait_process_opts *opts, struct plait__beginning *ret)
{
    const struct plait__child_setup *setup = &plan->setup;

    *ret = (struct plait__beginning){ .setup = *setup };
    memset(ret->setup.fds, 0, sizeof ret->setup.fds);
    memset(ret->setup.opened, 0, sizeof ret->setup.opened);
    ret->setup.close_others = false; /* it has none of ours */
    put(room, ret, sizeof *ret);
    ret->setup.keep = put(room, setup->keep, setup->n_keep * sizeof *setup->keep);
    ret->setup.limits = put(room, setup->limits, setup->n_limits * sizeof *setup->limits);
    ret->setup.cpus = put(room, setup->cpus, setup->cpu_bytes);
    ret->setup.groups = put(room, setup->groups, setup->n_groups * sizeof *setup->groups);
    if (setup->directory != NULL)
        ret->setup.directory = put(room, setup->directory, strlen(setup->directory) + 1);
    put_environment(room, opts->environment, ret);
}

int plait__beginning_make(struct plait__beginning **ret, const struct plait__child_plan *plan,
                          const plait_process_opts *opts)
{
    struct room room = { 0 };
    struct plait__beginning made;

    put_all(&room, plan, opts, &made);
    room.at = plait__heap_alloc(room.n);
    if (room.at == NULL)
        return -ENOMEM;
    room.n = 0;
    put_all(&room, plan, opts, &made);
    *ret = memcpy(room.at, &made, sizeof made);
    return 0;
}

void plait__beginning_free(struct plait__beginning *beginning)
{
    plait_shared_free(beginning);
}

bool plait__beginning_await(const struct plait__beginning *beginning, uint32_t token, int pidfd)
{
    bool has_died = false;
    uint32_t told;

    while ((told = __atomic_load_n(&beginning->told, __ATOMIC_ACQUIRE)) != token) {
        if (has_died) /* looked at before the word: what it said is there */
            return false;
        plait__os_futex_wait(&beginning->told, told, plait__os_now_ns() + LOOK_NS);
        has_died = plait__os_fd_is_readable(pidfd) == 1;
    }
    return true;
}

/* ---- in the process ---- */

/* What it may hand on to who outlives it: not in the heap, which the starter frees. */
static int set_environment(const struct plait__beginning *beginning)
{
    const char *from = beginning->environment;
    char **environment;

    if (from == NULL)
        return 0;
    environment = calloc((size_t)beginning->n_environment + 1, sizeof *environment);
    for (uint32_t i = 0; environment != NULL && i < beginning->n_environment; i++) {
        environment[i] = strdup(from);
        if (environment[i] == NULL)
            return -ENOMEM;
        from += strlen(from) + 1;
    }
    if (environment == NULL)
        return -ENOMEM;
    plait__os_set_environment(environment);
    return 0;
}

void plait__beginning_set_up(struct plait__beginning *beginning, struct plait__verdict *verdict,
                             uint32_t token)
{
    const char *step = "environment";
    int rc = set_environment(beginning);

    if (rc == 0)
        rc = plait__os_child_set_up(&beginning->setup, &step);
    plait__verdict_set_error(verdict, rc, step);
    __atomic_store_n(&beginning->told, token, __ATOMIC_RELEASE);
    plait__os_futex_wake(&beginning->told, UINT_MAX);
    if (rc < 0)
        _exit(1);
}
