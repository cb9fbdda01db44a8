/* Kills a process after every instruction of a call, and asks the survivors each time.
 * SPDX-License-Identifier: MIT
 *
 * The case forks a survivor for each kill. So each one begins with the same state, down to the pages
 * that were never touched, and the call takes the same way. The case itself only watches, and says
 * at which point it was when a survivor failed a CHECK, died or got stuck.
 */
#include "step.h"
#include "step_points.h"
#include "step_stage.h"
#include "trace.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SURVEYS = 2, /* runs in which the points are looked for: waits may differ */
    DEFAULT_BUDGET_MS = 1500,
    STUCK_S = 10,   /* times PLAIT_SLOW: no kill is worth waiting longer for */
    MOST_SLOW = 6,  /* that may be huge, for cases that try all points */
    PATIENCE = 100, /* looks, a fifth of a millisecond each */
    ATTEMPTS = 2,
    ALL_ATTEMPTS = 3, /* the third one is slow */
    ROUNDS = 10,
    OUTCOMES = 16
};

struct outcome {
    const char *words;
    size_t n;
};

struct tally {
    size_t n_tried, n_kills, n_asleep, n_returned;
    size_t n_missed; /* points that the call did not come to again */
    struct outcome outcomes[OUTCOMES];
    double longest_check_ms;
};

/* What is to be tried. */
struct trial {
    size_t point; /* as PLAIT_STEPS names it; NO_POINT: the points are looked for */
    unsigned round, attempt;
};

#define NO_POINT SIZE_MAX

/* Of one test; memory that the survivors share. */
struct test {
    const struct step_call *call;
    uint64_t seed;
    sigset_t mask; /* before we blocked SIGCHLD */
    struct step_points points, partner_points;
    struct tally tally;
    struct trial trial;
    const char *doing;
    bool was_reached;
    unsigned attempts;
};

static struct test *test;
static uint64_t random_state;

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static long setting(const char *name, long fallback)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? atol(text) : fallback;
}

uint32_t step_random(uint32_t limit)
{
    uint64_t mixed = random_state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 */

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((mixed ^ mixed >> 31) % limit);
}

void step_await_sleep(pid_t pid)
{
    while (!trace_is_asleep(pid))
        sched_yield();
}

/* ---- in a survivor ---- */

/* The state, the partner somewhere in its work, the victim before the call. */
static void set_stage(struct step_stage *stage)
{
    const struct step_points *others = &test->partner_points;

    *stage = (struct step_stage){ .call = test->call };
    test->doing = "making the state";
    stage->state = test->call->setup();
    if (others->n > 0)
        step_stage_start_partner(stage, &test->mask,
                                 &others->all[step_random((uint32_t)others->n)]);
    step_stage_start_victim(stage, &test->mask);
}

static void count_outcome(const char *words)
{
    struct outcome *outcomes = test->tally.outcomes;
    size_t i = 0;

    while (i < OUTCOMES - 1 && outcomes[i].words != NULL && strcmp(outcomes[i].words, words) != 0)
        i++;
    outcomes[i].words = words; /* a literal: at the same address in all survivors */
    outcomes[i].n++;
}

static void end_and_check(struct step_stage *stage, const struct step_result *result)
{
    double begin = now_ms(), took;

    test->doing = "waiting for the partner";
    step_stage_end(stage);
    test->doing = "checking";
    count_outcome(test->call->check(stage->state, result));
    took = now_ms() - begin;
    if (took > test->tally.longest_check_ms)
        test->tally.longest_check_ms = took;
}

static void survey_partner(void)
{
    struct step_stage stage = { .call = test->call };

    stage.state = test->call->setup();
    step_stage_start_partner(&stage, &test->mask, NULL);
    step_stage_survey_partner(&stage, &test->partner_points);
}

static void survey(void)
{
    struct step_result result = { .place = STEP_RETURNED };
    struct step_stage stage;
    size_t n_steps;

    set_stage(&stage);
    stage.patience = test->trial.round > 0 ? PATIENCE : 0;
    result.victim = stage.victim.pid;
    test->doing = "stepping through the call";
    n_steps = step_stage_survey(&stage, &test->points);
    if (n_steps > test->points.n_steps)
        test->points.n_steps = n_steps;
    end_and_check(&stage, &result);
}

static void kill_once(void)
{
    const struct step_point *point = &test->points.all[test->trial.point];
    struct tally *tally = &test->tally;
    struct step_result result;
    struct step_stage stage;

    set_stage(&stage);
    /* its waits are short; longer than the first slices; as when they were found */
    stage.patience = test->trial.attempt == 1 ? PATIENCE : 0;
    test->doing = "on the way to the point";
    result = step_stage_reach(&stage, point, test->trial.attempt == 2);
    if (result.place != STEP_RETURNED && test->partner_points.n == 0 &&
        test->points.n_steps > point->step)
        result.left = test->points.n_steps - point->step;
    test->was_reached = result.place != STEP_RETURNED || point->place == STEP_RETURNED;
    tally->n_kills++;
    tally->n_asleep += result.was_asleep;
    tally->n_returned += result.place == STEP_RETURNED;
    end_and_check(&stage, &result);
}

/* ---- who watches ---- */

/* The file and the place in it, and with the help of binutils the function and the line. */
static void print_place(uintptr_t address)
{
    char line[512], path[256], command[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    size_t from, to, offset;

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%zx-%zx %*s %zx %*s %*s %255s", &from, &to, &offset, path) != 4 ||
            address < from || address >= to)
            continue;
        offset += address - from;
        snprintf(command, sizeof command, "addr2line -pfise '%s' %#zx >&2", path, offset);
        fprintf(stderr, "    %s+%#zx: ", path, offset);
        if (path[0] != '/' || system(command) != 0)
            fputc('\n', stderr);
    }
    if (maps != NULL)
        fclose(maps);
}

