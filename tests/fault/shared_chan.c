/* The fault injector's shared program: queues, pipes, select.
 * SPDX-License-Identifier: MIT
 */
#include "shared_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SMALL_RING = 4096
};

static const int of_pipes[] = { EMFILE, ENOMEM, 0 };
static const int of_recv[] = { EMFILE, ENOMEM, EBADMSG, 0 };
static const int of_select[] = { EMFILE, ENOMEM, EUSERS, 0 };

/* ---- queues ---- */

static void lease_one(plait_queue *queue, const char *expected, bool ack)
{
    plait_lease lease;

    if (!worked("lease", plait_queue_lease(queue, &lease, soon()), of_family))
        return;
    must("the item is what was put", memcmp(lease.bytes, expected, lease.size) == 0);
    worked("end of a lease", ack ? plait_queue_ack(&lease) : plait_queue_nack(&lease), of_nothing);
}

/* Puts as many as it gets: what could not be got by one call is got by another. */
static int use_queue(void *arg)
{
    plait_queue *queue = arg;
    const plait_bytes many[] = { { "four", 5 }, { "five", 5 } };
    const void *borrowed;
    char buf[64];
    void *place, *copy;

    if (!plait_queue_is_empty(queue)) {
        must("what is put can be got, but for errors", n_errors > 0);
        return 0;
    }
    if (worked("put", plait_queue_put(queue, "item", 5, soon()), of_family)) {
        lease_one(queue, "item", false);
        if (worked("peek", plait_queue_peek(queue, buf, sizeof buf, soon()), of_family))
            must("what was given back is the first", strcmp(buf, "item") == 0);
        lease_one(queue, "item", true);
    }
    if (worked("reserve", plait_queue_reserve(queue, &place, 8, soon()), of_family)) {
        memcpy(place, "reserved", 8);
        worked("commit", plait_queue_commit(queue, place, 8), of_nothing);
    }
    if (worked("put_many", plait_queue_put_many(queue, many, 2, soon()), of_family) &&
        worked("borrow", plait_queue_borrow(queue, &borrowed, soon()), of_family))
        worked("release", plait_queue_release(queue, borrowed), of_nothing);
    if (worked("put large", plait_queue_put(queue, large, LARGE, soon()), of_family))
        must("something is in it", plait_queue_size(queue) > 0);
    for (int i = 0; i < 10 && !plait_queue_is_empty(queue); i++) {
        ssize_t n = plait_queue_get_alloc(queue, &copy, soon());
        if (!worked("get_alloc", n, of_family))
            continue;
        must("no item is torn", n != LARGE || memcmp(copy, large, LARGE) == 0);
        free(copy);
    }
    return 0;
}

static int put_all(void *arg)
{
    plait_queue *queue = arg;

    for (int i = 0; i < 3; i++)
        if (!worked("put", plait_queue_put(queue, large, (size_t)(i == 1 ? LARGE : i), soon()),
                    of_family))
            break;
    worked("close", plait_queue_close(queue), of_nothing);
    return 0;
}

/* Gets while another process puts: who waits here may sleep. */
static void get_all(plait_queue *queue, pid_t peer)
{
    static const ssize_t sizes[] = { 0, LARGE, 2 };
    unsigned n_got = 0, n_failed = 0;
    ssize_t n = 0;
    void *item;

    while (n_failed < 3) {
        n = plait_queue_get_alloc(queue, &item, soon());
        if (n == -EPIPE)
            break;
        n_failed += !worked("get_alloc", n, of_family);
        if (n >= 0) {
            must("the items come in their order", n_got < 3 && n == sizes[n_got]);
            must("no item is torn", memcmp(item, large, (size_t)n) == 0);
            free(item);
            n_got++;
            worked("task_done", plait_queue_task_done(queue), of_nothing);
        }
    }
    if (end_process(peer) && n == -EPIPE) {
        must("all that was put has been got", n_got == 3);
        worked("queue_join", plait_queue_join(queue, soon()), of_family);
    }
}

