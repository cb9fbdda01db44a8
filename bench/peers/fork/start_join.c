/* fork, _exit, waitpid: what a C program writes by hand. "small" before the scenario: from a parent without its ballast.
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
    static char scenario[] = "process/start-join";
    static const struct bench_case cases[] = { { scenario, start_join } };

    if (argc == 4 && strcmp(argv[1], "small") == 0)
        return bench_main(3, (char *[]){ argv[0], scenario, argv[3], NULL }, cases, 1);
    return bench_main(argc, argv, cases, 1);
}
