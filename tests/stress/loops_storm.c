/* The storm over loops: the killing, and the oracle.
 * SPDX-License-Identifier: MIT
 *
 * PLAIT_KILLS and PLAIT_SECONDS say when it ends, whichever comes first, PLAIT_SEED how it goes. It goes
 * in rounds; the queue of every second one lies in a named segment.
 */
#include "loops_storm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chance.h"
#include "descriptors.h"

enum {
    KILLS = 40,        /* unless PLAIT_KILLS or PLAIT_SECONDS says so */
    ROUND_KILLS = 150, /* in a round */
    LOOPS = 8,         /* of the first processes, and of all others one */
    WIDE = 2,
    PROCESSES = 4, /* at once */
    REPORT_S = 10, /* between two lines on how it goes */
};

struct round *loops_round;
struct guarded *loops_guarded;
plait_queue *loops_queue;

static struct place {
    pid_t pid;
    uint32_t program;
    unsigned loops;
} places[PROCESSES];

static uint64_t random_state;

static struct {
    uint64_t kills, wide_kills, stops, rounds, items, died, changes;
    uint32_t most_threads;
} sum;

static uint32_t random_below(uint32_t limit)
{
    return chance_below(&random_state, limit);
}

static long setting(const char *name, long fallback)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? atol(text) : fallback;
}

static void *share(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);

    CHECK(at != MAP_FAILED);
    return at;
}

/* ---- the processes ---- */

static void begin_process(struct place *place, uint32_t number)
{
    CHECK(number < PROGRAMS);
    place->program = number;
    place->pid = fork();
    CHECK(place->pid >= 0);
    if (place->pid > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    loops_storm_act(number, place->loops);
    _exit(0);
}

static void kill_one(struct place *place, uint32_t number)
{
    int status;

    CHECK_INT(kill(place->pid, SIGKILL), 0);
    CHECK_INT(waitpid(place->pid, &status, 0), place->pid);
    CHECK(WIFSIGNALED(status)); /* else it had found something */
    loops_round->is_killed[place->program] = 1;
    sum.kills++;
    sum.wide_kills += place->loops > 1;
    begin_process(place, number);
}

static void stop_one(const struct place *place)
{
    CHECK_INT(kill(place->pid, SIGSTOP), 0);
    nap_us(1000 * (10 + random_below(150)));
    CHECK_INT(kill(place->pid, SIGCONT), 0);
    sum.stops++;
}

/* None has ended: with a status that says why. */
static void check_all_run(void)
{
    for (unsigned i = 0; i < PROCESSES; i++)
        CHECK_INT(waitpid(places[i].pid, NULL, WNOHANG), 0);
}

static void rage(uint64_t kills)
{
    uint32_t number = PROCESSES;

    for (uint64_t end = sum.kills + kills;
         sum.kills < end && number < PROGRAMS &&
         !__atomic_load_n(&loops_round->is_exhausted, __ATOMIC_SEQ_CST);) {
        nap_us(random_below(random_below(4) == 0 ? 30000 : 6000));
        if (random_below(100) == 0)
            stop_one(&places[random_below(PROCESSES)]);
        else
            kill_one(&places[random_below(PROCESSES)], number++);
    }
    check_all_run();
}

static void let_end(void)
{
    __atomic_store_n(&loops_round->is_over, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&loops_round->n_quiet, __ATOMIC_SEQ_CST) < PROCESSES) {
        check_all_run();
        nap_us(200);
    }
    CHECK_INT(plait_queue_close(loops_queue), 0);
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status;
        CHECK_INT(waitpid(places[i].pid, &status, 0), places[i].pid);
        CHECK_INT(status, 0);
    }
}

/* ---- the oracle ---- */

/* Marks what may have died with those that had got it. */
static uint64_t mark_in_hands(unsigned char *in_hand, uint32_t n_lives)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < n_lives; i++) {
        const struct life *life = &loops_round->lives[i];
        struct loops_item item;
        if (!loops_round->is_killed[life->program])
            continue;
        n++;
        if (loops_storm_is_item(life->hand, &item))
            in_hand[item.number] = 1;
        if (life->ending != 0)
            in_hand[life->ending - 1] = 1;
    }
    return n;
}

static void account_for_items(uint32_t n_lives)
{
    unsigned char *in_hand = calloc(EACH, 1);
    uint64_t n_killed, died = 0;

    CHECK(in_hand != NULL);
    n_killed = mark_in_hands(in_hand, n_lives);
    for (uint32_t i = 0; i < n_lives; i++) {
        const struct life *life = &loops_round->lives[i];
        if (life->done == 0) /* it puts nothing, or has not begun to */
            continue;
        for (uint32_t number = life->from; number < life->done; number++) {
            sum.items++;
            if (loops_round->seen[number] != 0)
                continue;
            if (!in_hand[number])
                test_fail(__FILE__, __LINE__, "item %u of life %u is gone", number, i);
            died++;
        }
    }
    CHECK(died <= n_killed);
    sum.died += died;
    free(in_hand);
}

