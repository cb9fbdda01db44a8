/* The storm over a pool: the owner, and the oracle.
 * SPDX-License-Identifier: MIT
 *
 * PLAIT_KILLS says how much of it there is, PLAIT_JOBS how many jobs (50 for each kill), PLAIT_SEED
 * how it goes. A seed leads to the same choices; the moments themselves belong to the machine. It
 * goes in rounds, each with a pool of its own.
 *
 * Of each job there has to be exactly one outcome: a value only if it was finished, its value
 * whole; lost only if it was begun as often as it may be and each of its workers was killed by us;
 * cancelled or expired only if that was asked for. Nothing is entered more often than it may be, no
 * two starts of a job overlap, and what the pool counts is what the outcomes were.
 */
#include "pool_storm.h"
#include "chance.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "descriptors.h"

enum {
    KILLS = 2000,        /* unless PLAIT_KILLS says so */
    JOBS_A_KILL = 50,    /* unless PLAIT_JOBS says so */
    ROUND_JOBS = 200000, /* in a round, at most */
    WINDOW = 192,        /* jobs under way at once */
    STUCK_S = 30,        /* times PLAIT_SLOW, up to MOST_SLOW: nobody waits that long */
    MOST_SLOW = 6,
    ENDS = PLAIT_JOB_EXPIRED + 1,
    CAUSES = PLAIT_CAUSE_MEMORY + 1,
};

/* A job or a map under way. */
struct errand {
    plait_future *future; /* NULL: the place is free */
    uint32_t first, n;    /* its stories */
    uint32_t n_calls;     /* of its callback */
    struct storm_order orders[STORM_MAP_ITEMS];
    uint64_t values[STORM_MAP_ITEMS]; /* of a map */
    plait_result results[STORM_MAP_ITEMS];
};

struct storm *storm;
static plait_pool *pool;
static struct errand errands[WINDOW];
static uint64_t random_state;
static uint32_t next_story;

/* What is counted. */
struct tally {
    uint64_t jobs, ends[ENDS], causes[CAUSES], unentered;
    uint64_t kills, inside, keeper_kills, stops;
    int64_t longest_ns; /* from a kill until its job was told as lost */
};

static struct tally all, this_round;

/* ---- for all sides ---- */

int64_t storm_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint32_t storm_random(uint32_t limit)
{
    return chance_below(&random_state, limit);
}

void storm_reseed(uint64_t number)
{
    random_state = storm->seed * UINT64_C(0xD1342543DE82EF95) +
                   storm->round * UINT64_C(0x2545F4914F6CDD1D) + number;
    storm_random(2);
}

static long setting(const char *name, long fallback)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? atol(text) : fallback;
}

static int64_t stuck_ms(void)
{
    long slow = setting("PLAIT_SLOW", 1);

    return STUCK_S * INT64_C(1000) * (slow < 1 ? 1 : slow > MOST_SLOW ? MOST_SLOW : slow);
}

/* ---- the oracle ---- */

__attribute__((noreturn, format(printf, 3, 4))) static void
wrong(const struct storm_order *order, const plait_result *result, const char *format, ...)
{
    const struct storm_story *story = &storm->stories[order->number];
    va_list args;

    va_start(args, format);
    fprintf(stderr, "    ");
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr,
            "\n    job %u of kind %u (%u): end %d, cause %d, code %d, pid %d, "
            "signal %d, %u starts\n",
            order->number, order->kind, order->amount, result->end, result->cause, result->code,
            (int)result->pid, result->signal, result->starts);
    fprintf(stderr, "    entered %u, finished %u, overlaps %u, attempts %u, asked %u\n",
            story->entered, story->finished, story->overlaps, story->attempts, story->asked);
    for (unsigned i = 0; i < STORM_STARTS; i++) {
        if (story->lives[i] == 0)
            continue;
        const struct storm_life *life = &storm->lives[story->lives[i] - 1];
        fprintf(stderr, "    by life %u, pid %d, keeper %d, killed %u\n", story->lives[i] - 1,
                (int)life->pid, (int)life->keeper, life->killed);
    }
    test_fail(__FILE__, __LINE__, "seed %llu", (unsigned long long)storm->seed);
}

