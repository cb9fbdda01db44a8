/* fork, _exit, waitpid: what a C program writes by hand.
 * SPDX-License-Identifier: MIT
 */
#include "bench.h"
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static int start_join(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -errno;
    return status;
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = { { "process/start-join", start_join } };

    return bench_main(argc, argv, cases, 1);
}
