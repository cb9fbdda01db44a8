/* What a pipe promises when many send and many receive at the same time.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_PIPE_CROWD_H
#define PLAIT_TESTS_PIPE_CROWD_H

#include "pipe_contract.h"

enum {
    SENDERS = 3,
    RECEIVERS = 3,
    EACH = 150,
    LETTERS = SENDERS * EACH
};

struct letter {
    int sender, number;
    size_t bytes; /* of the whole message; the rest is the pattern */
};

static plait_pipe *counts_to;
CARRIED_AS(counts_to, AS_PIPE)

static int send_letters(void *arg)
{
    int sender = *(const int *)arg;

    for (int i = 0; i < EACH; i++) {
        size_t size = i % 10 == 9 ? 70000 + (size_t)i * 100 : sizeof(struct letter) + (size_t)i * 7;
        char *bytes = make_message(size);
        memcpy(bytes, &(struct letter){ sender, i, size }, sizeof(struct letter));
        CHECK_INT(plait_pipe_send(b, bytes, size, PLAIT_FOREVER), 0);
        free(bytes);
    }
    return 0;
}

/* Receives until an empty message; says how many of each sender it got in `counts`. Starts with a
 * buffer that is too small for half of them. */
static int receive_letters(void *arg)
{
    int counts[LETTERS] = { 0 };
    char small[sizeof(struct letter) + 300];

    (void)arg;
    for (;;) {
        struct letter letter;
        void *bytes = small;
        ssize_t n = plait_pipe_recv(a, small, sizeof small, PLAIT_FOREVER);
        if (n == -EMSGSIZE) /* some receiver gets it, perhaps another one */
            n = plait_pipe_recv_alloc(a, &bytes, PLAIT_FOREVER);
        if (n == 0) {
            if (bytes != small)
                free(bytes);
            break;
        }
        CHECK(n >= (ssize_t)sizeof letter);
        memcpy(&letter, bytes, sizeof letter);
        CHECK_INT(n, letter.bytes);
        for (size_t i = sizeof letter; i < letter.bytes; i++)
            CHECK(((char *)bytes)[i] == pattern_at(letter.bytes, i));
        CHECK(letter.sender >= 0 && letter.sender < SENDERS && letter.number < EACH);
        counts[letter.sender * EACH + letter.number]++;
        if (bytes != small)
            free(bytes);
    }
    return plait_pipe_send(counts_to, counts, sizeof counts, PLAIT_FOREVER);
}

static void end_all(plait_task **tasks, int n)
{
    for (int i = 0; i < n; i++)
        CHECK_INT(result_of(tasks[i]), 0);
}

CLAIM_LIMIT(many_may_send_and_many_receive_and_each_message_arrives_once_and_whole, 30)
{
    plait_task *senders[SENDERS], *receivers[RECEIVERS];
    static int ids[SENDERS] = { 0, 1, 2 };
    int total[LETTERS] = { 0 };
    plait_pipe *from;

    CHECK_INT(plait_pipe_create(&a, &b, NULL), 0);
    CHECK_INT(plait_pipe_create(&from, &counts_to, &(plait_pipe_opts){ .simplex = true }), 0);
    for (int i = 0; i < RECEIVERS; i++)
        receivers[i] = start_by_method(KIND, receive_letters, NULL, (plait_task_opts){ 0 });
    for (int i = 0; i < SENDERS; i++)
        senders[i] = start_by_method(KIND, send_letters, &ids[i], (plait_task_opts){ 0 });
    end_all(senders, SENDERS);
    for (int i = 0; i < RECEIVERS; i++)
        CHECK_INT(plait_pipe_send(b, NULL, 0, PLAIT_FOREVER), 0);
    for (int i = 0; i < RECEIVERS; i++) {
        int counts[LETTERS];
        CHECK_INT(plait_pipe_recv(from, counts, sizeof counts, PLAIT_FOREVER), sizeof counts);
        for (int j = 0; j < LETTERS; j++)
            total[j] += counts[j];
    }
    for (int j = 0; j < LETTERS; j++)
        CHECK_INT(total[j], 1);
    end_all(receivers, RECEIVERS);
    plait_pipe_destroy(from);
    plait_pipe_destroy(counts_to);
    plait_pipe_destroy(a);
    plait_pipe_destroy(b);
}

#endif
