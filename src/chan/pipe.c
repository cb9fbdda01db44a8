/* Message pipes.
 * SPDX-License-Identifier: MIT
 *
 * A pipe is a pair of connected sockets that keep packets apart, and nothing else: no memory is
 * shared and no lock is held between processes, so nobody's death or stop can hurt anybody. The
 * kernel takes a packet whole or not at all, gives it to one receiver, and says when the last
 * holder of the other end is gone.
 *
 * The kernel cannot be told "give me the next message, if it fits". So a receiver looks first, and
 * takes when what it saw fits. Between look and take another receiver of the same end may have taken
 * that message, and we take another, which may not fit, or may be of the other kind. For this case
 * each take has room for all that a packet may hold; the message is then kept in the handle, for the
 * next receive of this process. The descriptors of a message come with the look already: so a
 * process without room for them finds out before the message is gone.
 */
#include <plait/pipe.h>

#include "base/opts.h"
#include "chan/message.h"
#include "os/fd.h"
#include "wait/mutex.h"
#include "wait/wait.h"
#include "wait/waitable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const size_t default_max_bytes = (size_t)1 << 30;

/* Room for what a packet may hold; and a message that was taken and did not fit. */
struct kept {
    struct kept *next;
    pid_t pid; /* whose it is: a forked child has a copy, which it must not receive again */
    struct plait__message message;
    char bytes[PLAIT__MESSAGE_INLINE];
};

struct plait_pipe {
    int fd;                    /* -1 once closed */
    bool can_recv, can_send;   /* const after create */
    size_t max_bytes;          /* const after create */
    struct kept *spare;        /* atomic: exchanged by acquire and release: for the next take */
    struct plait__mutex mutex; /* of `kept` */
    struct kept *kept;         /* mutex: oldest first; atomic: NULL may be seen without */
};

/* What a receiver would like. */
struct want {
    void *buf;
    size_t cap;
    int *ret_fd; /* NULL: a message that brings none */
};

/* ---- making and closing ---- */

static plait_pipe *make_end(int fd, const plait_pipe_opts *opts)
{
    plait_pipe *end = calloc(1, sizeof *end);

    if (end == NULL)
        return NULL;
    end->fd = fd;
    end->can_recv = end->can_send = true;
    end->max_bytes = opts->max_bytes > 0 ? opts->max_bytes : default_max_bytes;
    if (end->max_bytes > PTRDIFF_MAX - 1) /* sizes are ssize_t, and recv_alloc adds one */
        end->max_bytes = PTRDIFF_MAX - 1;
    return end;
}

/* 0 to 2 get other meanings, and what is printed there would be a message. */
static int lift(int *fd)
{
    int lifted = *fd < 3 ? plait__os_dup_above(*fd, 3) : *fd;

    if (lifted < 0)
        return lifted;
    if (lifted != *fd)
        close(*fd);
    *fd = lifted;
    return 0;
}

static int make_channel(int ret_fds[2], bool simplex)
{
    int rc = plait__os_channel(ret_fds);

    if (rc < 0)
        return rc;
    if ((rc = lift(&ret_fds[0])) == 0)
        rc = lift(&ret_fds[1]);
    if (rc == 0 && simplex)
        rc = plait__os_channel_make_simplex(ret_fds[0], ret_fds[1]);
    if (rc < 0) {
        close(ret_fds[0]);
        close(ret_fds[1]);
    }
    return rc;
}

int plait_pipe_create_sized(plait_pipe **ret_a, plait_pipe **ret_b, const plait_pipe_opts *opts,
                            size_t opts_bytes)
{
    plait_pipe_opts ours;
    plait_pipe *a, *b;
    int fds[2];
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (ret_a == NULL || ret_b == NULL)
        return -EINVAL;
    if (rc == 0)
        rc = make_channel(fds, ours.simplex);
    if (rc < 0)
        return rc;
    a = make_end(fds[0], &ours);
    b = make_end(fds[1], &ours);
    if (a == NULL || b == NULL) {
        free(a);
        free(b);
        close(fds[0]);
        close(fds[1]);
        return -ENOMEM;
    }
    a->can_send = b->can_recv = !ours.simplex;
    *ret_a = a;
    *ret_b = b;
    return 0;
}

int plait_pipe_open_sized(plait_pipe **ret, int fd, const plait_pipe_opts *opts, size_t opts_bytes)
{
    plait_pipe_opts ours;
    plait_pipe *end;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (ret == NULL || !plait__os_is_channel(fd))
        return -EINVAL;
    if (rc < 0)
        return rc;
    end = make_end(fd, &ours);
    if (end == NULL)
        return -ENOMEM;
    *ret = end;
    return 0;
}