void run_queue(const char *name)
{
    plait_queue *queue = NULL;
    pid_t pid;

    (void)name;
    if (!worked("queue_create",
                plait_queue_create(&queue, &(plait_queue_opts){ .max_bytes = SMALL_RING }),
                of_family))
        return;
    in_all(use_queue, queue);
    plait_queue_destroy(queue);
    queue = NULL;
    if (worked("queue_create", plait_queue_create(&queue, NULL), of_family)) {
        pid = begin_process(put_all, queue);
        if (pid > 0)
            get_all(queue, pid);
        plait_queue_destroy(queue);
    }
    check_heap();
}

/* ---- pipes ---- */

/* Sends all there is to send; the other end is not its own. */
static int send_all(void *arg)
{
    plait_pipe **ends = arg;
    int null;

    worked("pipe_close", plait_pipe_close(ends[0]), of_nothing);
    worked("send", plait_pipe_send(ends[1], "hello", 6, soon()), of_pipes);
    worked("send large", plait_pipe_send(ends[1], large, LARGE, soon()), of_pipes);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (worked("open", null < 0 ? -errno : 0, of_system)) {
        worked("send_fd", plait_pipe_send_fd(ends[1], null, "null", 5, soon()), of_pipes);
        close(null);
    }
    return 0;
}

/* One message; counts it. False: the end of file. */
static bool receive_one(plait_pipe *end, unsigned *n_got)
{
    ssize_t n = plait_pipe_next_size(end, soon());
    void *message = NULL;
    char buf[16];
    int fd = -1;

    if (n == -EPIPE)
        return false;
    if (!worked("next_size", n, of_pipes))
        return true;
    if (n == 5) {
        n = plait_pipe_recv_fd(end, &fd, buf, sizeof buf, soon());
        if (!worked("recv_fd", n, of_pipes))
            return true;
        must("the descriptor came with its message", n == 5 && strcmp(buf, "null") == 0);
        close(fd);
    } else {
        n = plait_pipe_recv_alloc(end, &message, soon());
        if (!worked("recv_alloc", n, of_recv)) {
            *n_got += n == -EBADMSG; /* it was dropped */
            return true;
        }
        must("a message is whole", (n == 6 && memcmp(message, "hello", 6) == 0) ||
                                       (n == LARGE && memcmp(message, large, LARGE) == 0));
        free(message);
    }
    ++*n_got;
    return true;
}

/* Until the end of file, but not for ever: what an error leaves behind comes again. True: three. */
static bool receive_all(plait_pipe *end)
{
    unsigned n_got = 0;

    for (unsigned i = 0; i < 20; i++)
        if (!receive_one(end, &n_got))
            break;
    return n_got == 3;
}

static void from_process(void)
{
    plait_pipe *ends[2] = { NULL, NULL };
    bool all;
    pid_t pid;

    if (!worked("pipe_create", plait_pipe_create(&ends[0], &ends[1], NULL), of_pipes))
        return;
    pid = begin_process(send_all, ends);
    worked("pipe_close", plait_pipe_close(ends[1]), of_nothing);
    if (pid > 0) {
        all = receive_all(ends[0]);
        if (end_process(pid))
            must("all that was sent was received", all);
    }
    plait_pipe_destroy(ends[1]);
    plait_pipe_destroy(ends[0]);
}

/* What send_all does to its copy of the ends, in a thread: that has a copy of the one only. */
static int send_here(void *arg)
{
    plait_pipe *end = arg, *none = NULL, *other = NULL, *ends[2];

    if (worked("pipe_create", plait_pipe_create(&none, &other, NULL), of_pipes)) {
        ends[0] = none;
        ends[1] = end;
        send_all(ends);
    }
    plait_pipe_destroy(none);
    plait_pipe_destroy(other);
    worked("pipe_close", plait_pipe_close(end), of_nothing);
    return 0;
}

