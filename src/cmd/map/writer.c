/* Writing to standard output and standard error without being stuck there.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/writer.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_PIECE = 1024 * 1024
};

void map_writer_init(struct map_writer *writer, int fd)
{
    struct stat status;

    *writer = (struct map_writer){ .fd = fd, .interrupt = -1, .give_up_ns = INT64_MAX };
    writer->is_gone = fd < 0; /* poll would wait for it for ever */
    writer->error = fd < 0 ? -EBADF : 0;
    writer->is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* Waits until a piece can be written. */
static int wait_for_room(const struct map_writer *writer)
{
    for (;;) {
        struct plait__fd fds[2] = {
            { .fd = writer->fd, .wanted = PLAIT__FD_WRITE },
            { .fd = writer->interrupt, .wanted = PLAIT__FD_READ },
        };
        int rc = plait__wait_fds(fds, 2, (plait_deadline){ writer->give_up_ns });
        if (rc == -ETIMEDOUT)
            return -EINTR;
        if (rc < 0 && rc != -EINTR)
            return rc;
        if (rc > 0 && fds[0].ready != 0)
            return 0;
        rc = rc > 0 && fds[1].ready != 0 ? writer->ask(writer->ask_arg) : 0;
        if (rc < 0)
            return rc;
    }
}

int map_writer_write(struct map_writer *writer, const char *bytes, size_t n)
{
    while (n > 0 && !writer->is_gone) {
        /* poll promises room for PIPE_BUF bytes, no more */
        size_t piece = writer->is_file ? FILE_PIECE : PIPE_BUF;
        ssize_t written;
        int rc = writer->is_file ? 0 : wait_for_room(writer);
        if (rc < 0) {
            writer->is_gone = true;
            writer->error = rc;
            break;
        }
        written = write(writer->fd, bytes, n < piece ? n : piece);
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            writer->is_gone = true;
            writer->error = -errno;
        }
        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
        }
    }
    return writer->is_gone ? writer->error : 0;
}