static void free_kept(plait_pipe *end)
{
    while (end->kept != NULL) {
        struct kept *first = end->kept;
        end->kept = first->next;
        plait__message_drop(&first->message);
        free(first);
    }
    free(end->spare);
    end->spare = NULL;
}

int plait_pipe_close(plait_pipe *end)
{
    if (end == NULL)
        return -EINVAL;
    if (end->fd < 0)
        return -EBADF;
    close(end->fd);
    end->fd = -1;
    free_kept(end);
    return 0;
}

void plait_pipe_destroy(plait_pipe *end)
{
    plait_pipe_close(end);
    free(end);
}

int plait_pipe_fd(const plait_pipe *end)
{
    if (end == NULL)
        return -EINVAL;
    return end->fd < 0 ? -EBADF : end->fd;
}

/* ---- waiting ---- */

static int wait_for(const plait_pipe *end, unsigned wanted, plait_deadline until)
{
    struct plait__fd one = { .fd = end->fd, .wanted = wanted };
    int rc;

    do
        rc = plait__wait_fds(&one, 1, until);
    while (rc == -EINTR);
    return rc < 0 ? rc : 0;
}

/* ---- sending ---- */

static int check_send(const plait_pipe *end, const void *bytes, size_t n)
{
    if (end == NULL || (bytes == NULL && n > 0))
        return -EINVAL;
    if (end->fd < 0 || !end->can_send)
        return -EBADF;
    return n > end->max_bytes ? -EMSGSIZE : 0;
}

static int send_message(plait_pipe *end, struct plait__outgoing *message, plait_deadline until)
{
    for (;;) {
        int rc = plait__message_send(end->fd, message);
        if (rc == -EAGAIN)
            rc = wait_for(end, PLAIT__FD_WRITE, until);
        else
            return rc;
        if (rc < 0)
            return rc;
    }
}

static int send_any(plait_pipe *end, int fd, const void *bytes, size_t n, plait_deadline until)
{
    struct plait__outgoing message;
    int rc = plait__message_prepare(&message, bytes, n, fd);

    if (rc < 0)
        return rc;
    rc = send_message(end, &message, until);
    plait__message_release(&message);
    return rc;
}

int plait_pipe_send(plait_pipe *end, const void *bytes, size_t n, plait_deadline until)
{
    int rc = check_send(end, bytes, n);

    return rc < 0 ? rc : send_any(end, -1, bytes, n, until);
}

int plait_pipe_send_fd(plait_pipe *end, int fd, const void *bytes, size_t n, plait_deadline until)
{
    int rc = check_send(end, bytes, n);

    if (rc < 0)
        return rc;
    return fd < 0 ? -EBADF : send_any(end, fd, bytes, n, until);
}

/* ---- messages that were taken and did not fit ---- */

static struct kept *borrow_spare(plait_pipe *end)
{
    struct kept *spare = __atomic_exchange_n(&end->spare, NULL, __ATOMIC_ACQUIRE);

    return spare != NULL ? spare : malloc(sizeof *spare);
}

static void give_back(plait_pipe *end, struct kept *spare)
{
    struct kept *none = NULL;

    if (!__atomic_compare_exchange_n(&end->spare, &none, spare, false, __ATOMIC_RELEASE,
                                     __ATOMIC_RELAXED))
        free(spare);
}

static void keep(plait_pipe *end, struct kept *kept)
{
    struct kept **at = &end->kept;

    kept->pid = getpid();
    kept->next = NULL;
    plait__mutex_lock(&end->mutex);
    while (*at != NULL)
        at = &(*at)->next;
    __atomic_store_n(at, kept, __ATOMIC_RELAXED);
    plait__mutex_unlock(&end->mutex);
}

static void unlink_first(plait_pipe *end)
{
    __atomic_store_n(&end->kept, end->kept->next, __ATOMIC_RELAXED);
}

/* The oldest that is ours; those that a fork copied are forgotten. pre: mutex. */
static struct kept *first_of_ours(plait_pipe *end)
{
    pid_t pid = getpid();

    while (end->kept != NULL && end->kept->pid != pid) {
        struct kept *copy = end->kept;
        unlink_first(end);
        plait__message_drop(&copy->message);
        free(copy);
    }
    return end->kept;
}

