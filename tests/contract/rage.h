/* A storm over a queue: the processes at both ends are killed and stopped at random, and each item is
 * accounted for.
 * SPDX-License-Identifier: MIT
 *
 * The oracle. A producer writes down after each call up to which number it has put; so of what it was
 * about to put when it was killed nothing is known, and all before that must come. A consumer gets
 * into memory that outlives it, and then counts the item. So an item that was not counted must lie,
 * whole, in the memory of a consumer that was killed.
 *
 * The includer defines HAND and MANY before, and behind it the functions that are declared here.
 */
#ifndef PLAIT_TESTS_RAGE_H
#define PLAIT_TESTS_RAGE_H

#include <plait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

enum {
    SIDES = 3,      /* processes on each side, at most */
    LIVES = 20000,  /* that begin on one side, at most */
    EACH = 1 << 22, /* items of all producers together */
    BLOCK = 256     /* numbers that a producer takes at once */
};

/* A process. */
struct life {
    uint32_t is_inside;  /* a call */
    uint32_t from, done; /* producer: its items' first number, and behind the last */
    uint32_t ending;     /* consumer: 1 + the number of the item whose lease it ends */
};

static struct storm {
    uint32_t is_over;
    uint32_t next_number; /* atomic: of the items, in blocks */
    struct life lives[2][LIVES];
    unsigned char seen[EACH]; /* atomic: how often each was counted */
    _Alignas(16) unsigned char hands[LIVES][HAND];
} * storm;

/* Puts items from that number on, at most MANY: how many. */
static uint32_t put_some(uint32_t number);
/* Counts items until the queue is closed and empty. */
static void consume(struct life *life, unsigned char *hand);
static void close_queue(void);

static uint32_t seed;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 1664525U + 1013904223U;
    return (uint32_t)((uint64_t)seed * limit >> 32);
}

static void nap(uint32_t most_us)
{
    struct timespec time = { .tv_nsec = (long)random_below(most_us) * 1000 };

    nanosleep(&time, NULL);
}

/* ---- the processes ---- */

static void count_number(uint32_t number)
{
    CHECK(number < EACH);
    CHECK_INT(__atomic_fetch_add(&storm->seen[number], 1, __ATOMIC_SEQ_CST), 0);
}

static bool is_over(void)
{
    return __atomic_load_n(&storm->is_over, __ATOMIC_SEQ_CST) != 0;
}

static void produce(struct life *life)
{
    uint32_t number = __atomic_fetch_add(&storm->next_number, BLOCK, __ATOMIC_SEQ_CST);

    while (number > EACH - BLOCK && !is_over())
        nap(1000); /* a fast machine: all are put */
    __atomic_store_n(&life->from, number, __ATOMIC_SEQ_CST);
    __atomic_store_n(&life->done, number, __ATOMIC_SEQ_CST); /* the last one: it has begun */
    life->is_inside = 1;
    while (!is_over() && number + MANY <= life->from + BLOCK) {
        number += put_some(number);
        __atomic_store_n(&life->done, number, __ATOMIC_SEQ_CST);
    }
    life->is_inside = 0;
}

/* ---- the killing ---- */

struct place {
    pid_t pid;
    uint32_t life;
    bool is_consumer;
};

static struct place places[2 * SIDES];
static unsigned n_places;
static uint32_t begun[2], killed, killed_inside;

static void begin(struct place *place)
{
    place->life = begun[place->is_consumer]++;
    CHECK(place->life < LIVES);
    place->pid = fork();
    CHECK(place->pid >= 0);
    if (place->pid > 0)
        return;
    struct life *life = &storm->lives[place->is_consumer][place->life];
    if (place->is_consumer) {
        life->is_inside = 1;
        consume(life, storm->hands[place->life]);
        life->is_inside = 0;
    } else {
        produce(life);
    }
    _exit(0);
}

/* Whoever ended by itself is replaced. */
static void replace_ended(void)
{
    for (struct place *place = places; place < places + n_places; place++) {
        int status;
        if (test_waitpid(place->pid, &status, WNOHANG) == place->pid) {
            CHECK_INT(status, 0);
            begin(place);
        }
    }
}

static void kill_one(struct place *place)
{
    int status;

    CHECK_INT(kill(place->pid, SIGKILL), 0);
    CHECK_INT(test_waitpid(place->pid, &status, 0), place->pid);
    if (WIFEXITED(status)) {
        CHECK_INT(status, 0);
    } else {
        killed++;
        killed_inside += storm->lives[place->is_consumer][place->life].is_inside;
    }
    begin(place);
}

static void await_all(bool consumers)
{
    for (struct place *place = places; place < places + n_places; place++) {
        int status;
        if (place->is_consumer != consumers)
            continue;
        CHECK_INT(test_waitpid(place->pid, &status, 0), place->pid);
        CHECK_INT(status, 0);
    }
}

static void begin_all(const unsigned sides[2])
{
    for (unsigned side = 0; side < 2; side++)
        for (unsigned i = 0; i < sides[side]; i++) {
            places[n_places].is_consumer = side == 1;
            begin(&places[n_places++]);
        }
}

/* Kills one or stops one, for so long. */
static void rage(const unsigned sides[2], int ms)
{
    plait_deadline until = plait_after_ms(ms);

    begin_all(sides);
    while (plait_left_ns(until) > 0) {
        struct place *place = &places[random_below(n_places)];
        nap(random_below(4) == 0 ? 6000 : 600);
        if (random_below(8) == 0) {
            kill(place->pid, SIGSTOP);
            nap(2000);
            kill(place->pid, SIGCONT);
        } else {
            kill_one(place);
        }
        replace_ended();
    }
    __atomic_store_n(&storm->is_over, 1, __ATOMIC_SEQ_CST);
    await_all(false);
    close_queue();
    await_all(true);
}

/* ---- the oracle ---- */

static void prepare_storm(void)
{
    const char *given = getenv("PLAIT_SEED");

    seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)getpid();
    printf("    PLAIT_SEED=%u\n", seed);
    storm = share(sizeof *storm);
}

static uint32_t count_lost(uint32_t life, const unsigned char *in_hand)
{
    uint32_t from = storm->lives[0][life].from, done = storm->lives[0][life].done, lost = 0;

    for (uint32_t number = from; number < done; number++) {
        if (storm->seen[number] != 0)
            continue;
        if (!in_hand[number])
            test_fail(__FILE__, __LINE__, "item %u of life %u is gone", number, life);
        lost++;
    }
    return lost;
}

/* in_hand: which items lie in the memory of consumers. */
static void account(const unsigned char *in_hand)
{
    uint32_t lost = 0, put = 0;

    for (uint32_t i = 0; i < begun[0]; i++) {
        if (storm->lives[0][i].done != 0) /* it has begun */
            put += storm->lives[0][i].done - storm->lives[0][i].from;
        lost += count_lost(i, in_hand);
    }
    printf("    %u killed, %u inside, %u lives; %u items put, %u died with their getter\n", killed,
           killed_inside, begun[0] + begun[1], put, lost);
    CHECK(lost <= killed * MANY);
    CHECK(killed > 0 && killed_inside * 2 >= killed);
}

#endif
