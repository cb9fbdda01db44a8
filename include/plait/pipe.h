/* Message pipes: two ends, and what is sent at one is received at the other, message by message.
 * SPDX-License-Identifier: MIT
 *
 *     static int child(void *arg)
 *     {
 *         plait_pipe **ends = arg;
 *         plait_pipe_close(ends[0]);                        // a process: not ours, so let it go
 *         return plait_pipe_send(ends[1], "hello", 6, PLAIT_FOREVER);
 *     }
 *
 *     plait_pipe *ends[2];
 *     char text[100];
 *     int rc = plait_pipe_create(&ends[0], &ends[1], NULL);
 *     ...
 *     rc = plait_task_start(&task, PLAIT_PROCESS, child, ends, NULL);
 *     plait_pipe_close(ends[1]);                            // the child's now
 *     ssize_t n = plait_pipe_recv(ends[0], text, sizeof text, plait_after_ms(500)); // 6
 *     n = plait_pipe_recv(ends[0], text, sizeof text, PLAIT_FOREVER); // -EPIPE: the child has ended
 *
 * Python's Pipe, between tasks of any kind. A message arrives whole or not at all, whoever is killed
 * at whatever moment. Several tasks, in several processes, may send to one end and receive from one
 * end at the same time: each message goes to one of them. A receiver that is alone gets the messages
 * of each sender in order.
 *
 * The end of file. When nobody holds the other end any more, what was sent before is still
 * received, and then each receive says -EPIPE. A forked process holds both ends, as its parent does:
 * each must close the one that it does not use, or the end of file never comes. Threads share their
 * handles: there the one task closes what it used when it is done. The death of a process closes
 * what it held.
 *
 * How much waits in a pipe is the kernel's socket buffer: some 200 KiB, a few hundred messages at
 * most; then senders wait. Messages up to 64 KiB go through it; of a larger one the rest goes beside
 * it, in a file in memory. About three large ones fit in before senders wait.
 */
#ifndef PLAIT_PIPE_H
#define PLAIT_PIPE_H

#include <plait/export.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

PLAIT_BEGIN

/* One end of a pipe, in this process; opaque. */
typedef struct plait_pipe plait_pipe;

/* Options of plait_pipe_create and plait_pipe_open; zero is the default of each field. */
typedef struct plait_pipe_opts {
    bool simplex;     /* create: the first end only receives, the second only sends */
    size_t max_bytes; /* the largest message that is sent or received; 0: 1 GiB */
} plait_pipe_opts;

/* Make a pipe.
 *
 *   ret_a     gets one end; untouched on failure. Of a simplex pipe it is the one that receives.
 *   ret_b     gets the other end; untouched on failure. Of a simplex pipe it is the one that sends.
 *             Each is destroyed by plait_pipe_destroy.
 *   opts      options, or NULL.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  ret_a or ret_b is NULL.
 *             -EMFILE  no descriptors left (two are needed).
 *             -ENOMEM  no memory.
 *             -E2BIG   opts is larger than this library knows and sets what it does not know.
 *   Fork      the child has both ends too, and closes what it does not use.
 *   Since     0.1
 */
static inline int plait_pipe_create(plait_pipe **ret_a, plait_pipe **ret_b,
                                    const plait_pipe_opts *opts);

/* plait_pipe_create with the size of the options in words: what the inline function calls, for
 * bindings.
 *
 *   ret_a      as there.
 *   ret_b      as there.
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   Blocks     as plait_pipe_create.
 *   From       as plait_pipe_create.
 *   Errors     as plait_pipe_create.
 *   Fork       as plait_pipe_create.
 *   Since      0.1
 */
PLAIT_API int plait_pipe_create_sized(plait_pipe **ret_a, plait_pipe **ret_b,
                                      const plait_pipe_opts *opts, size_t opts_bytes);

static inline int plait_pipe_create(plait_pipe **ret_a, plait_pipe **ret_b,
                                    const plait_pipe_opts *opts)
{
    return plait_pipe_create_sized(ret_a, ret_b, opts, sizeof *opts);
}

/* Make an end of a descriptor: of one that plait_pipe_fd gave in another process, and that came
 * here by plait_pipe_recv_fd or through an exec.
 *
 *   ret       gets the end; untouched on failure. An end of a simplex pipe is taken for duplex: what
 *             it cannot do says -EPIPE.
 *   fd        the descriptor; belongs to the end from success on.
 *   opts      options, or NULL; simplex is not looked at.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  ret is NULL, or fd is not an end of a pipe.
 *             -ENOMEM  no memory.
 *             -E2BIG   opts is larger than this library knows and sets what it does not know.
 *   Fork      the child has the end too.
 *   Since     0.1
 */
