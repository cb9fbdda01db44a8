/* The storm over a pool: who kills, and what.
 * SPDX-License-Identifier: MIT
 *
 * A process is only ever sent a signal by a pidfd that was opened when it was known to be a worker,
 * or the keeper, of this storm: pids are used again.
 */
#include "pool_storm.h"

#include "os/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    NAP_NS = 20000,
    KEEPER_KILLS = 150,      /* of so many kills one is the keeper's */
    STOPS = 40,              /* for so many kills, one stop */
    UNREADY_NS = 2000000000, /* between two kills of workers that have not begun */
    MS = 1000000,
};

static uint32_t first; /* the lives before it are dead */

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
}

/* The parent of a process; 0: it is gone. */
static pid_t parent_of(pid_t pid)
{
    char path[64], line[512] = "";
    int parent = 0;
    FILE *file;
    const char *end;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    end = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    fclose(file);
    if (end == NULL || end[2] == 'Z' || sscanf(end + 4, "%d", &parent) != 1)
        return 0;
    return parent;
}

static int signal_by(int pidfd, int number)
{
    return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 ? -errno : 0;
}

/* A pidfd of a live worker, taken at random; negative: there is none. */
static int choose(uint32_t *ret_number)
{
    uint32_t end = __atomic_load_n(&storm->n_lives, __ATOMIC_SEQ_CST), number, tries;

    end = end < storm->max_lives ? end : storm->max_lives;
    while (first < end && __atomic_load_n(&storm->lives[first].killed, __ATOMIC_SEQ_CST))
        first++;
    for (tries = 0; first < end && tries < 20; tries++) {
        number = first + storm_random(end - first);
        struct storm_life *life = &storm->lives[number];
        pid_t pid = __atomic_load_n(&life->pid, __ATOMIC_SEQ_CST);
        if (pid == 0 || __atomic_load_n(&life->killed, __ATOMIC_SEQ_CST))
            continue;
        int pidfd = plait__os_pidfd_open(pid);
        if (pidfd >= 0 && parent_of(pid) == life->keeper) {
            *ret_number = number;
            return pidfd;
        }
        if (pidfd >= 0)
            close(pidfd);
    }
    return -ESRCH;
}

static void mark(struct storm_life *life)
{
    __atomic_store_n(&life->killed_ns, storm_now_ns(), __ATOMIC_SEQ_CST);
    __atomic_store_n(&life->killed, 1, __ATOMIC_SEQ_CST);
}

/* One that has begun no job dies before the pool knows it as ready: the pool puts up with few. */
static bool is_kill_allowed(const struct storm_life *life)
{
    static int64_t last_unready;
    int64_t now = storm_now_ns();

    if (__atomic_load_n(&life->is_ready, __ATOMIC_SEQ_CST))
        return true;
    if (now - last_unready < UNREADY_NS * INT64_C(3))
        return false;
    last_unready = now;
    return true;
}

static bool kill_one(void)
{
    uint32_t number;
    int pidfd = choose(&number);
    bool is_killed = false;

    if (pidfd < 0)
        return false;
    struct storm_life *life = &storm->lives[number];
    if (is_kill_allowed(life)) {
        mark(life);
        bool inside = __atomic_load_n(&life->in_job, __ATOMIC_SEQ_CST) != 0;
        is_killed = signal_by(pidfd, SIGKILL) == 0;
        __atomic_fetch_add(&storm->kills, is_killed, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&storm->inside, is_killed && inside, __ATOMIC_SEQ_CST);
    }
    close(pidfd);
    return is_killed;
}

/* Every worker of that keeper, also one that has not said its name yet, dies with it. */
static void kill_keeper(void)
{
    uint32_t number;
    int worker = choose(&number), keeper;

    if (worker < 0)
        return;
    pid_t pid = storm->lives[number].keeper;
    keeper = plait__os_pidfd_open(pid);
    if (keeper >= 0 && parent_of(storm->lives[number].pid) == pid) {
        __atomic_fetch_add(&storm->keeper_kills, 1, __ATOMIC_SEQ_CST);
        for (uint32_t i = first; i < storm->max_lives && i < storm->n_lives; i++)
            if (storm->lives[i].keeper == pid)
                mark(&storm->lives[i]);
        CHECK_INT(signal_by(keeper, SIGKILL), 0);
        for (uint32_t i = 0; i < storm->max_lives && i < storm->n_lives; i++)
            if (storm->lives[i].keeper == pid && !storm->lives[i].killed)
                mark(&storm->lives[i]);
    }
    if (keeper >= 0)
        close(keeper);
    close(worker);
}

/* For longer than anybody waits before it looks for the dead. */
static void stop_one(void)
{
    uint32_t number;
    int pidfd = choose(&number);

    if (pidfd < 0)
        return;
    if (signal_by(pidfd, SIGSTOP) == 0) {
        __atomic_fetch_add(&storm->stops, 1, __ATOMIC_SEQ_CST);
        int64_t until = storm_now_ns() + (int64_t)(1 + storm_random(150)) * MS;
        while (storm_now_ns() < until && !__atomic_load_n(&storm->is_over, __ATOMIC_SEQ_CST))
            nap();
        signal_by(pidfd, SIGCONT);
    }
    close(pidfd);
}

void storm_kill(void)
{
    uint64_t next = storm->jobs_a_kill;

    while (!__atomic_load_n(&storm->is_over, __ATOMIC_SEQ_CST)) {
        nap();
        if (__atomic_load_n(&storm->n_ended, __ATOMIC_SEQ_CST) < next)
            continue;
        if (storm_random(KEEPER_KILLS) == 0)
            kill_keeper();
        else if (storm_random(STOPS) == 0)
            stop_one();
        else if (kill_one())
            next += storm_random((uint32_t)(2 * storm->jobs_a_kill));
    }
}
