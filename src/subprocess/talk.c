/* Feeding a subprocess and reading what it says, without either waiting for the other.
 * SPDX-License-Identifier: MIT
 *
 * Our ends do not block. Each round sleeps until one of them is ready and moves what there is; what
 * has been moved is in the subprocess itself, so that a call that was cut short is simply followed by
 * another one.
 */
#include "family/self.h"
#include "os/fd.h"
#include "subprocess/subprocess.h"
#include "wait/wait.h"
#include <plait/coroutine.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024, /* at least so much room for each read: what a pipe holds */
    ROUNDS = 16 /* that find something ready: then others may run, and the time is looked at */
};

static void close_fd(int *fd)
{
    close(*fd);
    *fd = -1;
}

/* What is there may be taken until nothing is, so that nobody ever sleeps in one of them. */
static int make_flow(plait_subprocess *p)
{
    int fds[3] = { p->in, p->outs[0], p->outs[1] }, rc = 0;

    for (int i = 0; rc == 0 && !p->is_flowing && i < 3; i++)
        if (fds[i] >= 0)
            rc = plait__os_set_nonblocking(fds[i]);
    p->is_flowing = rc == 0;
    return rc;
}

/* A part of the input, until there is none, or nobody who reads it. */
static int feed(plait_subprocess *p)
{
    ssize_t n = p->input_left > 0 ? plait__os_write_quietly(p->in, p->input, p->input_left) : 0;

    if (n == -EAGAIN || n == -EINTR)
        return 0;
    if (n < 0 && n != -EPIPE)
        return (int)n;
    p->input += n > 0 ? n : 0;
    p->input_left = n >= 0 ? p->input_left - (size_t)n : 0;
    if (p->input_left == 0)
        close_fd(&p->in);
    return 0;
}

/* A part of what it says. */
static int drain(plait_subprocess *p, int which)
{
    struct plait__buf *said = &p->said[which];
    char more;
    bool is_full = p->max_bytes > 0 && said->len == p->max_bytes;
    int rc = plait__buf_reserve(said, READ_BYTES);
    size_t room = rc == 0 ? said->cap - said->len - 1 : 0;
    ssize_t n;

    if (rc < 0)
        return rc;
    if (p->max_bytes > 0 && room > p->max_bytes - said->len)
        room = p->max_bytes - said->len;
    n = read(p->outs[which], is_full ? &more : said->data + said->len, is_full ? 1 : room);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        close_fd(&p->outs[which]);
    else if (is_full)
        return -EMSGSIZE;
    said->len += (size_t)n;
    said->data[said->len] = '\0';
    return 0;
}

/* Waits until something can be moved, and moves it. */
static int go_round(plait_subprocess *p, plait_deadline until)
{
    struct plait__fd fds[3] = { { .fd = p->in, .wanted = PLAIT__FD_WRITE },
                                { .fd = p->outs[0], .wanted = PLAIT__FD_READ },
                                { .fd = p->outs[1], .wanted = PLAIT__FD_READ } };
    int rc = plait__wait_fds(fds, 3, until);

    if (rc < 0)
        return rc == -EINTR ? 0 : rc;
    rc = p->in >= 0 && fds[0].ready != 0 ? feed(p) : 0;
    for (int i = 0; rc == 0 && i < 2; i++)
        if (p->outs[i] >= 0 && fds[i + 1].ready != 0)
            rc = drain(p, i);
    return rc;
}

/* A program that never pauses shall not keep us: a wait that finds something ready looks neither at
 * the deadline nor at what else the thread has to do. */
static int look_up(plait_deadline until)
{
    if (!plait__may_spin())
        plait_yield();
    if (plait__must_end(plait__sleeper_current()))
        return -ECANCELED;
    return plait_left_ns(plait__until_here(until)) == 0 ? -ETIMEDOUT : 0;
}

/* Takes the input over. */
static int begin(plait_subprocess *p, const void *input, size_t n)
{
    if (input == NULL && n > 0)
        return -EINVAL;
    if (input != NULL && (p->is_fed || p->in < 0))
        return -EINVAL;
    if (!p->is_fed) {
        p->input = input;
        p->input_left = n;
        p->is_fed = true;
    }
    if (p->in >= 0 && p->input_left == 0)
        close_fd(&p->in);
    return make_flow(p);
}

int plait_subprocess_communicate(plait_subprocess *p, const void *input, size_t n,
                                 plait_deadline until)
{
    int rc = p == NULL ? -EINVAL : p->owner != plait__self_pid() ? -ECHILD : begin(p, input, n);

    for (unsigned i = 1; rc == 0 && (p->in >= 0 || p->outs[0] >= 0 || p->outs[1] >= 0); i++) {
        rc = go_round(p, until);
        if (rc == 0 && i % ROUNDS == 0)
            rc = look_up(until);
    }
    return rc < 0 ? rc : plait_subprocess_wait(p, until);
}

static const char *said_so_far(const plait_subprocess *p, int which, size_t *ret_bytes)
{
    const struct plait__buf *said = p != NULL ? &p->said[which] : NULL;
    bool has_any = said != NULL && said->data != NULL;

    if (ret_bytes != NULL)
        *ret_bytes = has_any ? said->len : 0;
    return has_any ? said->data : "";
}

const char *plait_subprocess_output(const plait_subprocess *p, size_t *ret_bytes)
{
    return said_so_far(p, 0, ret_bytes);
}

const char *plait_subprocess_errors(const plait_subprocess *p, size_t *ret_bytes)
{
    return said_so_far(p, 1, ret_bytes);
}

/* ---- the ends themselves ---- */

static int end_of(const plait_subprocess *p, int fd)
{
    return p == NULL ? -EINVAL : fd < 0 ? -EBADF : fd;
}

int plait_subprocess_stdin(const plait_subprocess *p)
{
    return end_of(p, p != NULL ? p->in : -1);
}

int plait_subprocess_stdout(const plait_subprocess *p)
{
    return end_of(p, p != NULL ? p->outs[0] : -1);
}

int plait_subprocess_stderr(const plait_subprocess *p)
{
    return end_of(p, p != NULL ? p->outs[1] : -1);
}

int plait_subprocess_close_stdin(plait_subprocess *p)
{
    int fd = plait_subprocess_stdin(p);

    if (fd < 0)
        return fd;
    close_fd(&p->in);
    return 0;
}