/* relaxed: a thread sees what it kept itself; what others keep, it may as well see a little later */
static bool may_have_kept(const plait_pipe *end)
{
    return __atomic_load_n(&end->kept, __ATOMIC_RELAXED) != NULL;
}

/* Its size, or -EAGAIN: there is none. */
static ssize_t size_of_kept(plait_pipe *end)
{
    struct kept *first;
    ssize_t n = -EAGAIN;

    if (!may_have_kept(end))
        return n;
    plait__mutex_lock(&end->mutex);
    first = first_of_ours(end);
    if (first != NULL)
        n = (ssize_t)first->message.head.bytes;
    plait__mutex_unlock(&end->mutex);
    return n;
}

/* ---- receiving ---- */

static int fits(const struct want *want, const struct plait__message *message)
{
    if (plait__message_brings_fd(message) != (want->ret_fd != NULL))
        return -ENOMSG;
    return message->head.bytes > want->cap ? -EMSGSIZE : 0;
}

/* pre: what came in the packet is in the buffer. */
static ssize_t finish(const struct want *want, struct plait__message *message)
{
    ssize_t n = (ssize_t)message->head.bytes;
    int rc = plait__message_finish(message, want->buf, want->ret_fd);

    return rc < 0 ? rc : n;
}

static ssize_t recv_kept(plait_pipe *end, const struct want *want)
{
    struct kept *first;
    ssize_t n = -EAGAIN;

    if (!may_have_kept(end))
        return n;
    plait__mutex_lock(&end->mutex);
    first = first_of_ours(end);
    if (first != NULL && (n = fits(want, &first->message)) == 0)
        unlink_first(end);
    plait__mutex_unlock(&end->mutex);
    if (n < 0)
        return n;
    if (first->message.in_packet > 0)
        memcpy(want->buf, first->bytes, first->message.in_packet);
    n = finish(want, &first->message);
    give_back(end, first);
    return n;
}

/* 0: the next message fits, and its descriptors are in `seen` · -EBADMSG: it is none. */
static int look(const plait_pipe *end, const struct want *want, struct plait__message *seen)
{
    int rc = plait__message_look(end->fd, end->max_bytes, false, seen);

    if (rc == 0)
        rc = fits(want, seen);
    if (rc < 0 || plait__message_fds(seen) == 0)
        return rc;
    rc = plait__message_look(end->fd, end->max_bytes, true, seen);
    if (rc == 0)
        rc = fits(want, seen);
    if (rc == 0 && seen->lost_fds)
        rc = -EMFILE;
    if (rc < 0)
        plait__message_drop(seen);
    return rc;
}

/* Is what was taken what was seen? Then its descriptors are those that came with the look. */
static void reconcile(struct plait__message *seen, struct plait__message *taken)
{
    if (seen->n_fds == 0 || seen->head.id != taken->head.id) {
        plait__message_drop(seen);
        return;
    }
    plait__message_drop(taken);
    for (size_t i = 0; i < seen->n_fds; i++)
        taken->fds[i] = seen->fds[i];
    taken->n_fds = seen->n_fds;
    taken->lost_fds = false;
}

static ssize_t take(plait_pipe *end, const struct want *want, struct plait__message *seen)
{
    size_t here = want->cap < PLAIT__MESSAGE_INLINE ? want->cap : PLAIT__MESSAGE_INLINE;
    struct kept *room = borrow_spare(end);
    ssize_t n;

    if (room == NULL) {
        plait__message_drop(seen);
        return -ENOMEM;
    }
    struct iovec body[2] = { { want->buf, here },
                             { room->bytes + here, PLAIT__MESSAGE_INLINE - here } };
    n = plait__message_take(end->fd, end->max_bytes, body, &room->message);
    if (n == 0)
        reconcile(seen, &room->message);
    else
        plait__message_drop(seen);
    if (n == 0 && room->message.lost_fds) {
        plait__message_drop(&room->message);
        n = -EMFILE;
    }
    if (n == 0 && fits(want, &room->message) < 0) {
        here = here < room->message.in_packet ? here : room->message.in_packet;
        if (here > 0)
            memcpy(room->bytes, want->buf, here);
        keep(end, room);
        return recv_kept(end, want);
    }
    if (n == 0)
        n = finish(want, &room->message);
    give_back(end, room);
    return n;
}

static ssize_t try_recv(plait_pipe *end, const struct want *want)
{
    struct plait__message seen;
    ssize_t n = recv_kept(end, want);

    if (n != -EAGAIN)
        return n;
    n = look(end, want, &seen);
    return n == 0 || n == -EBADMSG ? take(end, want, &seen) : n;
}