/* A kill is marked before it is sent. */
static bool was_killed(pid_t pid)
{
    uint32_t n = __atomic_load_n(&storm->n_lives, __ATOMIC_SEQ_CST);

    for (uint32_t i = n < storm->max_lives ? n : storm->max_lives; i-- > 0;) {
        const struct storm_life *life = &storm->lives[i];
        if (life->pid != pid || !__atomic_load_n(&life->killed, __ATOMIC_SEQ_CST))
            continue;
        int64_t took = storm_now_ns() - __atomic_load_n(&life->killed_ns, __ATOMIC_SEQ_CST);
        this_round.longest_ns = took > this_round.longest_ns ? took : this_round.longest_ns;
        return true;
    }
    return false;
}

static void judge_lost(const struct storm_order *order, const plait_result *result)
{
    const struct storm_story *story = &storm->stories[order->number];
    bool is_poison = result->cause == PLAIT_CAUSE_POISON;

    if (result->starts == 0)
        wrong(order, result, "lost, and never begun");
    if (result->starts < story->attempts && !story->asked && !(is_poison && result->starts >= 2))
        wrong(order, result, "lost, and has attempts left");
    if (result->cause == PLAIT_CAUSE_DEATH || is_poison) {
        if (!was_killed(result->pid) && storm->keeper_kills == 0)
            wrong(order, result, "lost by a death, but its worker was not killed");
        if (result->signal != SIGKILL && !(is_poison && storm->keeper_kills > 0))
            wrong(order, result, "lost, but not by SIGKILL");
    } else if (result->cause != PLAIT_CAUSE_KEEPER || storm->keeper_kills == 0) {
        wrong(order, result, "lost by what nobody did");
    }
    this_round.unentered += story->entered < result->starts;
}

static void judge_value(const struct storm_order *order, const plait_result *result,
                        const void *bytes, size_t n)
{
    uint64_t value = (uint64_t)order->number * 3 + 1;

    if (order->kind == STORM_ERROR || order->kind == STORM_LOOP)
        wrong(order, result, "it has no value");
    if (order->kind != STORM_WRITE) {
        if (n != sizeof value || memcmp(bytes, &value, n) != 0)
            wrong(order, result, "another value than it should have, of %zu bytes", n);
        return;
    }
    if (n != order->amount)
        wrong(order, result, "%zu bytes instead of %u", n, order->amount);
    for (size_t i = 0; i < n; i++)
        if (((const unsigned char *)bytes)[i] != storm_byte(order, i))
            wrong(order, result, "byte %zu of %zu is wrong", i, n);
}

/* bytes: of a value. */
static void judge(const struct storm_order *order, const plait_result *result, const void *bytes,
                  size_t n)
{
    struct storm_story *story = &storm->stories[order->number];
    uint32_t entered = __atomic_load_n(&story->entered, __ATOMIC_SEQ_CST);
    bool is_finished = __atomic_load_n(&story->finished, __ATOMIC_SEQ_CST) > 0;

    if (story->ended++ != 0)
        wrong(order, result, "a second outcome");
    if (entered > result->starts || result->starts > story->attempts)
        wrong(order, result, "entered or begun more often than it may be");
    if (story->overlaps != 0)
        wrong(order, result, "two starts overlapped");
    switch (result->end) {
    case PLAIT_JOB_VALUE:
        if (!is_finished)
            wrong(order, result, "a value, but it did not finish");
        judge_value(order, result, bytes, n);
        break;
    case PLAIT_JOB_ERROR:
        if (!is_finished || order->kind != STORM_ERROR || result->code != -(int)order->amount - 1)
            wrong(order, result, "an error that it did not have");
        break;
    case PLAIT_JOB_LOST:
        judge_lost(order, result);
        break;
    case PLAIT_JOB_CANCELLED:
        if (!story->asked)
            wrong(order, result, "cancelled, but nobody asked");
        break;
    case PLAIT_JOB_EXPIRED:
        if (order->kind != STORM_LOOP)
            wrong(order, result, "expired, but it has no limit");
        break;
    default:
        wrong(order, result, "no outcome");
    }
    this_round.ends[result->end]++;
    this_round.causes[result->cause]++;
    __atomic_fetch_add(&storm->n_ended, 1, __ATOMIC_SEQ_CST);
}

