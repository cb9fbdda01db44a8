/* The contract of pipes, kept between processes; and what only processes promise.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define WITH_METHODS
#define KIND PLAIT_PROCESS
#include "pipe_contract.h"
#include "pipe_crowd.h"

#include <sys/mman.h>
#include <sys/wait.h>

enum {
    KILLS = 40
};

static int send_for_ever(void *arg)
{
    const size_t *size = arg;
    char *bytes = make_message(*size);
    int rc;

    leave(a);
    while ((rc = plait_pipe_send(b, bytes, *size, PLAIT_FOREVER)) == 0)
        continue;
    free(bytes);
    return rc;
}

static void kill_and_forget(plait_task *task)
{
    plait_outcome end = { 0 };

    CHECK_INT(plait_task_kill(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.signal, SIGKILL);
    plait_task_destroy(task);
}

/* Each time it is at another place of the send. */
static void kill_senders(size_t size)
{
    char *buf = malloc(size);

    for (int i = 0; i < KILLS; i++) {
        plait_task *task = start(send_for_ever, &size);
        int n = 0;
        for (int j = 0; j < i % 5; j++, n++)
            check_message(buf, plait_pipe_recv(a, buf, size, PLAIT_FOREVER), size);
        CHECK_INT(plait_sleep(plait_after_ns(i * 37000)), 0);
        kill_and_forget(task);
        ssize_t got;
        while ((got = plait_pipe_recv(a, buf, size, PLAIT_FOREVER)) != -EPIPE)
            check_message(buf, got, size); /* whole, or not there */
        plait_pipe_destroy(a);
        plait_pipe_destroy(b);
    }
    free(buf);
}

TEST_LIMIT(a_sender_that_is_killed_leaves_whole_messages_and_the_end_of_file, 30)
{
    kill_senders(500);
    kill_senders(60000);
    kill_senders(300000);
}

static int *taken; /* shared: how many messages the victims have taken */

static int receive_for_ever(void *arg)
{
    char small[8];
    void *bytes;

    (void)arg;
    for (;;) {
        ssize_t n = plait_pipe_recv(a, small, sizeof small, PLAIT_FOREVER);
        if (n == -EMSGSIZE && (n = plait_pipe_recv_alloc(a, &bytes, PLAIT_FOREVER)) >= 0)
            free(bytes);
        if (n < 0)
            return (int)n;
        ++*taken;
    }
}

TEST_LIMIT(of_a_killed_receiver_at_most_the_message_in_its_hands_goes_along, 30)
{
    static const size_t of_turn[] = { 8, 5000, 70000 };
    int sent = 0, got = 0;
    char *buf = malloc(70000);
    ssize_t n;

    taken = mmap(NULL, sizeof *taken, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(taken != MAP_FAILED);
    CHECK_INT(plait_pipe_create(&a, &b, NULL), 0);
    for (int i = 0; i < KILLS; i++) {
        plait_task *task = NULL;
        CHECK_INT(plait_task_start(&task, KIND, receive_for_ever, NULL, NULL), 0);
        for (int j = 0; j < i; j++, sent++)
            send_size(b, of_turn[(i + j) % 3]);
        kill_and_forget(task);
    }
    CHECK_INT(plait_pipe_close(b), 0);
    while ((n = plait_pipe_recv(a, buf, 70000, PLAIT_FOREVER)) != -EPIPE) {
        check_message(buf, n, (size_t)n);
        got++;
    }
    CHECK(got + *taken <= sent);
    CHECK(got + *taken >= sent - KILLS);
    free(buf);
    plait_pipe_destroy(a);
    plait_pipe_destroy(b);
}

static int count_whole(void *arg)
{
    char buf[1000];
    int n = 0, want;

    (void)arg;
    leave(a);
    while (plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER) == sizeof buf)
        n++;
    memcpy(&want, buf, sizeof want); /* the last message says how many there were */
    return n == want ? 0 : 1;
}

TEST(a_stopped_receiver_makes_senders_wait_and_loses_nothing)
{
    plait_task *task = start(count_whole, NULL);
    siginfo_t info;
    int n;

    CHECK_INT(kill(plait_task_id(task), SIGSTOP), 0);
    while (waitid(P_PID, (id_t)plait_task_id(task), &info, WSTOPPED | WNOWAIT) < 0)
        CHECK_INT(errno, EINTR);
    n = fill(a, 1000);
    plait_deadline until = plait_after_ms(20);
    CHECK_INT(plait_pipe_send(a, "x", 1, until), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(until), 0);
    CHECK_INT(kill(plait_task_id(task), SIGCONT), 0);
    CHECK_INT(plait_pipe_send(a, &n, sizeof n, PLAIT_FOREVER), 0);
    finish(task);
}

static int sleep_with_both(void *arg)
{
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

TEST(the_end_of_file_comes_when_the_last_holder_has_let_go)
{
    plait_task *task = start(sleep_with_both, NULL); /* it has b, as we had */

    CHECK_INT(plait_pipe_recv(a, NULL, 0, plait_after_ms(20)), -ETIMEDOUT);
    kill_and_forget(task);
    CHECK_INT(plait_pipe_recv(a, NULL, 0, PLAIT_FOREVER), -EPIPE);
    plait_pipe_destroy(a);
    plait_pipe_destroy(b);
}
