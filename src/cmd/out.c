/* A text in the making, for standard output.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/out.h"

#include "cmd/exit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void cmd_out(struct cmd_out *out, const char *format, ...)
{
    va_list args;
    int rc;

    if (out->error != 0)
        return;
    va_start(args, format);
    rc = plait__buf_vprintf(&out->buf, format, args);
    va_end(args);
    if (rc < 0)
        out->error = rc;
}

void cmd_out_bytes(struct cmd_out *out, const char *bytes, size_t n)
{
    if (out->error == 0 && n > 0)
        out->error = plait__buf_add(&out->buf, bytes, n);
}

void cmd_out_str(struct cmd_out *out, const char *str)
{
    cmd_out_bytes(out, str, strlen(str));
}

static int write_all(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        bytes += written;
        n -= (size_t)written;
    }
    return 0;
}

int cmd_out_finish(struct cmd_out *out)
{
    int rc = out->error;

    if (rc == 0)
        rc = write_all(out->buf.data, out->buf.len);
    plait__buf_fini(&out->buf);
    if (rc == 0 || rc == -EPIPE)
        return CMD_EXIT_OK;
    if (out->error != 0)
        fprintf(stderr, "plait: %s\n", strerror(-rc));
    else
        fprintf(stderr, "plait: cannot write to standard output: %s\n", strerror(-rc));
    return CMD_EXIT_ERROR;
}