/* The callback of each errand: judges it, and frees its place. */
static void settle(plait_future *future, void *arg)
{
    struct errand *errand = arg;
    const void *bytes = NULL;
    plait_result result;
    ssize_t n;

    CHECK_INT(errand->n_calls++, 0);
    CHECK(plait_future_is_ready(future));
    if (errand->n > 1) {
        for (uint32_t i = 0; i < errand->n; i++)
            judge(&errand->orders[i], &errand->results[i], &errand->values[i],
                  sizeof errand->values[i]);
        return;
    }
    CHECK_INT(plait_future_result(future, &result), 0);
    n = plait_future_bytes(future, &bytes);
    CHECK_INT(n >= 0, result.end == PLAIT_JOB_VALUE);
    judge(&errand->orders[0], &result, bytes, n < 0 ? 0 : (size_t)n);
}

/* ---- the owner ---- */

static enum storm_kind choose_kind(void)
{
    uint32_t chance = storm_random(1000);

    return chance < 550   ? STORM_SQUARE
           : chance < 750 ? STORM_SPIN
           : chance < 850 ? STORM_SLEEP
           : chance < 900 ? STORM_ERROR
           : chance < 960 ? STORM_WRITE
           : chance < 964 ? STORM_LOOP
           : chance < 980 ? STORM_NEST
                          : STORM_SQUARE;
}

static void plan(struct errand *errand, uint32_t n, enum storm_kind kind, unsigned attempts)
{
    *errand = (struct errand){ .first = next_story, .n = n };
    for (uint32_t i = 0; i < n; i++) {
        storm->stories[next_story].kind = (uint8_t)kind;
        storm->stories[next_story].attempts = (uint8_t)attempts;
        errand->orders[i] = (struct storm_order){
            .number = next_story++,
            .kind = kind,
            .amount = kind == STORM_WRITE ? storm_random(storm_random(4) ? 200 : STORM_MOST_BYTES)
                                          : storm_random(3000),
        };
    }
}

static void submit_one(struct errand *errand)
{
    enum storm_kind kind = choose_kind();

    plan(errand, 1, kind, 1 + storm_random(STORM_STARTS));
    plait_job job = { .in = errand->orders,
                      .in_bytes = sizeof errand->orders[0],
                      .attempts = storm->stories[errand->first].attempts,
                      .lane = storm_random(2),
                      .hard_ms = kind == STORM_LOOP ? 5 + storm_random(20) : 0 };
    if (kind == STORM_WRITE)
        job.text_fn = storm_write;
    else
        job.fn = storm_work;
    job.out_bytes = kind == STORM_WRITE ? 0 : sizeof(uint64_t);
    CHECK_INT(plait_pool_submit(pool, &errand->future, &job, plait_after_ms(stuck_ms())), 0);
}

static void submit_map(struct errand *errand)
{
    plan(errand, STORM_MAP_ITEMS, storm_random(2) ? STORM_SQUARE : STORM_SPIN,
         1 + storm_random(STORM_STARTS));
    plait_map_opts opts = { .results = errand->results,
                            .attempts = storm->stories[errand->first].attempts,
                            .chunk = 1 + storm_random(STORM_MAP_ITEMS),
                            .lane = storm_random(2) };
    CHECK_INT(plait_pool_map_async(pool, &errand->future, storm_work, PLAIT_IN(errand->orders),
                                   PLAIT_OUT(errand->values), &opts),
              0);
}

static void ask_to_end(struct errand *errand)
{
    bool kill = storm_random(2);

    for (uint32_t i = 0; i < errand->n; i++)
        storm->stories[errand->first + i].asked = kill ? 2 : 1;
    int rc = plait_future_cancel(errand->future, kill);
    CHECK(rc == 0 || rc == -EALREADY);
}

