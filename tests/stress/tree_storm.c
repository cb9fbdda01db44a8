/* The storm over trees of processes: owners, keepers, workers, tasks and what these leave behind are
 * killed; in the end nobody of them may be left. SPDX-License-Identifier: MIT
 *
 * PLAIT_KILLS and PLAIT_SECONDS say when it ends, whichever comes first, PLAIT_SEED how it goes. It goes
 * in rounds: an owner has a pool, tasks that end at once, and tasks with trees below them that never
 * end; some of all these are killed, and at last the owner. The tasks with trees are forked, spawned and
 * made by the forkserver, round by round. All of them hold the write end of a pipe: its end of file says
 * that nobody is left.
 */
#include "os/pidfd.h"
#include "task/keeper.h"
#include <plait.h>

#include "chance.h"
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    KILLS = 20, /* unless PLAIT_KILLS or PLAIT_SECONDS says so */
    TREES = 2,  /* of an owner, at once */
    WORKERS = 2,
    PLACES = 64, /* of those who may be killed */
    LATE_MS = 2000,
    LIMIT_MS = 60000,
    METHODS = 3,
};

enum role {
    KEEPER,
    WORKER,
    TASK,
    BELOW,
    ROLES
};

static const char *const names[] = { "keepers", "workers", "tasks", "those below them" };
static const char *const methods[] = { "fork", "spawn", "forkserver" };

/* Who lives, or has lived; shared, and not in the family's heap: each owner makes a family of its own,
 * with which ends what it had there. */
static struct board {
    uint32_t n; /* atomic */

    struct {
        pid_t pid;
        enum role role;
    } who[PLACES];
} * board;

static int board_file;

static uint64_t random_state;
static pid_t owner;
static char pipe_name[64]; /* as /proc says it */

/* What a task is told. */
struct plan {
    int board; /* a file in memory, for who is no fork of ours */
    unsigned shape;
};

static struct {
    unsigned rounds, kills, late, of[ROLES], by[METHODS]; /* kills in rounds of that method */
    int64_t most_ms;
} sum;

static uint32_t random_below(uint32_t limit)
{
    return chance_below(&random_state, limit);
}

static void enter(enum role role, pid_t pid)
{
    uint32_t place = __atomic_fetch_add(&board->n, 1, __ATOMIC_RELAXED) % PLACES;

    board->who[place].role = role;
    __atomic_store_n(&board->who[place].pid, pid, __ATOMIC_RELEASE);
}

/* ---- what is below an owner ---- */

static void sleep_for_ever(void)
{
    for (;;)
        pause();
}

/* One way to get away. */
static void get_away(unsigned how)
{
    if (fork() != 0)
        return;
    if (how > 0)
        setsid();
    if (how > 1 && fork() != 0)
        _exit(0);
    enter(BELOW, getpid());
    clearenv();
    signal(SIGTERM, SIG_IGN);
    for (int i = 0; how > 2 && i < 20; i++) /* always another one */
        if (fork() != 0)
            _exit(0);
    sleep_for_ever();
}

static void map_board(int file)
{
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(board != MAP_FAILED);
}

static int grow(void *arg)
{
    const struct plan *plan = arg;

    if (board == NULL)
        map_board(plan->board);
    enter(TASK, getpid());
    for (unsigned how = 0; how < 4; how++)
        if (plan->shape >> how & 1)
            get_away(how);
    sleep_for_ever();
    return 0;
}

static int end_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static int job(const void *in, void *out, void *ctx)
{
    (void)out;
    (void)ctx;
    enter(WORKER, getpid());
    nap_us(*(const uint32_t *)in);
    return 0;
}

/* Of this round. */
static plait_start_method method(void)
{
    return PLAIT_START_FORK + sum.rounds % METHODS;
}

static void tend(plait_task **tree)
{
    struct plan plan = { board_file, random_below(16) };

    if (*tree == NULL) {
        plait_task_opts opts = { .tree = true,
                                 .method = method(),
                                 .daemon = random_below(2) != 0,
                                 .arg_bytes = sizeof plan };
        if (plait_task_start(tree, PLAIT_PROCESS, grow, &plan, &opts) < 0)
            *tree = NULL;
    } else if (random_below(3) == 0) {
        plait_task_destroy(*tree);
        *tree = NULL;
    } else if (random_below(3) == 0) {
        plait_task_terminate(*tree);
    }
}

