/* The owner's side of the keeper: commands.
 * SPDX-License-Identifier: MIT
 */
#include "base/buf.h"
#include "os/fd.h"
#include "task/keeper.h"
#include "task/keeper_link.h"
#include "task/keeper_wire.h"
#include "wait/wait.h"

#include <plait/error.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A request that is nothing but its head. */
static int send_head(struct keeper_request request, plait_deadline until)
{
    if (!plait__keeper_is_there())
        return PLAIT_EKEEPER;
    return plait__keeper_send(&request, sizeof request, NULL, 0, until);
}

static int add_strings(struct plait__buf *buf, const struct plait__command *command)
{
    int rc = plait__buf_add(buf, command->file, strlen(command->file) + 1);

    if (rc == 0 && command->cwd != NULL)
        rc = plait__buf_add(buf, command->cwd, strlen(command->cwd) + 1);
    for (size_t i = 0; rc == 0 && i < command->n_argv; i++)
        rc = plait__buf_add(buf, command->argv[i], strlen(command->argv[i]) + 1);
    for (size_t i = 0; rc == 0 && i < command->n_env; i++)
        rc = plait__buf_add(buf, command->env[i], strlen(command->env[i]) + 1);
    return rc;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
        }
    }
    return 0;
}

/* The request with its strings, in the message or, when they are too long for it, in a memfd. */
static int send_run(enum keeper_verb verb, struct plait__buf *buf,
                    const struct plait__command *command, plait_deadline until)
{
    int fds[4] = { command->fds[0], command->fds[1], command->fds[2], -1 };
    struct keeper_request head = { .verb = verb,
                                   .id = command->id,
                                   .slot = command->slot,
                                   .timeout_ns = command->timeout_ns,
                                   .kill_after_ns = command->kill_after_ns,
                                   .ignored = plait__keeper.ignored,
                                   .nice = command->nice,
                                   .has_nice = command->has_nice,
                                   .n_argv = (uint32_t)command->n_argv,
                                   .n_env = (uint32_t)command->n_env,
                                   .has_cwd = command->cwd != NULL };
    size_t length = sizeof head;
    int rc = 0;

    if (buf->len - sizeof head > UINT32_MAX)
        return -E2BIG;
    head.n_bytes = (uint32_t)(buf->len - sizeof head);
    head.in_memfd = buf->len > KEEPER_MESSAGE_BYTES;
    if (head.in_memfd) {
        fds[3] = plait__os_memfd("plait-command");
        rc = fds[3] < 0 ? fds[3] : write_all(fds[3], buf->data + sizeof head, head.n_bytes);
    } else {
        length = buf->len;
    }
    memcpy(buf->data, &head, sizeof head);
    if (rc == 0)
        rc = plait__keeper_send(buf->data, length, fds, head.in_memfd ? 4 : 3, until);
    if (fds[3] >= 0)
        close(fds[3]);
    return rc;
}

static int hand_over(enum keeper_verb verb, const struct plait__command *command,
                     plait_deadline until)
{
    struct keeper_request head = { 0 };
    struct plait__buf buf = { 0 };
    int rc = plait__keeper_start_without_heap();

    if (rc == 0 && plait__keeper.has_lost)
        return PLAIT_EKEEPER;
    if (rc < 0)
        return rc;
    rc = plait__buf_add(&buf, &head, sizeof head);
    if (rc == 0)
        rc = add_strings(&buf, command);
    if (rc == 0)
        rc = send_run(verb, &buf, command, until);
    plait__buf_fini(&buf);
    plait__keeper.n_running += rc == 0;
    return rc;
}

int plait__keeper_run(const struct plait__command *command, plait_deadline until)
{
    return hand_over(KEEPER_RUN, command, until);
}

int plait__keeper_line_up(const struct plait__command *command, plait_deadline until)
{
    return hand_over(KEEPER_LINE_UP, command, until);
}

int plait__keeper_go(uint64_t id, unsigned slot)
{
    return send_head((struct keeper_request){ .verb = KEEPER_GO, .id = id, .slot = slot },
                     PLAIT_NOWAIT);
}

static void to_end(const struct keeper_event *event, struct plait__command_end *ret)
{
    *ret = (struct plait__command_end){ .id = event->id,
                                        .next = event->next,
                                        .start_error = event->start_error,
                                        .death = event->death,
                                        .start_real_ns = event->start_real_ns,
                                        .run_ns = event->run_ns,
                                        .timed_out = event->timed_out };
    memcpy(ret->step, event->step, sizeof ret->step);
}

int plait__keeper_next(struct plait__command_end *ret, plait_deadline until)
{
    struct keeper_event event;
    int fds[PLAIT__CHANNEL_FDS];
    size_t n_fds;

    if (!plait__keeper_is_there() || plait__keeper.has_lost) {
        plait__keeper.has_lost = false;
        return PLAIT_EKEEPER;
    }
    for (;;) {
        struct plait__fd word = { .fd = plait__keeper.channel, .wanted = PLAIT__FD_READ };
        ssize_t n =
            plait__os_channel_recv(plait__keeper.channel, &event, sizeof event, fds, &n_fds);
        if (n == (ssize_t)sizeof event) {
            if (event.word == KEEPER_ALL_ENDED)
                return 0;
            to_end(&event, ret);
            plait__keeper.n_running -= plait__keeper.n_running > 0;
            return 1;
        }
        if (n != -EAGAIN) { /* all that it had said has been read */
            plait__keeper_bury();
            return PLAIT_EKEEPER;
        }
        if (until.ns == PLAIT_NOWAIT.ns)
            return -ETIMEDOUT;
        int rc = plait__wait_fds(&word, 1, until);
        if (rc < 0 && rc != -EINTR)
            return rc;
    }
}

int plait__keeper_time_out(uint64_t id, int64_t kill_after_ns)
{
    return send_head(
        (struct keeper_request){
            .verb = KEEPER_STOP, .id = id, .kill_after_ns = kill_after_ns, .is_timeout = true },
        PLAIT_NOWAIT);
}

int plait__keeper_stop_all(int64_t kill_after_ns)
{
    return send_head(
        (struct keeper_request){ .verb = KEEPER_STOP_ALL, .kill_after_ns = kill_after_ns },
        PLAIT_NOWAIT);
}

int plait__keeper_pause(void)
{
    return send_head((struct keeper_request){ .verb = KEEPER_PAUSE },
                     plait_after_ms(PLAIT__KEEPER_PATIENCE_MS));
}

int plait__keeper_resume(void)
{
    return send_head((struct keeper_request){ .verb = KEEPER_RESUME },
                     plait_after_ms(PLAIT__KEEPER_PATIENCE_MS));
}