static void begin_errand(struct errand *errand)
{
    if (storm_random(20) == 0 && next_story + STORM_MAP_ITEMS <= storm->n_stories)
        submit_map(errand);
    else
        submit_one(errand);
    CHECK_INT(plait_future_then(errand->future, settle, errand), 0);
    if (storm_random(60) == 0)
        ask_to_end(errand);
}

/* Into the sum. */
static void add_round(void)
{
    all.jobs += storm->n_ended;
    for (int i = 0; i < ENDS; i++)
        all.ends[i] += this_round.ends[i];
    for (int i = 0; i < CAUSES; i++)
        all.causes[i] += this_round.causes[i];
    all.unentered += this_round.unentered;
    all.kills += storm->kills;
    all.inside += storm->inside;
    all.keeper_kills += storm->keeper_kills;
    all.stops += storm->stops;
    all.longest_ns =
        this_round.longest_ns > all.longest_ns ? this_round.longest_ns : all.longest_ns;
}

#define COUNT(what) (unsigned long long)all.what

static void tell(const char *how, int64_t begin)
{
    printf("%s: %llu jobs, %llu values, %llu errors, %llu lost (%llu with the "
           "keeper, %llu poison, "
           "%llu before their first instruction), %llu cancelled, %llu expired; "
           "%llu kills, %llu "
           "inside a job, %llu of keepers, %llu stops; told after %.1f ms at "
           "most; seed %llu, %.0f s\n",
           how, COUNT(jobs), COUNT(ends[PLAIT_JOB_VALUE]), COUNT(ends[PLAIT_JOB_ERROR]),
           COUNT(ends[PLAIT_JOB_LOST]), COUNT(causes[PLAIT_CAUSE_KEEPER]),
           COUNT(causes[PLAIT_CAUSE_POISON]), COUNT(unentered), COUNT(ends[PLAIT_JOB_CANCELLED]),
           COUNT(ends[PLAIT_JOB_EXPIRED]), COUNT(kills), COUNT(inside), COUNT(keeper_kills),
           COUNT(stops), (double)all.longest_ns / 1e6, (unsigned long long)storm->seed,
           (double)(storm_now_ns() - begin) / 1e9);
    fflush(stdout);
}

/* The one that it waits for is the oldest, or one at random; others end meanwhile. */
static void run_jobs(void)
{
    memset(errands, 0, sizeof errands);
    for (uint64_t at = 0; next_story < storm->n_stories; at++) {
        struct errand *errand = &errands[at % WINDOW];
        if (errand->future != NULL) {
            int rc = plait_future_wait(errand->future, plait_after_ms(stuck_ms()));
            if (rc != 0)
                wrong(errand->orders, &(plait_result){ 0 }, "waiting for it says %d", rc);
            CHECK_INT(errand->n_calls, 1);
            plait_future_unref(errand->future);
        }
        begin_errand(errand);
    }
    CHECK_INT(plait_pool_drain(pool, plait_after_ms(stuck_ms())), 0);
    for (size_t i = 0; i < WINDOW; i++) {
        if (errands[i].future == NULL)
            continue;
        CHECK(plait_future_is_ready(errands[i].future));
        CHECK_INT(errands[i].n_calls, 1);
        plait_future_unref(errands[i].future);
    }
}

/* ---- what must be left ---- */