static void own(void)
{
    plait_pool_opts opts = { .workers = WORKERS };
    plait_task *trees[TREES] = { NULL, NULL }, *task;
    uint32_t times[8] = { 100, 2000, 50, 400, 3000, 10, 20, 700 };
    plait_pool *pool = NULL;
    pid_t keeper = 0;

    if (plait_pool_create(&pool, PLAIT_PROCESS, &opts) < 0)
        _exit(1);
    for (;;) {
        if (plait__keeper_pid() != keeper)
            enter(KEEPER, keeper = plait__keeper_pid());
        for (int i = 0; i < TREES; i++)
            tend(&trees[i]);
        plait_pool_map(pool, job, plait_items_of(times, sizeof *times, 8), (plait_items){ 0 }, NULL,
                       plait_after_ms(200));
        task = NULL;
        if (plait_task_start(&task, PLAIT_PROCESS, end_at_once, NULL, NULL) == 0)
            plait_task_join(task, PLAIT_FOREVER);
        plait_task_destroy(task);
    }
}

/* ---- the killing ---- */

/* Is that pid still one of ours? A keeper is the owner's child, all others hold the pipe. */
static bool is_ours(pid_t pid, enum role role)
{
    char path[64], held[64] = "", text[128] = "";
    int parent = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/fd/1", (int)pid);
    if (role != KEEPER)
        return readlink(path, held, sizeof held - 1) > 0 && strcmp(held, pipe_name) == 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    (void)!fgets(text, sizeof text, file);
    fclose(file);
    return sscanf(text, "%*d (plait-keeper) %*c %d", &parent) == 1 && parent == owner;
}

/* One of those who have entered themselves, if it is still there. */
static void kill_one(void)
{
    uint32_t n = __atomic_load_n(&board->n, __ATOMIC_RELAXED), place;
    enum role role;
    pid_t pid;
    int pidfd;

    if (n == 0)
        return;
    place = random_below(n < PLACES ? n : PLACES);
    pid = __atomic_exchange_n(&board->who[place].pid, 0, __ATOMIC_ACQUIRE);
    role = board->who[place].role;
    pidfd = pid > 0 ? plait__os_pidfd_open(pid) : -1;
    if (pidfd < 0)
        return;
    if (is_ours(pid, role) && plait__os_pidfd_signal(pidfd, SIGKILL) == 0) {
        sum.kills++;
        sum.of[role]++;
    }
    close(pidfd);
}

static void check_gone(int life)
{
    struct pollfd end = { .fd = life, .events = POLLIN };
    int64_t killed_ms = now_ms(), took_ms;

    while (poll(&end, 1, LIMIT_MS) < 0 && errno == EINTR)
        ;
    CHECK(end.revents & POLLHUP);
    took_ms = now_ms() - killed_ms;
    sum.most_ms = took_ms > sum.most_ms ? took_ms : sum.most_ms;
    sum.late += took_ms > LATE_MS;
}

static void run_round(void)
{
    unsigned kills = sum.kills;
    int life[2];
    char path[32];

    CHECK_INT(pipe(life), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", life[1]);
    memset(pipe_name, 0, sizeof pipe_name);
    CHECK(readlink(path, pipe_name, sizeof pipe_name - 1) > 0);
    memset(board, 0, sizeof *board);
    owner = fork();
    CHECK(owner >= 0);
    if (owner == 0) {
        close(life[0]);
        dup2(life[1], 1); /* workers keep this one */
        close(life[1]);
        own();
    }
    close(life[1]);
    for (uint32_t n = random_below(6); n > 0; n--) {
        nap_us(random_below(15000));
        kill_one();
    }
    nap_us(random_below(20000));
    CHECK_INT(kill(owner, SIGKILL), 0);
    sum.kills++;
    CHECK_INT(waitpid(owner, NULL, 0), owner);
    check_gone(life[0]);
    close(life[0]);
    sum.by[sum.rounds % METHODS] += sum.kills - kills;
    sum.rounds++;
}

void test_begin(int *argc, char ***argv)
{
    plait_init(argc, argv);
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

TEST_LIMIT(nobody_outlives_the_owner_whoever_was_killed_before, 120)
{
    unsigned seconds = from_environment("PLAIT_SECONDS", 0),
             seed = from_environment("PLAIT_SEED", 1);
    unsigned kills = from_environment("PLAIT_KILLS", seconds > 0 ? UINT32_MAX : KILLS);
    int64_t until_ms = seconds > 0 ? now_ms() + (int64_t)seconds * 1000 : INT64_MAX;

    plait_log_set(NULL, NULL, PLAIT_LOG_OFF);
    random_state = seed;
    board_file = memfd_create("board", 0);
    CHECK_INT(ftruncate(board_file, sizeof *board), 0);
    map_board(board_file);
    while (sum.kills < kills && now_ms() < until_ms)
        run_round();
    printf("storm: seed %u, %u kills: %u owners", seed, sum.kills, sum.rounds);
    for (int role = 0; role < ROLES; role++)
        printf(", %u %s", sum.of[role], names[role]);
    for (int i = 0; i < METHODS; i++)
        printf("%s %u with %s", i > 0 ? "," : "; kills:", sum.by[i], methods[i]);
    printf("; all gone %lld ms after the owner's death at most, %u times later than %d ms\n",
           (long long)sum.most_ms, sum.late, LATE_MS);
}