static void from_thread(void)
{
    plait_pipe *a = NULL, *b = NULL;
    plait_task *task = NULL;
    int before = n_errors;
    bool all;

    if (!worked("pipe_create", plait_pipe_create(&a, &b, &(plait_pipe_opts){ .simplex = true }),
                of_pipes))
        return;
    if (worked("start", plait_task_start(&task, PLAIT_THREAD, send_here, b, NULL), of_threads)) {
        if (worked("poll", plait_pipe_poll(a, soon()), of_pipes) || n_errors > before) {
            all = receive_all(a);
            must("all that was sent was received", all || n_errors > before);
        }
        worked("join", plait_task_join(task, soon()), of_family);
        plait_task_destroy(task);
    }
    plait_pipe_destroy(a);
    plait_pipe_destroy(b);
}

void run_pipe(const char *name)
{
    (void)name;
    from_process();
    from_thread();
}

/* ---- select ---- */

static int return_nothing(void *arg)
{
    (void)arg;
    return 0;
}

struct things {
    plait_queue *queue;
    plait_pipe *ends[2];
    plait_event *event;
};

/* Each of them becomes ready in its turn; what an error left in the pipe is ready before. */
static int select_each(void *arg)
{
    struct things *things = arg;
    plait_waitable on[4];
    size_t ready[4];
    plait_task *task = NULL;
    ssize_t n;

    worked("on_get", plait_queue_on_get(&on[0], things->queue), of_nothing);
    worked("on_recv", plait_pipe_on_recv(&on[1], things->ends[0]), of_nothing);
    worked("on_set", plait_event_on_set(&on[2], things->event), of_nothing);
    if (!worked("start", plait_task_start(&task, PLAIT_THREAD, return_nothing, NULL, NULL),
                of_threads))
        return 0;
    worked("on_end", plait_task_on_end(&on[3], task), of_nothing);
    n = plait_select(on, 4, soon());
    if (worked("select", n, of_select))
        must("the thread is what has ended", n == 3 || n_errors > 0);
    plait_task_destroy(task);
    if (worked("send", plait_pipe_send(things->ends[1], "x", 1, soon()), of_pipes)) {
        char byte;
        n = plait_select(on, 3, soon());
        if (worked("select", n, of_select))
            must("the pipe is what has a message", n == 1);
        n = plait_pipe_recv(things->ends[0], &byte, 1, soon());
        if (!worked("recv", n, of_pipes)) /* it stays, and comes again */
            worked("recv", plait_pipe_recv(things->ends[0], &byte, 1, soon()), of_pipes);
    }
    if (worked("put", plait_queue_put(things->queue, "x", 1, soon()), of_family)) {
        char byte;
        n = plait_select_all(on, 3, ready, soon());
        if (worked("select_all", n, of_select))
            must("the queue is what has an item", (n == 1 && ready[0] == 0) || n_errors > 0);
        worked("get", plait_queue_get(things->queue, &byte, 1, soon()), of_family);
    }
    return 0;
}

static int set_event(void *arg)
{
    worked("event set", plait_event_set(arg), of_nothing);
    return 0;
}

/* Sleeps until another process sets the event. */
static void select_asleep(struct things *things)
{
    pid_t pid = begin_process(set_event, things->event);
    plait_waitable on[2];
    ssize_t n;

    if (pid < 0)
        return;
    worked("on_recv", plait_pipe_on_recv(&on[0], things->ends[0]), of_nothing);
    worked("on_set", plait_event_on_set(&on[1], things->event), of_nothing);
    n = plait_select(on, 2, soon());
    if (worked("select", n, of_select))
        must("the event is what was set", n == 1 && plait_event_is_set(things->event));
    end_process(pid);
    worked("event clear", plait_event_clear(things->event), of_nothing);
}

void run_select(const char *name)
{
    struct things things = { .event = plait_shared_alloc(sizeof(plait_event)) };

    (void)name;
    if (worked("shared_alloc", things.event == NULL ? -ENOMEM : 0, of_family) &&
        worked("queue_create", plait_queue_create(&things.queue, NULL), of_family) &&
        worked("pipe_create", plait_pipe_create(&things.ends[0], &things.ends[1], NULL),
               of_pipes)) {
        in_all(select_each, &things);
        select_asleep(&things);
    }
    plait_pipe_destroy(things.ends[0]);
    plait_pipe_destroy(things.ends[1]);
    plait_queue_destroy(things.queue);
    worked("shared_free", plait_shared_free(things.event), of_nothing);
    check_heap();
}
