/* Programs in which one coroutine is asked to end at its first, second, … suspension, until the program
 * has fewer.
 * SPDX-License-Identifier: MIT
 *
 *     static int take_turns(void *arg) { …; return rc; }     // an actor: lets go of all it holds
 *
 *     TEST(what_is_promised)
 *     {
 *         const struct program program = { .begin = make, .actors = { take_turns, take_turns },
 *                                          .end = check_and_destroy };
 *         cancel_everywhere(&program);
 *     }
 *
 * A coroutine suspends itself by the table of its sleeper, which is another one here: it counts, and
 * hands on. So the library has nothing for it. The coroutine is asked just before it suspends itself;
 * and in a second round while it is suspended, by another coroutine.
 */
#ifndef PLAIT_TESTS_CANCEL_COUNTER_H
#define PLAIT_TESTS_CANCEL_COUNTER_H

#include "loop/inside.h"
#include "wait/wait.h"

#include <plait.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "descriptors.h"
#include "test.h"

enum {
    ACTORS_MOST = 6,
    SUSPENSIONS_MOST = 5000, /* a guard */
};

struct program {
    void (*begin)(void);
    plait_task_fn *actors[ACTORS_MOST]; /* NULL: no more */
    /* All have ended: nothing is held, all is accounted for, and what begin made goes. */
    void (*end)(void);
};

static struct {
    unsigned n, wanted; /* suspensions; which one is the last of that coroutine */
    bool is_late;
    plait_event late;              /* the killer waits for it */
    struct plait__sleeper *victim; /* of the killer; NULL: it has ended, or there is none */
    void (*on_end)(struct plait__strand *strand);
    unsigned n_cancelled; /* actors that were told */
} counter;

static void count_suspension(struct plait__sleeper *sleeper)
{
    if (++counter.n != counter.wanted)
        return;
    if (!counter.is_late) {
        plait__cancel(sleeper);
        return;
    }
    counter.victim = sleeper;
    CHECK_INT(plait_event_set(&counter.late), 0);
}

static int park_counted(struct plait__sleeper *sleeper, const struct plait__futex *words, size_t n,
                        plait_deadline until)
{
    count_suspension(sleeper);
    return plait__strand_ops.park(sleeper, words, n, until);
}

static void unpark_counted(struct plait__sleeper *sleeper)
{
    plait__strand_ops.unpark(sleeper);
}

static int wait_any_counted(struct plait__sleeper *sleeper, struct plait__spots *spots,
                            plait_deadline until)
{
    count_suspension(sleeper);
    return plait__strand_ops.wait_any(sleeper, spots, until);
}

static const struct plait__park_ops counting_ops = { .park = park_counted,
                                                     .unpark = unpark_counted,
                                                     .wait_any = wait_any_counted };

static void forget_victim(struct plait__strand *strand)
{
    if (counter.victim == strand->sleeper)
        counter.victim = NULL;
    counter.on_end(strand);
}

/* From now on the suspensions of the running coroutine count. */
static void count_here(void)
{
    struct plait__strand *strand = plait__strand_here();

    CHECK(strand->task != NULL);
    strand->sleeper = plait__sleeper_current();
    strand->sleeper->ops = &counting_ops;
    if (strand->on_end != forget_victim)
        counter.on_end = strand->on_end;
    strand->on_end = forget_victim;
}

static int kill_late(void *arg)
{
    int rc = plait_event_wait(&counter.late, PLAIT_FOREVER);

    (void)arg;
    if (rc == 0 && counter.victim != NULL)
        plait__cancel(counter.victim);
    return rc;
}

static int act(void *arg)
{
    plait_task_fn *fn = *(plait_task_fn **)arg;
    int rc;

    count_here();
    rc = fn(NULL);
    CHECK(rc == 0 || rc == -ECANCELED);
    counter.n_cancelled += rc == -ECANCELED;
    return rc;
}

static uint64_t count_blocks(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

static void run_once(const struct program *program)
{
    plait_group *group = NULL;
    plait_task *killer = NULL;

    CHECK_INT(plait_event_clear(&counter.late), 0);
    counter.n = 0;
    counter.victim = NULL;
    CHECK_INT(plait_task_start(&killer, PLAIT_COROUTINE, kill_late, NULL, NULL), 0);
    CHECK_INT(plait_group_create(&group, NULL), 0);
    program->begin();
    for (int i = 0; i < ACTORS_MOST && program->actors[i] != NULL; i++)
        CHECK_INT(plait_group_go_copy(group, act, &program->actors[i], sizeof program->actors[i],
                                      PLAIT_FOREVER),
                  0);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    plait_group_destroy(group);
    program->end();
    plait_task_destroy(killer); /* asks it to end */
    plait_yield();
}

static void cancel_everywhere(const struct program *program)
{
    unsigned fds = 0, n_all = 0;
    uint64_t blocks = 0;

    counter.n_cancelled = 0;
    for (int i = 0; i < 2; i++) {
        counter.is_late = i == 1;
        counter.wanted = 0; /* nobody: all ends well */
        run_once(program);
        blocks = count_blocks(); /* makes the family */
        fds = count_fds();
        for (counter.wanted = 1; counter.wanted <= counter.n; counter.wanted++) {
            run_once(program);
            CHECK_INT(count_blocks(), blocks);
            CHECK(count_fds() <= fds);
            CHECK(counter.wanted < SUSPENSIONS_MOST);
            n_all++;
        }
    }
    printf("    %u suspensions, %u actors told to end\n", n_all, counter.n_cancelled);
    CHECK(n_all > 0 && counter.n_cancelled > 0);
}

#endif