static inline int plait_pipe_open(plait_pipe **ret, int fd, const plait_pipe_opts *opts);

/* plait_pipe_open with the size of the options in words: what the inline function calls, for
 * bindings.
 *
 *   ret        as there.
 *   fd         as there.
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   Blocks     as plait_pipe_open.
 *   From       as plait_pipe_open.
 *   Errors     as plait_pipe_open.
 *   Fork       as plait_pipe_open.
 *   Since      0.1
 */
PLAIT_API int plait_pipe_open_sized(plait_pipe **ret, int fd, const plait_pipe_opts *opts,
                                    size_t opts_bytes);

static inline int plait_pipe_open(plait_pipe **ret, int fd, const plait_pipe_opts *opts)
{
    return plait_pipe_open_sized(ret, fd, opts, sizeof *opts);
}

/* Send a message.
 *
 *   end       the end to send from.
 *   bytes     the message, copied; may be NULL when n is 0.
 *   n         its size; 0 is a message too.
 *   until     how long to wait for room.
 *   Blocks    until there is room or the deadline. A cancellation point.
 *   From      any task; several at once.
 *   Errors    -ETIMEDOUT     no room until the deadline; nothing was sent.
 *             -ECANCELED     the caller was asked to end; nothing was sent.
 *             -EPIPE         nobody holds the other end any more. No SIGPIPE.
 *             -EMSGSIZE      larger than max_bytes.
 *             -EBADF         the end is closed, or it is the receiving end of a simplex pipe.
 *             -EINVAL        end is NULL, or bytes is NULL and n is not 0.
 *             -ENOMEM        no memory, also not in the kernel.
 *             -EMFILE        no descriptors left (a message above 64 KiB needs one).
 *             -EFBIG         a message above 64 KiB, and this process may not make files so large.
 *             -ETOOMANYREFS  a message above 64 KiB, and too many descriptors of this user are under
 *                            way.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_pipe_send(plait_pipe *end, const void *bytes, size_t n, plait_deadline until);

/* Receive a message into a buffer.
 *
 *   end       the end to receive from.
 *   buf       gets the message; after an error its contents are undefined. May be NULL when cap is
 *             0.
 *   cap       room in buf. A larger message stays, and plait_pipe_next_size tells its size.
 *   until     how long to wait for a message.
 *   Returns   the size of the message, which may be 0.
 *   Blocks    until there is a message or the deadline. A cancellation point.
 *   From      any task; several at once.
 *   Errors    -EPIPE      the end of file: nobody holds the other end, and all was received.
 *             -ETIMEDOUT  no message until the deadline.
 *             -ECANCELED  the caller was asked to end; no message was taken.
 *             -EMSGSIZE   the message is larger than cap. It stays the next one; when several
 *                         receive from this end at the same time, it may be kept for the next
 *                         receive of this process.
 *             -ENOMSG     the message brings a descriptor: take it by plait_pipe_recv_fd. It stays.
 *             -EBADMSG    what came is not of plait_pipe_send, is larger than max_bytes, or was
 *                         swapped out and cannot be read back; it was dropped.
 *             -EMFILE     no descriptor left to receive a message above 64 KiB. It stays, unless
 *                         several receive from this end at the same time.
 *             -EBADF      the end is closed, or it is the sending end of a simplex pipe.
 *             -EINVAL     end is NULL, or buf is NULL and cap is not 0.
 *             -ENOMEM     no memory; the message stays.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_pipe_recv(plait_pipe *end, void *buf, size_t cap, plait_deadline until);

/* Receive a message into memory of its size.
 *
 *   end       the end to receive from.
 *   ret       gets the message, followed by a zero byte that does not count; untouched on failure.
 *             The caller frees it by free.
 *   until     how long to wait for a message.
 *   Returns   the size of the message, which may be 0.
 *   Blocks    until there is a message or the deadline. A cancellation point.
 *   From      any task; several at once.
 *   Errors    those of plait_pipe_recv but -EMSGSIZE.
 *             -EINVAL  end or ret is NULL.
 *             -ENOMEM  no memory for the message; it stays.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_pipe_recv_alloc(plait_pipe *end, void **ret, plait_deadline until);

/* The size of the next message, which is not taken.
 *
 *   end       the end to receive from.
 *   until     how long to wait for a message.
 *   Returns   the size that plait_pipe_recv or plait_pipe_recv_fd needs. Another receiver of this
 *             end may take the message first.
 *   Blocks    until there is a message or the deadline. A cancellation point.
 *   From      any task; several at once.
 *   Errors    -EPIPE      the end of file.
 *             -ETIMEDOUT  no message until the deadline.
 *             -ECANCELED  the caller was asked to end.
 *             -EBADMSG    the next one will be dropped by plait_pipe_recv, and is not yet.
 *             -EBADF      the end is closed, or it is the sending end of a simplex pipe.
 *             -EINVAL     end is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_pipe_next_size(plait_pipe *end, plait_deadline until);

/* Send a descriptor, with a message.
 *
 *   end       the end to send from.
 *   fd        the descriptor: of a file, a socket, an end of a pipe. The receiver gets a copy; the
 *             caller keeps its own, and may close it as soon as this has returned.
 *   bytes     the message, copied; may be NULL when n is 0.
 *   n         its size; may be 0.
 *   until     how long to wait for room.
 *   Blocks    until there is room or the deadline. A cancellation point.
 *   From      any task; several at once.
 *   Errors    those of plait_pipe_send.
 *             -EBADF         fd is not open; or the end is not, or cannot send.
 *             -ETOOMANYREFS  too many descriptors of this user are under way.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_pipe_send_fd(plait_pipe *end, int fd, const void *bytes, size_t n,
                                 plait_deadline until);

/* Receive a descriptor, with its message.
 *
 *   end       the end to receive from.
 *   ret_fd    gets the descriptor, close-on-exec; untouched on failure. It is the caller's.
 *   buf       gets the message; may be NULL when cap is 0.
 *   cap       room in buf.
 *   until     how long to wait for a message.
 *   Returns   the size of the message, which may be 0.
 *   Blocks    until there is a message or the deadline. A cancellation point.
 *   From      any task; several at once.
 *   Errors    those of plait_pipe_recv.
 *             -ENOMSG  the next message brings no descriptor: take it by plait_pipe_recv. It stays.
 *             -EMFILE  no descriptor left to receive it with. It stays, unless several receive from
 *                      this end at the same time.
 *             -EINVAL  end or ret_fd is NULL, or buf is NULL and cap is not 0.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_pipe_recv_fd(plait_pipe *end, int *ret_fd, void *buf, size_t cap,
                                     plait_deadline until);

/* Wait until there is something to receive: a message or the end of file.
 *
 *   end       the end to receive from.
 *   until     how long to wait.
 *   Returns   0: a receive would not wait, unless another receiver comes first.
 *   Blocks    until there is something or the deadline. A cancellation point.
 *   From      any task; several at once.
 *   Errors    -ETIMEDOUT  nothing until the deadline.
 *             -ECANCELED  the caller was asked to end.
 *             -EBADF      the end is closed, or it is the sending end of a simplex pipe.
 *             -EINVAL     end is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_pipe_poll(plait_pipe *end, plait_deadline until);

/* The descriptor of an end, for a foreign poll or epoll: readable when there is something to
 * receive, writable when there is room.
 *
 *   end       the end.
 *   Returns   the descriptor. It belongs to the end: neither read from it nor write to it, and do
 *             not close it.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EBADF   the end is closed.
 *             -EINVAL  end is NULL.
 *   Fork      the same number in the child.
 *   Since     0.1
 */
PLAIT_API int plait_pipe_fd(const plait_pipe *end);

/* Close an end in this process. What was sent from it is still received at the other.
 *
 *   end       the end. Every later call on it but plait_pipe_destroy says -EBADF.
 *   Blocks    no.
 *   From      any task, with no other call on this end under way in this process: who sleeps in one
 *             is woken by closing the other end, or by plait_task_terminate.
 *   Errors    -EBADF   it is closed already.
 *             -EINVAL  end is NULL.
 *   Fork      closes it in the calling process only.
 *   Since     0.1
 */
PLAIT_API int plait_pipe_close(plait_pipe *end);

/* Close an end, if it is not closed yet, and free it.
 *
 *   end       the end; NULL is fine.
 *   Blocks    no.
 *   From      any task, with no other call on this end under way in this process.
 *   Errors    none.
 *   Fork      in the calling process only.
 *   Since     0.1
 */
PLAIT_API void plait_pipe_destroy(plait_pipe *end);

PLAIT_END

#endif