static int check_recv(const plait_pipe *end, const void *buf, size_t cap)
{
    if (end == NULL || (buf == NULL && cap > 0))
        return -EINVAL;
    return end->fd < 0 || !end->can_recv ? -EBADF : 0;
}

static ssize_t recv_any(plait_pipe *end, const struct want *want, plait_deadline until)
{
    for (;;) {
        ssize_t n = try_recv(end, want);
        if (n == -EAGAIN)
            n = wait_for(end, PLAIT__FD_READ, until);
        else
            return n;
        if (n < 0)
            return n;
    }
}

ssize_t plait_pipe_recv(plait_pipe *end, void *buf, size_t cap, plait_deadline until)
{
    struct want want = { .buf = buf, .cap = cap };
    int rc = check_recv(end, buf, cap);

    return rc < 0 ? rc : recv_any(end, &want, until);
}

ssize_t plait_pipe_recv_fd(plait_pipe *end, int *ret_fd, void *buf, size_t cap,
                           plait_deadline until)
{
    struct want want = { .buf = buf, .cap = cap, .ret_fd = ret_fd };
    int rc = ret_fd == NULL ? -EINVAL : check_recv(end, buf, cap);

    return rc < 0 ? rc : recv_any(end, &want, until);
}

ssize_t plait_pipe_next_size(plait_pipe *end, plait_deadline until)
{
    int rc = check_recv(end, NULL, 0);

    while (rc == 0) {
        struct plait__message seen;
        ssize_t n = size_of_kept(end);
        if (n >= 0)
            return n;
        rc = plait__message_look(end->fd, end->max_bytes, false, &seen);
        if (rc == 0)
            return (ssize_t)seen.head.bytes;
        if (rc == -EAGAIN)
            rc = wait_for(end, PLAIT__FD_READ, until);
    }
    return rc;
}

/* One attempt: -EMSGSIZE and -ETIMEDOUT when another receiver took the message of that size. */
static ssize_t recv_into_new(plait_pipe *end, size_t size, void **ret)
{
    char *buf = malloc(size + 1);
    ssize_t n;

    if (buf == NULL)
        return -ENOMEM;
    n = plait_pipe_recv(end, buf, size, PLAIT_NOWAIT);
    if (n < 0) {
        free(buf);
        return n;
    }
    buf[n] = '\0';
    *ret = buf;
    return n;
}

ssize_t plait_pipe_recv_alloc(plait_pipe *end, void **ret, plait_deadline until)
{
    if (ret == NULL)
        return -EINVAL;
    for (;;) {
        ssize_t n = plait_pipe_next_size(end, until);
        if (n == -EBADMSG) /* it is dropped by who receives */
            return plait_pipe_recv(end, NULL, 0, PLAIT_NOWAIT);
        if (n >= 0)
            n = recv_into_new(end, (size_t)n, ret);
        else
            return n;
        if (n != -EMSGSIZE && n != -ETIMEDOUT && n != -ECANCELED)
            return n;
    }
}

int plait_pipe_poll(plait_pipe *end, plait_deadline until)
{
    int rc = check_recv(end, NULL, 0);

    if (rc < 0)
        return rc;
    return size_of_kept(end) >= 0 ? 0 : wait_for(end, PLAIT__FD_READ, until);
}

/* ---- to be selected on ---- */

static int look_fd(const plait_pipe *end, struct plait__watch *watch, unsigned wanted)
{
    if (end->fd < 0)
        return -EBADF;
    watch->fd = end->fd;
    watch->wanted = wanted;
    return watch->ready_fd != 0;
}

static int look_recv(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    (void)how;
    return size_of_kept(on->object) >= 0 ? 1 : look_fd(on->object, watch, PLAIT__FD_READ);
}

static int look_send(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    (void)how;
    return look_fd(on->object, watch, PLAIT__FD_WRITE);
}

int plait_pipe_on_recv(plait_waitable *ret, plait_pipe *end)
{
    static const struct plait__waitable_ops ops = { .look = look_recv };
    int rc = ret == NULL ? -EINVAL : check_recv(end, NULL, 0);

    if (rc == 0)
        plait__waitable_make(ret, &ops, end, 0);
    return rc;
}

int plait_pipe_on_send(plait_waitable *ret, plait_pipe *end)
{
    static const struct plait__waitable_ops ops = { .look = look_send };
    int rc = ret == NULL ? -EINVAL : check_send(end, NULL, 0);

    if (rc == 0)
        plait__waitable_make(ret, &ops, end, 0);
    return rc;
}
