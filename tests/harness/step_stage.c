/* The processes of one kill: a survivor that makes them, a victim, perhaps a partner.
 * SPDX-License-Identifier: MIT
 */
#include "step_stage.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LONG_WAIT = 20 * 1000 /* steps: who makes so many may be waiting */
};

/* As fork; in the child, everything until the call, or until where it says that this begins. */
static pid_t fork_traced(const struct step_stage *stage, const sigset_t *mask)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid > 0)
        return pid;
    sigprocmask(SIG_SETMASK, mask, NULL);
    trace_begin();
    if (stage->call->prepare != NULL)
        stage->call->prepare(stage->state);
    if (!stage->call->marks)
        trace_mark();
    return 0;
}

void step_stage_start_victim(struct step_stage *stage, const sigset_t *mask)
{
    pid_t pid = fork_traced(stage, mask);

    if (pid == 0) {
        stage->call->victim(stage->state);
        trace_mark();
        _exit(0);
    }
    CHECK(trace_attach(&stage->victim, pid));
}

/* ---- the partner ---- */

static void note_end_of_partner(struct step_stage *stage)
{
    CHECK_INT(stage->partner.status, 0);
    stage->partner.pid = 0;
    stage->has_partner = false;
}

void step_stage_start_partner(struct step_stage *stage, const sigset_t *mask,
                              const struct step_point *point)
{
    enum trace_event event = TRACE_BEFORE;
    pid_t pid = fork_traced(stage, mask);

    if (pid == 0) {
        stage->call->partner(stage->state);
        _exit(0); /* and no second mark: when it is not traced any more, that would kill it */
    }
    CHECK(trace_attach(&stage->partner, pid));
    stage->has_partner = true;
    for (uint32_t i = 0; point != NULL && event == TRACE_BEFORE && i < point->visit; i++)
        event = trace_go(&stage->partner, point->address);
    CHECK(event != TRACE_ASLEEP); /* what sleeps before the victim is there belongs into setup */
    if (event == TRACE_ENDED)
        note_end_of_partner(stage);
}

static void release_partner(struct step_stage *stage)
{
    if (stage->has_partner)
        trace_release(&stage->partner);
    stage->has_partner = false;
}

/* ---- on their way ---- */

/* The victim sleeps on its way: who could end that? */
static void help_sleeper(struct step_stage *stage)
{
    if (stage->patience > 0) {
        stage->patience--;
        return;
    }
    release_partner(stage);
    if (stage->call->asleep != NULL)
        stage->call->asleep(stage->state);
}

static enum trace_event let_wake(struct step_stage *stage, struct trace *trace,
                                 enum trace_event event)
{
    while (event == TRACE_ASLEEP) {
        CHECK(trace == &stage->victim); /* a partner must not sleep before the victim is there */
        help_sleeper(stage);
        event = trace_wait(trace);
    }
    return event;
}

/* Behind the instruction; behind all repetitions of one that repeats itself. Prefers where it
 * was asleep or repeated itself. */
static enum trace_event pass(struct step_stage *stage, struct trace *trace,
                             struct step_points *points)
{
    uintptr_t address = trace_address(trace);
    size_t length = trace_repeats(address);
    enum trace_event event = trace_step(trace);

    if (points != NULL && (event == TRACE_ASLEEP || length > 0))
        step_points_prefer(points, address);
    event = let_wake(stage, trace, event);
    if (trace == &stage->victim && ++stage->n_steps == LONG_WAIT)
        release_partner(stage); /* it waits, without a sleep, for who is stopped */
    if (event == TRACE_BEFORE && length > 0 && trace_address(trace) == address)
        event = let_wake(stage, trace, trace_go(trace, address + length));
    return event;
}

/* The event that ended it. */
static enum trace_event survey(struct step_stage *stage, struct trace *trace,
                               struct step_points *points, size_t *ret_steps)
{
    enum trace_event event = TRACE_BEFORE;
    size_t n_steps = 0;

    step_points_begin(points);
    for (; event == TRACE_BEFORE; n_steps++) {
        uintptr_t address = trace_address(trace);
        step_points_add(points, address);
        /* a system call that does not sleep now may do so when nobody steps */
        if (trace_is_syscall(address) || trace_repeats(address) > 0)
            step_points_add_within(points, address);
        event = pass(stage, trace, points);
    }
    *ret_steps = n_steps;
    return event;
}

size_t step_stage_survey(struct step_stage *stage, struct step_points *points)
{
    size_t n_steps;

    CHECK_INT(survey(stage, &stage->victim, points, &n_steps), TRACE_RETURNED);
    return n_steps;
}

size_t step_stage_survey_partner(struct step_stage *stage, struct step_points *points)
{
    size_t n_steps;

    CHECK_INT(survey(stage, &stage->partner, points, &n_steps), TRACE_ENDED);
    note_end_of_partner(stage);
    return n_steps;
}

/* ---- to the point ---- */

static enum trace_event go(struct step_stage *stage, uintptr_t address)
{
    return let_wake(stage, &stage->victim, trace_go(&stage->victim, address));
}

static enum trace_event go_by_breakpoint(struct step_stage *stage, const struct step_point *point)
{
    enum trace_event event = TRACE_BEFORE;

    for (uint32_t i = 0; event == TRACE_BEFORE && i < point->visit; i++)
        event = go(stage, point->address);
    return event;
}

static enum trace_event go_by_steps(struct step_stage *stage, const struct step_point *point)
{
    enum trace_event event = TRACE_BEFORE;
    uint32_t visits = 0;

    while (event == TRACE_BEFORE) {
        visits += trace_address(&stage->victim) == point->address;
        if (visits == point->visit)
            break;
        event = pass(stage, &stage->victim, NULL);
    }
    return event;
}

struct step_result step_stage_reach(struct step_stage *stage, const struct step_point *point,
                                    bool by_steps)
{
    struct step_result result = { .place = STEP_RETURNED, .victim = stage->victim.pid };
    enum trace_event event;

    if (point->place == STEP_RETURNED)
        event = go(stage, 0);
    else
        event = by_steps ? go_by_steps(stage, point) : go_by_breakpoint(stage, point);
    if (event == TRACE_BEFORE)
        result.place = STEP_BEFORE;
    if (event == TRACE_BEFORE && point->place == STEP_WITHIN) {
        event = trace_step(&stage->victim);
        result.was_asleep = event == TRACE_ASLEEP;
        if (result.was_asleep || trace_address(&stage->victim) == point->address)
            result.place = STEP_WITHIN;
    }
    CHECK(event != TRACE_ENDED);
    return result;
}

void step_stage_end(struct step_stage *stage)
{
    int status;

    trace_kill(&stage->victim);
    release_partner(stage);
    if (stage->partner.pid == 0) /* there is none, or it was at its end before */
        return;
    CHECK_INT(waitpid(stage->partner.pid, &status, 0), stage->partner.pid);
    CHECK_INT(status, 0);
}
