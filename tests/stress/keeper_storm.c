/* The storm over the keeper and the tasks that it forks: both, and the owner, are killed at any moment;
 * each start has one outcome, and nobody is left. SPDX-License-Identifier: MIT
 *
 * PLAIT_ROUNDS and PLAIT_SECONDS say when it ends, whichever comes first, PLAIT_SEED how it goes. In a
 * round an owner starts tasks of the forkserver, up to AT_ONCE at a time; beside a thread in every other
 * one, where its keeper is the program again. Some owners are killed; the others come to their end, and
 * then have as many descriptors as they had when they began.
 *
 * Whoever loses its parent falls to the judge, who so sees all that are left.
 */
#include "os/pidfd.h"
#include "task/keeper.h"
#include <plait.h>
#include <plait/failure.h>

#include "chance.h"
#include "descriptors.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUNDS = 6, /* unless PLAIT_ROUNDS or PLAIT_SECONDS says so */
    STARTS = 60,
    AT_ONCE = 3,
    STANDS = 5, /* each of so many ends only when it is killed */
    LATE_MS = 2000,
    LIMIT_MS = 60000,
    GROWTH_KIB = 512, /* of an owner's memory, from half of its starts on */
};

/* In the family's heap, of one round. */
struct board {
    pid_t keeper, task; /* atomic: who may be killed */
    uint32_t seed;
    bool beside_threads;

    struct count {
        uint32_t started, refused; /* by the owner */
        uint32_t entered;          /* by the task; atomic */
        uint32_t told, failures;   /* by the owner: outcomes, calls of the hook */
        bool was_killed, stands;   /* that one ends only when it is killed */
    } counts[STARTS];
};

static uint64_t random_state;
static struct board *board;

static struct {
    unsigned rounds, starts, refused, returned, killed, keepers, tasks, owners, late;
    int64_t most_ms;
} sum;

void test_begin(int *argc, char ***argv)
{
    plait_init(argc, argv);
    if (getenv("PLAIT_SPAWN") != NULL)
        _exit(98);
}

static uint32_t random_below(uint32_t limit)
{
    return chance_below(&random_state, limit);
}

/* ---- the owner ---- */

struct order {
    struct board *board;
    uint32_t number, nap_us;
};

static int enter(void *arg)
{
    const struct order *order = arg;

    __atomic_fetch_add(&order->board->counts[order->number].entered, 1, __ATOMIC_RELAXED);
    while (order->board->counts[order->number].stands)
        pause();
    nap_us(order->nap_us);
    return (int)order->number + 1000;
}

static plait_task *tasks[AT_ONCE];
static uint32_t numbers[AT_ONCE];

static void count_failure(plait_task *task, const plait_outcome *end, void *ctx)
{
    (void)end;
    (void)ctx;
    for (int i = 0; i < AT_ONCE; i++)
        if (tasks[i] == task)
            board->counts[numbers[i]].failures++;
}

