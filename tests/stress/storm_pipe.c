/* A pipe in a storm: messages come whole, once, and none is lost but with a receiver that was
 * killed.
 * SPDX-License-Identifier: MIT
 */
#include "storm_item.h"

enum {
    HAS = 0,           /* the word of a receiver: how many messages it may have taken */
    LARGE = 70 * 1024, /* goes beside the pipe, in a file */
};

static struct traffic *traffic;
static plait_pipe *ends[2]; /* messages go from the second to the first */

static void send_all(struct life *life)
{
    static unsigned char bytes[LARGE];

    while (!storm_is_over()) {
        uint32_t number = take_numbers(traffic, 1);
        size_t n;
        ssize_t rc;
        if (number == 0)
            continue;
        n = make_item(bytes, number);
        if (storm_random(64) == 0) /* what is behind the item says nothing */
            n = LARGE;
        say_items(traffic, number, 1, BEGUN);
        rc = STORM_CALL(life, plait_pipe_send(ends[1], bytes, n, storm_until()));
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        say_items(traffic, number, 1, rc == 0 ? PUT : REFUSED);
    }
    CHECK_INT(plait_pipe_close(ends[1]), 0);
}

static void receive_all(struct life *life)
{
    static unsigned char bytes[LARGE];
    ssize_t n = 0;

    CHECK_INT(plait_pipe_close(ends[1]), 0);
    while (n != -EPIPE) {
        struct item item;
        say_word(life, HAS, 1 | PRIVATE);
        n = STORM_CALL(life, plait_pipe_recv(ends[0], bytes, sizeof bytes, storm_until()));
        CHECK(n >= 0 || n == -ETIMEDOUT || n == -EPIPE);
        if (n > 0) {
            memcpy(&item, bytes, sizeof item);
            count_item(traffic, bytes, n == LARGE ? item.size : (size_t)n);
        }
        say_word(life, HAS, 0);
    }
}

static void work(struct life *life)
{
    if (life->slot < 3)
        send_all(life);
    else
        receive_all(life);
}

static void settle(struct life *life)
{
    settle_hand(traffic, life, life->words[HAS]);
}

static void begin(void)
{
    plait_pipe_opts opts = { .simplex = true };

    begin_traffic(&traffic);
    CHECK_INT(plait_pipe_create(&ends[0], &ends[1], &opts), 0);
}

/* The last one that could send. */
static void finish(void)
{
    CHECK_INT(plait_pipe_close(ends[1]), 0);
}

static void end(void)
{
    plait_pipe_destroy(ends[0]);
    plait_pipe_destroy(ends[1]);
    check_traffic(traffic);
}

const struct scenario storm_pipe = { .name = "pipe",
                                     .n_slots = 6,
                                     .n_first = 3,
                                     .begin = begin,
                                     .work = work,
                                     .settle = settle,
                                     .finish = finish,
                                     .end = end };
