/* io_uring by liburing.
 * SPDX-License-Identifier: MIT
 *
 * liburing 2.3 does not know the operations on futexes: their requests are filled by hand.
 */
#include "os/uring.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/uring_setup.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WORD_32_BITS = 2
};

/* The kernel's struct futex_waitv. */
struct waitv {
    uint64_t expected;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};

struct plait__uring {
    struct io_uring ring;
    int news;     /* an eventfd: the kernel raises it with each event; -1: nobody asked for it */
    bool is_told; /* the kernel knows it */
    struct waitv words[PLAIT__FUTEX_MOST];
};

int plait__os_uring_open(struct plait__uring **ret)
{
    struct plait__uring *made = malloc(sizeof *made);
    int rc;

    if (made == NULL)
        return -ENOMEM;
    rc = plait__os_uring_setup(&made->ring);
    if (rc < 0) {
        free(made);
        return rc;
    }
    made->news = -1;
    made->is_told = false;
    *ret = made;
    return 0;
}

void plait__os_uring_close(struct plait__uring *ring)
{
    if (ring == NULL)
        return;
    io_uring_queue_exit(&ring->ring);
    if (ring->news >= 0)
        close(ring->news);
    free(ring);
}

void plait__os_uring_forget(struct plait__uring *ring)
{
    close(ring->ring.ring_fd);
    if (ring->news >= 0)
        close(ring->news);
}

/* NULL: those before cannot be handed over. */
static struct io_uring_sqe *get_request(struct plait__uring *ring, uint64_t cookie)
{
    struct io_uring_sqe *request = io_uring_get_sqe(&ring->ring);

    if (request == NULL && io_uring_submit(&ring->ring) >= 0)
        request = io_uring_get_sqe(&ring->ring);
    if (request != NULL)
        *request = (struct io_uring_sqe){ .user_data = cookie };
    return request;
}

static int ask_poll(struct plait__uring *ring, int fd, unsigned wanted, unsigned flags,
                    uint64_t cookie)
{
    struct io_uring_sqe *request = get_request(ring, cookie);
    unsigned events =
        (wanted & PLAIT__FD_READ ? POLLIN : 0u) | (wanted & PLAIT__FD_WRITE ? POLLOUT : 0u);

    if (request == NULL)
        return -ENOMEM;
    io_uring_prep_poll_add(request, fd, events);
    request->len = flags;
    request->user_data = cookie;
    return 0;
}

int plait__os_uring_poll(struct plait__uring *ring, int fd, unsigned wanted, uint64_t cookie)
{
    return ask_poll(ring, fd, wanted, 0, cookie);
}

int plait__os_uring_poll_always(struct plait__uring *ring, int fd, unsigned wanted, uint64_t cookie)
{
    return ask_poll(ring, fd, wanted, IORING_POLL_ADD_MULTI, cookie);
}

int plait__os_uring_words(struct plait__uring *ring, const struct plait__futex *words, size_t n,
                          uint64_t cookie)
{
    struct io_uring_sqe *request = get_request(ring, cookie);

    if (request == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        ring->words[i] = (struct waitv){ .expected = words[i].expected,
                                         .address = (uintptr_t)words[i].word,
                                         .flags = WORD_32_BITS };
    request->opcode = PLAIT__URING_FUTEX_WAITV;
    request->addr = (uintptr_t)ring->words;
    request->len = (unsigned)n;
    return 0;
}

int plait__os_uring_cancel(struct plait__uring *ring, uint64_t cookie)
{
    struct io_uring_sqe *request = get_request(ring, cookie);

    if (request == NULL)
        return -ENOMEM;
    request->opcode = IORING_OP_ASYNC_CANCEL;
    request->fd = -1;
    request->addr = cookie;
    request->flags = IOSQE_CQE_SKIP_SUCCESS;
    request->user_data = PLAIT__URING_NOBODY;
    return 0;
}

unsigned plait__os_uring_ready(int result)
{
    unsigned ready = 0;

    if (result & (POLLIN | POLLHUP | POLLERR))
        ready |= PLAIT__FD_READ;
    if (result & (POLLOUT | POLLERR))
        ready |= PLAIT__FD_WRITE;
    if (result & (POLLHUP | POLLERR))
        ready |= PLAIT__FD_HUP;
    return ready;
}

static int look(struct io_uring *ring)
{
    /* relaxed: a hint; the next look sees what this one misses */
    unsigned flags = __atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED);

    if (io_uring_sq_ready(ring) == 0 && !(flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)))
        return 0;
    return io_uring_submit_and_get_events(ring);
}

static int sleep_until(struct io_uring *ring, int64_t until_ns)
{
    struct __kernel_timespec left, *timeout = NULL;
    struct io_uring_cqe *event;

    if (until_ns != INT64_MAX) {
        int64_t ns = until_ns - plait__os_now_ns();
        if (ns <= 0)
            return look(ring);
        left = (struct __kernel_timespec){ ns / 1000000000, ns % 1000000000 };
        timeout = &left;
    }
    return io_uring_submit_and_wait_timeout(ring, &event, 1, timeout, NULL);
}

int plait__os_uring_wait(struct plait__uring *ring, int64_t until_ns)
{
    int rc = until_ns == 0 ? look(&ring->ring) : sleep_until(&ring->ring, until_ns);

    if (rc >= 0 || rc == -ETIME || rc == -EBUSY) /* busy: it wants its events to be taken first */
        return 0;
    return rc == -EINTR ? rc : -ENOMEM;
}

bool plait__os_uring_next(struct plait__uring *ring, struct plait__uring_event *ret)
{
    struct io_uring_cqe *event;

    if (io_uring_cq_ready(&ring->ring) == 0 || io_uring_peek_cqe(&ring->ring, &event) < 0)
        return false;
    *ret = (struct plait__uring_event){ .cookie = event->user_data,
                                        .result = event->res,
                                        .goes_on = (event->flags & IORING_CQE_F_MORE) != 0 };
    io_uring_cqe_seen(&ring->ring, event);
    return true;
}

/* Once it was raised by what was itself an eventfd's doing, the kernel (6.18) raises it for no other
 * such event: it is given anew. */
int plait__os_uring_fd(struct plait__uring *ring)
{
    uint64_t count;
    int rc;

    if (ring->news < 0) {
        rc = ring->news = plait__os_eventfd();
        if (rc < 0)
            return rc;
    } else if (ring->is_told && read(ring->news, &count, sizeof count) < 0) {
        return ring->news;
    }
    if (ring->is_told)
        io_uring_unregister_eventfd(&ring->ring);
    rc = io_uring_register_eventfd(&ring->ring, ring->news);
    ring->is_told = rc == 0;
    return rc < 0 ? rc : ring->news;
}