static void end_one(int place)
{
    plait_outcome end = { 0 }, again = { 0 };
    struct count *count = &board->counts[numbers[place]];

    if (tasks[place] == NULL)
        return;
    if (count->stands)
        CHECK_INT(plait_task_kill(tasks[place]), 0);
    CHECK_INT(plait_task_join(tasks[place], PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(tasks[place], &end), 0);
    count->told++;
    count->was_killed = end.kind != PLAIT_RETURNED;
    if (count->was_killed)
        CHECK_INT(end.signal, SIGKILL);
    else
        CHECK_INT(end.code, numbers[place] + 1000);
    CHECK_INT(plait_task_join(tasks[place], PLAIT_NOWAIT), 0);
    CHECK_INT(plait_task_outcome(tasks[place], &again), 0);
    CHECK(again.kind == end.kind && again.code == end.code && again.signal == end.signal);
    plait_task_destroy(tasks[place]);
    tasks[place] = NULL;
}

static void start_one(uint32_t number)
{
    struct order order = { board, number, random_below(800) };
    plait_task_opts opts = { .method = PLAIT_START_FORKSERVER, .arg_bytes = sizeof order };
    int place = (int)(number % AT_ONCE), rc;

    end_one(place);
    numbers[place] = number;
    board->counts[number].stands = number % STANDS == 1;
    rc = plait_task_start(&tasks[place], PLAIT_PROCESS, enter, &order, &opts);
    if (rc < 0)
        CHECK_INT(rc, PLAIT_EKEEPER); /* killed twice in one start */
    board->counts[number].started = rc == 0;
    board->counts[number].refused = rc < 0;
    __atomic_store_n(&board->keeper, plait__keeper_pid(), __ATOMIC_RELEASE);
    if (rc == 0)
        __atomic_store_n(&board->task, plait_task_id(tasks[place]), __ATOMIC_RELEASE);
}

static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    CHECK(file != NULL && fscanf(file, "%*d %ld", &pages) == 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void *stand_aside(void *arg)
{
    while (pause() < 0)
        ;
    return arg;
}

/* While there is a keeper, which has a channel for tasks: without one there are some less. */
static unsigned count_at_rest(void)
{
    unsigned n;

    do {
        start_one(0);
        end_one(0);
        n = count_fds();
    } while (plait__keeper_has_died());
    return n;
}

static void own(void)
{
    unsigned fds;
    long kib = 0;
    pthread_t thread;

    random_state = board->seed;
    plait_on_task_failure(count_failure, NULL);
    if (board->beside_threads)
        CHECK_INT(pthread_create(&thread, NULL, stand_aside, NULL), 0);
    CHECK_INT(plait_keeper_start(), 0);
    fds = count_at_rest();
    for (uint32_t i = 1; i < STARTS; i++) {
        start_one(i);
        kib = i == STARTS / 2 ? resident_kib() : kib;
    }
    for (int i = 0; i < AT_ONCE; i++)
        end_one(i);
    CHECK_INT(count_at_rest(), fds);
    CHECK(resident_kib() < kib + GROWTH_KIB);
    exit(0);
}

/* ---- the judge ---- */

/* By a pidfd, and only when it is this program still: a number may be a stranger's by now. */
static bool kill_ours(pid_t pid)
{
    char path[32], program[256] = "", ours[256] = "";
    int pidfd = pid > 0 ? plait__os_pidfd_open(pid) : -1;
    bool is_killed;

    if (pidfd < 0)
        return false;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    is_killed = readlink(path, program, sizeof program - 1) > 0 &&
                readlink("/proc/self/exe", ours, sizeof ours - 1) > 0 &&
                strcmp(program, ours) == 0 && plait__os_pidfd_signal(pidfd, SIGKILL) == 0;
    close(pidfd);
    return is_killed;
}

/* Who falls to us, and has ended; false: nobody is left. */
static bool reap(void)
{
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
        ;
    return pid == 0;
}

static void await_nobody(void)
{
    int64_t from_ms = now_ms(), took_ms;

    while (reap()) {
        CHECK(now_ms() - from_ms < LIMIT_MS);
        nap_us(500);
    }
    took_ms = now_ms() - from_ms;
    sum.most_ms = took_ms > sum.most_ms ? took_ms : sum.most_ms;
    sum.late += took_ms > LATE_MS;
}

static void kill_some(pid_t owner, bool owner_too)
{
    int pidfd = plait__os_pidfd_open(owner);
    struct pollfd end = { .fd = pidfd, .events = POLLIN };
    unsigned n = random_below(40);

    CHECK(pidfd >= 0);
    while (poll(&end, 1, 0) == 0) {
        nap_us(random_below(1500));
        if (n > 0 && random_below(3) == 0)
            sum.keepers += kill_ours(__atomic_load_n(&board->keeper, __ATOMIC_ACQUIRE));
        else if (n > 0)
            sum.tasks += kill_ours(__atomic_load_n(&board->task, __ATOMIC_ACQUIRE));
        n -= n > 0;
        if (owner_too && random_below(16) == 0) {
            CHECK_INT(plait__os_pidfd_signal(pidfd, SIGKILL), 0);
            sum.owners++;
            poll(&end, 1, LIMIT_MS);
        }
    }
    close(pidfd);
}

/* Of a start of which the owner lived to hear all: exactly one end; of the others none twice. */
static void check_counts(bool is_whole)
{
    for (int i = 0; i < STARTS; i++) {
        const struct count *count = &board->counts[i];
        sum.starts += count->started;
        sum.refused += count->refused;
        sum.returned += count->told > 0 && !count->was_killed;
        sum.killed += count->told > 0 && count->was_killed;
        if (i == 0)
            continue; /* that one may be started again, to make a keeper */
        CHECK(count->entered <= 1);
        CHECK(count->told <= 1 && count->failures <= 1);
        CHECK(count->started != 0 || count->told == 0);
        CHECK(count->refused == 0 || count->entered == 0);
        CHECK(!is_whole || count->started + count->refused == 1);
        CHECK(!is_whole || count->told == count->started);
        /* of one that stands it depends on who killed it first, we or the storm */
        CHECK(!is_whole || count->stands || count->failures == (count->told && count->was_killed));
        CHECK(!is_whole || !count->stands || count->was_killed || count->refused);
        CHECK(count->told == 0 || count->was_killed || count->entered == 1);
    }
}

static void run_round(void)
{
    bool owner_too = random_below(2) != 0;
    int status;
    pid_t owner;

    board = plait_shared_alloc(sizeof *board);
    CHECK(board != NULL);
    memset(board, 0, sizeof *board);
    board->seed = random_below(UINT32_MAX);
    board->beside_threads = sum.rounds % 2 != 0;
    owner = fork();
    CHECK(owner >= 0);
    if (owner == 0)
        own();
    kill_some(owner, owner_too);
    CHECK_INT(test_waitpid(owner, &status, 0), owner);
    CHECK(status == 0 || (owner_too && status == SIGKILL));
    await_nobody();
    check_counts(status == 0);
    plait_shared_free(board);
    sum.rounds++;
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

TEST_LIMIT(each_start_has_one_outcome_and_nobody_is_left_whoever_is_killed, 120)
{
    unsigned seconds = from_environment("PLAIT_SECONDS", 0),
             seed = from_environment("PLAIT_SEED", 1);
    unsigned rounds = from_environment("PLAIT_ROUNDS", seconds > 0 ? UINT32_MAX : ROUNDS), fds;
    int64_t until_ms = seconds > 0 ? now_ms() + (int64_t)seconds * 1000 : INT64_MAX;

    plait_log_set(NULL, NULL, PLAIT_LOG_OFF);
    CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0, 0, 0), 0);
    random_state = seed;
    run_round();
    fds = count_fds();
    while (sum.rounds < rounds && now_ms() < until_ms)
        run_round();
    CHECK_INT(count_fds(), fds);
    printf("storm: seed %u, %u rounds, %u starts: %u returned, %u killed, %u refused; kills of %u "
           "keepers, %u tasks, %u owners; all gone %lld ms after the owner at most, %u times later "
           "than %d ms\n",
           seed, sum.rounds, sum.starts, sum.returned, sum.killed, sum.refused, sum.keepers,
           sum.tasks, sum.owners, (long long)sum.most_ms, sum.late, LATE_MS);
}