static void account_for_changes(uint32_t n_lives)
{
    struct guarded *guarded = loops_guarded;
    uint64_t total = 0;
    int rc = plait_lock_acquire(&guarded->lock, PLAIT_FOREVER);

    if (rc == -EOWNERDEAD) {
        rc = plait_lock_recover(&guarded->lock, PLAIT_FOREVER);
        loops_storm_repair();
        CHECK_INT(plait_lock_repaired(&guarded->lock), 0);
    }
    CHECK_INT(rc, 0);
    CHECK_INT(guarded->who, 0);
    for (uint32_t i = 0; i < n_lives; i++) {
        const struct life *life = &loops_round->lives[i];
        uint32_t open = guarded->changes[i] - life->changes;
        CHECK(open == 0 || (open == 1 && loops_round->is_killed[life->program]));
        total += guarded->changes[i];
    }
    CHECK_INT(guarded->total, total);
    CHECK_INT(plait_lock_release(&guarded->lock), 0);
    for (unsigned i = 0; i < UNITS; i++) /* those of the dead too */
        CHECK_INT(plait_held_semaphore_acquire(&guarded->units, PLAIT_FOREVER), 0);
    CHECK_INT(plait_held_semaphore_count(&guarded->units), 0);
    for (unsigned i = 0; i < UNITS; i++)
        CHECK_INT(plait_held_semaphore_release(&guarded->units), 0);
    sum.changes += total;
}

/* ---- a round ---- */

static plait_segment *make_queue(bool in_segment)
{
    static const plait_queue_opts opts = { .max_items = 40 };
    plait_segment_opts segment_opts = { .only_new = true };
    plait_segment *segment = NULL;
    void *block = NULL;
    size_t bytes = 0;
    char name[64];

    if (!in_segment) {
        CHECK_INT(plait_queue_create(&loops_queue, &opts), 0);
        return NULL;
    }
    CHECK_INT(plait_queue_bytes(&opts, &bytes), 0);
    segment_opts.bytes = bytes;
    snprintf(name, sizeof name, "loops-storm-%d", (int)getpid());
    CHECK_INT(plait_segment_open(&segment, name, &segment_opts, PLAIT_FOREVER), 0);
    CHECK_INT(plait_segment_get(segment, &block, "queue", bytes, PLAIT_FOREVER), 0);
    CHECK_INT(plait_queue_attach(&loops_queue, block, bytes, &opts), 0);
    return segment;
}

static void run_round(uint64_t kills)
{
    plait_segment *segment = make_queue(sum.rounds % 2 == 1);
    uint32_t n_lives;

    loops_round = share(sizeof *loops_round);
    loops_guarded = plait_shared_alloc(sizeof *loops_guarded);
    CHECK(loops_guarded != NULL);
    CHECK_INT(plait_held_semaphore_init(&loops_guarded->units, UNITS), 0);
    for (unsigned i = 0; i < PROCESSES; i++) {
        places[i].loops = i < WIDE ? LOOPS : 1;
        begin_process(&places[i], i);
    }
    rage(kills);
    let_end();
    n_lives = loops_round->next_life < LIVES ? loops_round->next_life : LIVES;
    account_for_items(n_lives);
    account_for_changes(n_lives);
    CHECK_INT(plait_queue_size(loops_queue), 0);
    plait_queue_destroy(loops_queue);
    if (segment != NULL)
        CHECK_INT(plait_segment_close(segment), 0);
    CHECK_INT(plait_shared_free(loops_guarded), 0);
    if (loops_round->most_threads > sum.most_threads)
        sum.most_threads = loops_round->most_threads;
    munmap(loops_round, sizeof *loops_round);
    sum.rounds++;
}

static uint64_t blocks_in_use(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

static double seconds_since(const struct timespec *begin)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

TEST_LIMIT(in_a_storm_over_eight_loops_each_item_and_each_change_is_accounted_for, 120)
{
    uint64_t kills = (uint64_t)setting("PLAIT_KILLS", setting("PLAIT_SECONDS", 0) ? 0 : KILLS);
    long seconds = setting("PLAIT_SECONDS", 0), seed = setting("PLAIT_SEED", getpid());
    uint64_t blocks = blocks_in_use(); /* joins the family, and opens what stays open */
    unsigned fds = count_fds();
    double reported = 0;
    struct timespec begin;

    printf("    PLAIT_SEED=%ld\n", seed);
    random_state = (uint64_t)seed;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        uint64_t left = kills > 0 ? kills - sum.kills : ROUND_KILLS;
        uint64_t most = kills > 0 && kills <= KILLS ? kills / 2 : ROUND_KILLS; /* both kinds */
        run_round(left < most ? left : most);
        if (seconds_since(&begin) - reported >= REPORT_S) {
            reported = seconds_since(&begin);
            printf("    %llu kills, %.0f s\n", (unsigned long long)sum.kills, reported);
            fflush(stdout);
        }
    } while ((kills == 0 || sum.kills < kills) &&
             (seconds == 0 || seconds_since(&begin) < (double)seconds));
    printf(
        "storm: %llu kills, %llu of programs with %d loops, %llu stops, %llu rounds; %llu items put, "
        "%llu died with their getter; %llu changes under the lock; up to %u threads, seed %ld, "
        "%.0f s\n",
        (unsigned long long)sum.kills, (unsigned long long)sum.wide_kills, LOOPS,
        (unsigned long long)sum.stops, (unsigned long long)sum.rounds,
        (unsigned long long)sum.items, (unsigned long long)sum.died,
        (unsigned long long)sum.changes, sum.most_threads, seed, seconds_since(&begin));
    fflush(stdout);
    CHECK(sum.items > 0 && sum.changes > 0 && sum.most_threads > 1);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_INT(errno, ECHILD);
    CHECK_INT(count_fds(), fds);
    CHECK_INT(blocks_in_use(), blocks);
}
