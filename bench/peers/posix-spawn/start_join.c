/* posix_spawn of true, waitpid: a program instead of a function.
 * SPDX-License-Identifier: MIT
 */
#include "bench.h"
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static int start_join(void)
{
    char *words[] = { (char[]){ "true" }, NULL };
    int status = 0;
    pid_t pid = -1;
    int rc = posix_spawn(&pid, "/bin/true", NULL, NULL, words, environ);

    if (rc != 0)
        return -rc;
    if (waitpid(pid, &status, 0) != pid)
        return -errno;
    return status;
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = { { "process/start-join", start_join } };

    return bench_main(argc, argv, cases, 1);
}