static uint64_t blocks_in_use(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

/* What the pool counts is what the outcomes were; jobs that jobs submitted are counted too. */
static void check_counts(void)
{
    plait_pool_usage usage;

    CHECK_INT(plait_pool_stats(pool, &usage), 0);
    CHECK_INT(storm->n_ended, storm->n_stories);
    CHECK_INT(usage.pending + usage.running, 0);
    CHECK_INT(usage.submitted,
              usage.values + usage.errors + usage.lost + usage.cancelled + usage.expired);
    CHECK(usage.submitted >= storm->n_stories);
    CHECK(usage.values >= this_round.ends[PLAIT_JOB_VALUE] &&
          usage.lost >= this_round.ends[PLAIT_JOB_LOST]);
    CHECK_INT(usage.errors, this_round.ends[PLAIT_JOB_ERROR]);
    CHECK_INT(usage.expired, this_round.ends[PLAIT_JOB_EXPIRED]);
    for (uint32_t i = 0; i < storm->n_stories; i++)
        CHECK_INT(storm->stories[i].ended, 1);
}

static void *share(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(at != MAP_FAILED);
    return at;
}

static void prepare(void)
{
    storm = share(sizeof *storm);
    storm->seed = (uint64_t)setting("PLAIT_SEED", 1);
    storm->max_lives = ROUND_JOBS / 20 + ROUND_JOBS / 10;
    storm->stories = share(ROUND_JOBS * sizeof *storm->stories);
    storm->lives = share(storm->max_lives * sizeof *storm->lives);
}

static void begin_round(uint32_t number, uint32_t jobs, uint64_t jobs_a_kill)
{
    struct storm *old = storm, fresh = { .seed = old->seed,
                                         .max_lives = old->max_lives,
                                         .n_stories = jobs,
                                         .jobs_a_kill = jobs_a_kill,
                                         .round = number,
                                         .lives = old->lives,
                                         .stories = old->stories };

    *storm = fresh;
    memset(storm->stories, 0, ROUND_JOBS * sizeof *storm->stories);
    memset(storm->lives, 0, storm->max_lives * sizeof *storm->lives);
    this_round = (struct tally){ 0 };
    next_story = 0;
    storm_reseed(1);
}

static pid_t start_killer(void)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        storm_reseed(2);
        storm_kill();
        _exit(0);
    }
    return pid;
}

static void run_round(void)
{
    plait_pool_opts opts = { .workers = STORM_WORKERS,
                             .lanes = 2,
                             .init = storm_init_worker,
                             .max_pending = WINDOW / 2,
                             .max_tasks = 500 };
    int status;

    pid_t killer = start_killer();
    CHECK_INT(plait_pool_create(&pool, PLAIT_PROCESS, &opts), 0);
    run_jobs();
    __atomic_store_n(&storm->is_over, 1, __ATOMIC_SEQ_CST);
    CHECK_INT(test_waitpid(killer, &status, 0), killer);
    CHECK_INT(status, 0);
    check_counts();
    plait_pool_destroy(pool);
    add_round();
}

TEST_LIMIT(each_job_of_a_pool_has_exactly_one_outcome_in_a_storm_of_kills, 280)
{
    uint64_t kills = (uint64_t)setting("PLAIT_KILLS", KILLS);
    uint64_t jobs = (uint64_t)setting("PLAIT_JOBS", (long)kills * JOBS_A_KILL), blocks;
    int64_t begin = storm_now_ns();
    unsigned fds;

    CHECK(kills > 0 && jobs >= 2 * kills);
    prepare();
    CHECK_INT(plait_keeper_start(), 0);
    CHECK_INT(plait_pool_create(&pool, PLAIT_PROCESS, &(plait_pool_opts){ .workers = 1 }), 0);
    plait_pool_destroy(pool); /* what is made once is made now */
    fds = count_fds();
    blocks = blocks_in_use();
    for (uint32_t round = 1; all.jobs < jobs || all.kills < kills; round++) {
        uint64_t left = jobs - all.jobs;
        if (all.jobs >= jobs) /* the killer fell behind */
            left = (kills - all.kills + 1) * (jobs / kills);
        begin_round(round, (uint32_t)(left < ROUND_JOBS ? left : ROUND_JOBS), jobs / kills);
        run_round();
        if (all.jobs < jobs || all.kills < kills)
            tell("    so far", begin);
    }
    tell("storm", begin);
    CHECK_INT(blocks_in_use(), blocks);
    CHECK_INT(count_fds(), fds);
    CHECK(all.inside * 4 >= all.kills);
    CHECK(all.unentered * 4 <= all.ends[PLAIT_JOB_LOST]);
}
