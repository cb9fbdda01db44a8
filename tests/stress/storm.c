/* The storm itself: kills, stops, calms, and what is measured.
 * SPDX-License-Identifier: MIT
 *
 * PLAIT_KILLS and PLAIT_SECONDS say when it ends, whichever comes first, PLAIT_SEED how it goes,
 * and PLAIT_STORM which scenarios there are, by a part of their names. A seed leads to the same
 * choices; the moments themselves belong to the machine.
 */
#include "storm.h"
#include "chance.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    KILLS = 6000,      /* unless PLAIT_KILLS says so */
    SECONDS = 35,      /* unless PLAIT_SECONDS or PLAIT_KILLS says so */
    ROUND_KILLS = 200, /* in a round */
    CALM_KILLS = 40,   /* between two calms, about */
    STUCK_S = 20,      /* times PLAIT_SLOW, up to MOST_SLOW: nobody waits that long */
    MOST_SLOW = 6,
    REPORT_S = 10, /* between two lines on how it goes */
    BUCKETS = 512,
    US = 1000, /* in nanoseconds */
    MS = 1000 * US,
};

static const struct scenario *const scenarios[] = {
    &storm_queue, &storm_full_queue, &storm_queue_one, &storm_queue_to_one,   &storm_lock,
    &storm_rlock, &storm_rwlock,     &storm_semaphore, &storm_held_semaphore, &storm_condition,
    &storm_event, &storm_barrier,    &storm_once,      &storm_heap,           &storm_pipe,
};

enum {
    SCENARIOS = sizeof scenarios / sizeof scenarios[0]
};

/* What is counted of a scenario. */
struct tally {
    uint64_t kills, inside, stops, rounds, calms;
    uint64_t waits[BUCKETS]; /* atomic: times from a kill to the next call that succeeds */
    uint64_t longest_ns;     /* atomic */
};

/* What all processes see. */
static struct storm {
    uint32_t is_over, is_exhausted; /* atomic */
    uint32_t round;
    int64_t killed_ns; /* atomic: of the last kill that nobody got on after; 0: none */
    struct tally tallies[SCENARIOS];
    struct life lives[STORM_LIVES];
} * storm;

/* A place in the scenario, and who has it. */
struct place {
    pid_t pid; /* 0: nobody */
    struct life *life;
    int64_t stopped_until; /* 0: it runs */
};

static struct place places[STORM_SLOTS];
static const struct scenario *scenario;
static struct tally *tally;
static uint32_t n_lives;
static uint64_t seed, random_state, leaked, total_kills;

/* ---- for scenarios ---- */

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * MS + now.tv_nsec;
}

static long setting(const char *name, long fallback)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? atol(text) : fallback;
}

static int64_t stuck_ns(void)
{
    long slow = setting("PLAIT_SLOW", 1);

    return (int64_t)STUCK_S * 1000 * MS * (slow < 1 ? 1 : slow > MOST_SLOW ? MOST_SLOW : slow);
}

bool storm_is_over(void)
{
    return __atomic_load_n(&storm->is_over, __ATOMIC_SEQ_CST) != 0;
}

void storm_exhausted(void)
{
    __atomic_store_n(&storm->is_exhausted, 1, __ATOMIC_SEQ_CST);
}

uint32_t storm_round(void)
{
    return storm->round;
}

struct life *storm_life(uint32_t number)
{
    CHECK(number < STORM_LIVES);
    return &storm->lives[number];
}

uint32_t storm_lives(void)
{
    return n_lives;
}

uint32_t storm_random(uint32_t limit)
{
    return chance_below(&random_state, limit);
}

plait_deadline storm_until(void)
{
    uint32_t chance = storm_random(16);

    return chance == 0 ? PLAIT_NOWAIT : chance == 1 ? plait_after_ms(1) : PLAIT_FOREVER;
}

void storm_await_death(uint32_t number)
{
    int64_t until = now_ns() + stuck_ns();

    while (!__atomic_load_n(&storm_life(number)->is_dead, __ATOMIC_SEQ_CST)) {
        if (now_ns() > until)
            test_fail(__FILE__, __LINE__, "life %u is said to be dead, but lives", number);
        sched_yield();
    }
}

void *storm_share(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(at != MAP_FAILED);
    return at;
}

void storm_forget_kill(void)
{
    __atomic_store_n(&storm->killed_ns, 0, __ATOMIC_SEQ_CST);
}

void storm_leaked(uint64_t blocks)
{
    leaked += blocks;
}

void storm_enter(struct life *life, const char *call)
{
    __atomic_store_n(&life->call, call, __ATOMIC_SEQ_CST);
}

/* Half a power of two each, by eighths. */
static unsigned bucket_of(int64_t ns)
{
    uint64_t n = ns < 8 ? 8 : (uint64_t)ns;
    unsigned power = 63 - (unsigned)__builtin_clzll(n);

    return power * 8 + (unsigned)(n >> (power - 3) & 7);
}

