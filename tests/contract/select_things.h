/* One thing of each kind that can be selected on, none of them ready, and what makes each ready.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_SELECT_THINGS_H
#define PLAIT_TESTS_SELECT_THINGS_H

#include "chan/queue.h"

#include "sync.h"

enum thing {
    GET,   /* an item for an empty queue */
    PUT,   /* room in a full queue */
    EVENT, /* an event that is not set */
    RECV,  /* a message for a pipe */
    SEND,  /* room in a full pipe */
    END,   /* the end of a task */
    READ,  /* bytes for a descriptor */
    WRITE, /* room for a descriptor */
    THINGS
};

static struct things {
    plait_queue *empty, *full;
    plait_event *event;
    plait_event *ending; /* ends the task */
    plait_task *task;
    plait_pipe *asked, *asker, *clogged, *clog_end;
    int fds[2], clogged_fds[2];
} things;

static plait_waitable on[THINGS];

static int end_when_told(void *arg)
{
    return plait_event_wait(arg, PLAIT_FOREVER);
}

static inline void fill_up(void)
{
    char bytes[4096] = { 0 };
    int flags = fcntl(things.clogged_fds[1], F_GETFL);

    CHECK_INT(fcntl(things.clogged_fds[1], F_SETFL, flags | O_NONBLOCK), 0);
    while (write(things.clogged_fds[1], bytes, sizeof bytes) > 0)
        continue;
    while (plait_pipe_send(things.clogged, bytes, sizeof bytes, PLAIT_NOWAIT) == 0)
        continue;
}

static inline void make_things(void)
{
    plait_event *events = make(2 * sizeof *events);

    things.event = &events[0];
    things.ending = &events[1];
    CHECK_INT(plait_queue_create(&things.empty, NULL), 0);
    CHECK_INT(plait_queue_create(&things.full, &(plait_queue_opts){ .max_items = 1 }), 0);
    CHECK_INT(plait_queue_put(things.full, "x", 1, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_pipe_create(&things.asked, &things.asker, NULL), 0);
    CHECK_INT(plait_pipe_create(&things.clogged, &things.clog_end, NULL), 0);
    CHECK_INT(pipe(things.fds), 0);
    CHECK_INT(pipe(things.clogged_fds), 0);
    fill_up();
    CHECK_INT(plait_task_start(&things.task, kind, end_when_told, things.ending,
                               &(plait_task_opts){ .daemon = true }),
              0);

    CHECK_INT(plait_queue_on_get(&on[GET], things.empty), 0);
    CHECK_INT(plait_queue_on_put(&on[PUT], things.full, 1), 0);
    CHECK_INT(plait_event_on_set(&on[EVENT], things.event), 0);
    CHECK_INT(plait_pipe_on_recv(&on[RECV], things.asked), 0);
    CHECK_INT(plait_pipe_on_send(&on[SEND], things.clogged), 0);
    CHECK_INT(plait_task_on_end(&on[END], things.task), 0);
    CHECK_INT(plait_on_fd(&on[READ], things.fds[0], PLAIT_READABLE), 0);
    CHECK_INT(plait_on_fd(&on[WRITE], things.clogged_fds[1], PLAIT_WRITABLE), 0);
}

/* Its task is the one thing that must not be left behind. */
static inline void end_things(void)
{
    CHECK_INT(plait_event_set(things.ending), 0);
    CHECK_INT(join(things.task), 0);
}

static inline void make_ready(enum thing thing)
{
    static char bytes[1 << 20];

    switch (thing) {
    case GET:
        CHECK_INT(plait_queue_put(things.empty, "x", 1, PLAIT_NOWAIT), 0);
        break;
    case PUT:
        CHECK_INT(plait_queue_get(things.full, bytes, 1, PLAIT_NOWAIT), 1);
        break;
    case EVENT:
        CHECK_INT(plait_event_set(things.event), 0);
        break;
    case RECV:
        CHECK_INT(plait_pipe_send(things.asker, "x", 1, PLAIT_NOWAIT), 0);
        break;
    case SEND:
        while (plait_pipe_recv(things.clog_end, bytes, sizeof bytes, PLAIT_NOWAIT) >= 0)
            continue;
        break;
    case END:
        CHECK_INT(plait_event_set(things.ending), 0);
        break;
    case READ:
        CHECK_INT(write(things.fds[1], "x", 1), 1);
        break;
    case WRITE:
        CHECK(read(things.clogged_fds[0], bytes, sizeof bytes) > 0);
        break;
    case THINGS:
        break;
    }
}

#endif
