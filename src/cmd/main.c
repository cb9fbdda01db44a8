/* The tool: finds the verb and runs it.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/exit.h"
#include "cmd/help.h"
#include "cmd/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A program that was started with 0, 1 or 2 closed would get its first files there: a log would
 * receive the output of all jobs. /dev/null takes these places, and the wrong way round: who writes
 * to a closed standard output, or reads a closed standard input, has to be told (EBADF), not to be
 * given a hole or an end. */
static int fill_standard_fds(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return -errno;
    return 0;
}

/* `plait` alone: how it is used, on standard error, for nothing was done. */
static int complain(void)
{
    struct cmd_out out = { .width = 80 };

    cmd_help_short(&out, &cmd_page_tool);
    if (out.error == 0)
        fputs(out.buf.data, stderr);
    plait__buf_fini(&out.buf);
    return CMD_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const struct cmd_page *page;
    int exit_code = CMD_EXIT_USAGE;
    int first;

    if (fill_standard_fds() < 0)
        return CMD_EXIT_ERROR;
    if (argc < 2)
        return complain();
    first = cmd_options_parse_plain(&cmd_page_tool, argc - 1, argv + 1, &exit_code);
    if (first < 0)
        return exit_code;
    if (++first == argc)
        return complain();
    page = cmd_page_find(argv[first]);
    if (page == NULL) {
        cmd_page_refuse(&cmd_page_tool, argv[first]);
        return CMD_EXIT_USAGE;
    }
    return page->run(argc - first - 1, argv + first + 1);
}