static void print_trial(void)
{
    static const char *const places[] = { "before", "within", "behind" };
    const struct step_point *point = &test->points.all[test->trial.point];

    if (test->trial.point == NO_POINT) {
        fprintf(stderr, "    before any kill, while %s; seed %llu\n", test->doing,
                (unsigned long long)test->seed);
        return;
    }
    fprintf(stderr, "    the kill %s an instruction, at its visit %u; failed while %s; ",
            places[point->place], point->visit, test->doing);
    fprintf(stderr, "once more: PLAIT_STEPS=%zu.%u PLAIT_SEED=%llu\n", test->trial.point,
            test->trial.round, (unsigned long long)test->seed);
    if (point->place != STEP_RETURNED)
        print_place(point->address);
}

/* The wait status of a survivor; -1: it got stuck. */
static int watch(pid_t survivor)
{
    long slow = setting("PLAIT_SLOW", 1);
    struct timespec limit = { .tv_sec = STUCK_S * (slow < MOST_SLOW ? slow : MOST_SLOW) };
    sigset_t set;
    int status;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    while (waitpid(survivor, &status, WNOHANG) == 0)
        if (sigtimedwait(&set, NULL, &limit) < 0 && errno == EAGAIN)
            return -1;
    return status;
}

/* One survivor, from beginning to end. */
static void try(void (*fn)(void), struct trial trial)
{
    pid_t pid;
    int status;

    test->trial = trial;
    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* from the trial alone, so that it can be repeated alone */
        random_state =
            test->seed + trial.point * 64 + trial.round + ((uint64_t)trial.attempt << 48);
        fn();
        _exit(0);
    }
    status = watch(pid);
    if (status == 0)
        return;
    print_trial();
    if (status == -1)
        test_fail(__FILE__, __LINE__, "%s: a survivor is stuck", test->call->name);
    test_fail(__FILE__, __LINE__, "%s: a survivor failed (wait status %#x)", test->call->name,
              (unsigned)status);
}

/* Some points need a wait that is long, or a partner that is somewhere else. */
static void kill_at(size_t point, unsigned round)
{
    test->tally.n_tried++;
    test->was_reached = false;
    for (unsigned i = 0; i < test->attempts && !test->was_reached; i++)
        try(kill_once, (struct trial){ point, round, i });
    test->tally.n_missed += !test->was_reached;
}

/* The point that the environment names, as print_trial does. */
static void kill_at_named(const char *name)
{
    const char *round = strchr(name, '.');
    size_t point = (size_t)atol(name);

    CHECK(point < test->points.n);
    kill_at(point, round != NULL ? (unsigned)atoi(round + 1) : 0);
}

/* The points that the environment wants; with a partner more than once, as that is somewhere else
 * each time. */
static void kill_at_all(void)
{
    const char *wanted = getenv("PLAIT_STEPS");
    double end = now_ms() + (double)setting("PLAIT_STEP_MS", DEFAULT_BUDGET_MS);
    unsigned rounds = test->call->partner != NULL ? ROUNDS : 1;
    bool takes_all = wanted != NULL && strcmp(wanted, "all") == 0;

    test->attempts = wanted != NULL && rounds == 1 ? ALL_ATTEMPTS : ATTEMPTS;
    if (wanted != NULL && !takes_all) {
        kill_at_named(wanted);
        return;
    }
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t i = 0; i < test->points.n; i++) {
            if (!takes_all && now_ms() > end)
                return;
            kill_at(test->points.order[i], round);
        }
    }
}

static void report(void)
{
    const struct step_points *points = &test->points;
    const struct tally *tally = &test->tally;

    printf("    %s: %zu instructions at %zu addresses, %zu points (and %zu repetitions); ",
           test->call->name, points->n_steps, points->n_distinct, points->n, points->n_skipped);
    printf("%zu tried, %zu kills, %zu asleep in a system call, %zu behind the call, %zu missed;",
           tally->n_tried, tally->n_kills, tally->n_asleep, tally->n_returned, tally->n_missed);
    for (size_t i = 0; i < OUTCOMES && tally->outcomes[i].words != NULL; i++)
        printf("%s %s %zu", i > 0 ? "," : "", tally->outcomes[i].words, tally->outcomes[i].n);
    printf("; the longest check took %.0f ms; seed %llu\n", tally->longest_check_ms,
           (unsigned long long)test->seed);
}

void step_test(const struct step_call *call)
{
    const char *missing = trace_missing();
    struct timespec now;
    sigset_t set;

    if (missing != NULL)
        test_skip(missing);
    clock_gettime(CLOCK_REALTIME, &now);
    test = step_share(sizeof *test);
    test->call = call;
    test->seed = random_state = (uint64_t)setting("PLAIT_SEED", now.tv_nsec % 1000000);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &test->mask);
    step_points_init(&test->points);
    step_points_init(&test->partner_points);
    if (call->partner != NULL)
        try(survey_partner, (struct trial){ NO_POINT, 0, 0 });
    for (unsigned i = 0; i < SURVEYS; i++)
        try(survey, (struct trial){ NO_POINT, i, 0 });
    step_points_add_return(&test->points);
    step_points_order(&test->points);
    kill_at_all();
    report();
    CHECK(test->tally.n_missed < test->tally.n_tried); /* else this was no test */
}