static int64_t bucket_ns(unsigned bucket)
{
    return (int64_t)(8 + bucket % 8) << (bucket / 8 - 3);
}

static void count_wait(int64_t ns)
{
    uint64_t longest = __atomic_load_n(&tally->longest_ns, __ATOMIC_SEQ_CST);

    __atomic_fetch_add(&tally->waits[bucket_of(ns)], 1, __ATOMIC_SEQ_CST);
    while ((uint64_t)ns > longest &&
           !__atomic_compare_exchange_n(&tally->longest_ns, &longest, (uint64_t)ns, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

ssize_t storm_leave(struct life *life, ssize_t rc)
{
    int64_t killed;

    __atomic_store_n(&life->call, NULL, __ATOMIC_SEQ_CST);
    if (rc < 0)
        return rc;
    __atomic_fetch_add(&life->done, 1, __ATOMIC_SEQ_CST);
    killed = __atomic_load_n(&storm->killed_ns, __ATOMIC_SEQ_CST);
    if (killed != 0 && __atomic_compare_exchange_n(&storm->killed_ns, &killed, 0, false,
                                                   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        count_wait(now_ns() - killed);
    return rc;
}

/* ---- lives ---- */

static void reseed(uint64_t a, uint64_t b)
{
    random_state = seed * UINT64_C(0xD1342543DE82EF95) + a * UINT64_C(0x2545F4914F6CDD1D) + b;
    storm_random(2);
}

static void begin_life(struct place *place)
{
    uint32_t number = n_lives++;
    struct life *life = storm_life(number);
    pid_t pid;

    *life = (struct life){ .number = number, .slot = (uint32_t)(place - places) };
    *place = (struct place){ .life = life };
    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpriority(PRIO_PROCESS, 0,
                    getpriority(PRIO_PROCESS, 0) + 4); /* whoever kills has the right of way */
        reseed(storm->round, number + 1);
        scenario->work(life);
        _exit(0);
    }
    place->pid = pid;
}

static void count_kill(const struct life *life)
{
    tally->kills++;
    total_kills++;
    tally->inside += __atomic_load_n(&life->call, __ATOMIC_SEQ_CST) != NULL;
}

/* Reaps it. Who ended by itself must have ended well. */
static bool reap(struct place *place, int options)
{
    int status;
    pid_t pid = waitpid(place->pid, &status, options);

    if (pid == 0)
        return false;
    CHECK_INT(pid, place->pid);
    place->pid = 0;
    place->stopped_until = 0;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        count_kill(place->life);
    else if (status != 0)
        test_fail(__FILE__, __LINE__, "%s: life %u ended with status %#x in %s", scenario->name,
                  place->life->number, (unsigned)status,
                  place->life->call != NULL ? place->life->call : "no call");
    __atomic_store_n(&place->life->is_dead, 1, __ATOMIC_SEQ_CST);
    if (status != 0 && scenario->settle != NULL)
        scenario->settle(place->life);
    return true;
}

static void tell_line(pid_t pid, const char *file)
{
    char path[64], line[128] = "";
    FILE *stream;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    stream = fopen(path, "r");
    if (stream == NULL)
        return;
    if (fgets(line, sizeof line, stream) != NULL)
        fprintf(stderr, " %s: %.*s", file, (int)strcspn(line, "\n"), line);
    fclose(stream);
}

/* Says who was where, and fails. */
static void wedged(const char *what)
{
    for (unsigned i = 0; i < scenario->n_slots; i++) {
        const struct place *place = &places[i];
        if (place->pid == 0)
            continue;
        fprintf(stderr, "    %u: life %u, %llu calls, in %s;", i, place->life->number,
                (unsigned long long)place->life->done,
                place->life->call != NULL ? place->life->call : "no call");
        tell_line(place->pid, "wchan");
        tell_line(place->pid, "syscall");
        fputc('\n', stderr);
    }
    if (setting("PLAIT_HOLD", 0) != 0)
        pause();
    test_fail(__FILE__, __LINE__, "%s, round %u: %s", scenario->name, storm->round, what);
}

/* ---- the storm ---- */

static void nap_ns(int64_t ns)
{
    struct timespec time = { .tv_nsec = (long)ns };

    nanosleep(&time, NULL);
}

static bool is_somebody_stopped(void)
{
    for (unsigned i = 0; i < scenario->n_slots; i++)
        if (places[i].stopped_until != 0)
            return true;
    return false;
}

/* Those whose time is over; all of them if now is INT64_MAX. */
static void resume(int64_t now)
{
    for (unsigned i = 0; i < scenario->n_slots; i++)
        if (places[i].stopped_until != 0 && now >= places[i].stopped_until) {
            CHECK_INT(kill(places[i].pid, SIGCONT), 0);
            places[i].stopped_until = 0;
        }
}

/* For longer than a waiter waits before it looks for the dead. */
static void stop(struct place *place)
{
    CHECK_INT(kill(place->pid, SIGSTOP), 0);
    place->stopped_until = now_ns() + (int64_t)(110 + storm_random(100)) * MS;
    tally->stops++;
    /* what is measured is how long the dead hold others up, not the stopped */
    storm_forget_kill();
}

static void send_kill(struct place *place)
{
    int64_t begin = now_ns(), none = 0;

    CHECK_INT(kill(place->pid, SIGKILL), 0);
    if (!is_somebody_stopped() && __atomic_load_n(&place->life->call, __ATOMIC_SEQ_CST) != NULL)
        __atomic_compare_exchange_n(&storm->killed_ns, &none, begin, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
}

/* Mostly one, now and then some, or all of them at once. */
static void kill_some(void)
{
    uint32_t chance = storm_random(64);
    unsigned first = storm_random(scenario->n_slots);
    unsigned n = chance == 0 ? scenario->n_slots : chance < 6 && scenario->n_slots > 2 ? 2 : 1;

    if (n == 1 && places[first].stopped_until != 0 && storm_random(16) != 0)
        return;
    for (unsigned i = 0; i < n; i++)
        send_kill(&places[(first + i) % scenario->n_slots]);
    for (unsigned i = 0; i < n; i++) {
        struct place *place = &places[(first + i) % scenario->n_slots];
        reap(place, 0);
        begin_life(place);
    }
}

/* Nobody is killed, and everybody gets on. */
static void calm(void)
{
    uint64_t before[STORM_SLOTS];
    int64_t until = now_ns() + stuck_ns();

    resume(INT64_MAX);
    for (unsigned i = 0; i < scenario->n_slots; i++)
        before[i] = __atomic_load_n(&places[i].life->done, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < scenario->n_slots;) {
        if (__atomic_load_n(&places[i].life->done, __ATOMIC_SEQ_CST) > before[i] ||
            __atomic_load_n(&storm->is_exhausted, __ATOMIC_SEQ_CST)) {
            i++;
            continue;
        }
        CHECK(!reap(&places[i], WNOHANG)); /* says why it ended, before others wait for it */
        nap_ns(100 * US);
        if (scenario->help != NULL)
            scenario->help();
        if (now_ns() > until)
            wedged("somebody does not get on");
    }
    tally->calms++;
}

static void rage(uint64_t kills)
{
    uint64_t end = tally->kills + kills, next_calm = tally->kills;

    while (tally->kills < end && !__atomic_load_n(&storm->is_exhausted, __ATOMIC_SEQ_CST) &&
           n_lives + scenario->n_slots < STORM_LIVES) {
        nap_ns((int64_t)storm_random(storm_random(8) == 0 ? 3 * MS : 300 * US));
        if (storm_random(150) == 0)
            stop(&places[storm_random(scenario->n_slots)]);
        else
            kill_some();
        resume(now_ns());
        if (tally->kills >= next_calm && !is_somebody_stopped()) {
            calm();
            next_calm = tally->kills + 1 + storm_random(2 * CALM_KILLS);
        }
    }
}

static void see_ended(unsigned first, unsigned last)
{
    int64_t until = now_ns() + stuck_ns();
    unsigned n_left;

    do {
        n_left = 0;
        for (unsigned i = first; i < last; i++)
            n_left += places[i].pid != 0 && !reap(&places[i], WNOHANG);
        if (n_left > 0)
            nap_ns(100 * US);
        if (scenario->help != NULL)
            scenario->help();
        if (now_ns() > until)
            wedged("somebody does not end");
    } while (n_left > 0);
}

static uint64_t blocks_in_use(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

static void run_round(uint64_t kills)
{
    uint64_t blocks = blocks_in_use(), leaked_before = leaked;

    storm->round++;
    storm->is_over = storm->is_exhausted = 0;
    storm->killed_ns = 0;
    n_lives = 0;
    reseed(storm->round, 0);
    scenario->begin();
    for (unsigned i = 0; i < scenario->n_slots; i++)
        begin_life(&places[i]);
    rage(kills);
    resume(INT64_MAX);
    __atomic_store_n(&storm->is_over, 1, __ATOMIC_SEQ_CST);
    see_ended(0, scenario->n_first);
    if (scenario->finish != NULL)
        scenario->finish();
    see_ended(scenario->n_first, scenario->n_slots);
    scenario->end();
    CHECK_INT(blocks_in_use() - blocks, leaked - leaked_before);
    tally->rounds++;
}

/* ---- what is said ---- */

/* So that so many of a thousand were not longer. */
static double wait_ms(const struct tally *of, uint64_t per_mille)
{
    uint64_t all = 0, n = 0;

    for (unsigned i = 0; i < BUCKETS; i++)
        all += of->waits[i];
    for (unsigned i = 0; i < BUCKETS; i++) {
        n += of->waits[i];
        if (all > 0 && n * 1000 >= all * per_mille)
            return (double)bucket_ns(i) / MS;
    }
    return 0;
}

static void print_tally(const char *name, const struct tally *of)
{
    printf("%s: %llu kills, %llu (%llu%%) inside a call, %llu stops, %llu calms, %llu rounds; next "
           "call after a kill: median %.2f, p99 %.1f, most %.1f ms",
           name, (unsigned long long)of->kills, (unsigned long long)of->inside,
           (unsigned long long)(of->kills > 0 ? of->inside * 100 / of->kills : 0),
           (unsigned long long)of->stops, (unsigned long long)of->calms,
           (unsigned long long)of->rounds, wait_ms(of, 500), wait_ms(of, 990),
           (double)of->longest_ns / MS);
}

static void add_tally(struct tally *sum, const struct tally *of)
{
    sum->kills += of->kills;
    sum->inside += of->inside;
    sum->stops += of->stops;
    sum->calms += of->calms;
    sum->rounds += of->rounds;
    for (unsigned i = 0; i < BUCKETS; i++)
        sum->waits[i] += of->waits[i];
    if (of->longest_ns > sum->longest_ns)
        sum->longest_ns = of->longest_ns;
}

static void tell(double seconds)
{
    static struct tally sum;

    for (unsigned i = 0; i < SCENARIOS; i++) {
        if (storm->tallies[i].rounds == 0)
            continue;
        printf("    ");
        print_tally(scenarios[i]->name, &storm->tallies[i]);
        printf("\n");
        add_tally(&sum, &storm->tallies[i]);
    }
    print_tally("storm", &sum);
    printf(", seed %llu, %.0f s\n", (unsigned long long)seed, seconds);
    fflush(stdout);
    CHECK(sum.kills > 0);
    CHECK(sum.inside * 2 >= sum.kills);
    for (unsigned i = 0; i < SCENARIOS; i++)
        CHECK(storm->tallies[i].inside * 4 >= storm->tallies[i].kills);
    CHECK((int64_t)sum.longest_ns < stuck_ns());
}

/* ---- what must be left ---- */

static unsigned count_entries(const char *path, const char *part)
{
    unsigned n = 0;
    DIR *dir = opendir(path);

    if (dir == NULL)
        return 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        n += strstr(entry->d_name, part) != NULL;
    closedir(dir);
    return n;
}

static void check_nothing_left(unsigned fds, uint64_t blocks)
{
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_INT(errno, ECHILD);
    CHECK_INT(count_entries("/proc/self/fd", ""), fds);
    CHECK_INT(count_entries("/dev/shm", "plait"), 0);
    CHECK_INT(blocks_in_use() - blocks, leaked);
}

TEST_LIMIT(nothing_shared_is_lost_doubled_torn_or_stuck_in_a_storm_of_kills, 250)
{
    uint64_t kills = (uint64_t)setting("PLAIT_KILLS", setting("PLAIT_SECONDS", 0) ? 0 : KILLS);
    long seconds = setting("PLAIT_SECONDS", setting("PLAIT_KILLS", 0) ? 0 : SECONDS);
    const char *wanted = getenv("PLAIT_STORM");
    int64_t begin = now_ns(), reported = begin;
    /* joins the family, and opens what stays open */
    uint64_t blocks = blocks_in_use();
    unsigned fds = count_entries("/proc/self/fd", "");
    bool is_enough = false;

    seed = (uint64_t)setting("PLAIT_SEED", getpid());
    printf("    PLAIT_SEED=%llu\n", (unsigned long long)seed);
    storm = storm_share(sizeof *storm);
    while (!is_enough) {
        for (unsigned i = 0; i < SCENARIOS; i++) {
            int64_t now = now_ns();
            scenario = scenarios[i];
            tally = &storm->tallies[i];
            if (wanted != NULL && strstr(scenario->name, wanted) == NULL)
                continue;
            if (now - reported >= (int64_t)REPORT_S * 1000 * MS) {
                printf("    %llu kills, %.0f s\n", (unsigned long long)total_kills,
                       (double)(now - begin) / MS / 1000);
                reported = now;
            }
            run_round(ROUND_KILLS);
            is_enough = (kills > 0 && total_kills >= kills) ||
                        (seconds > 0 && now_ns() - begin >= (int64_t)seconds * 1000 * MS);
        }
        CHECK(total_kills > 0); /* else there is no such scenario */
    }
    tell((double)(now_ns() - begin) / MS / 1000);
    check_nothing_left(fds, blocks);
}
