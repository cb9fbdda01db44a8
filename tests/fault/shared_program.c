/* What the fault injector lets fail under all that tasks share: each thing is made, used here, in a
 * thread and in a forked process, and destroyed.
 * SPDX-License-Identifier: MIT
 *
 *     fault-shared-program PART [NAME]
 *
 * Exit status 0: all went as it should. 1: some calls failed, each said on standard error. abort():
 * a call failed with an error that its header does not name, said that it had worked and had not,
 * or something was left.
 */
#include "shared_support.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(const char *name);
} parts[] = {
    { "heap", run_heap },
    { "sync", run_sync },
    { "queue", run_queue },
    { "values", run_values },
    { "pipe", run_pipe },
    { "select", run_select },
    { "segment", run_segment },
    { "pool", run_pool },
    { "coroutines", run_coroutines },
    { "subprocess", run_subprocess },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i % 251);
    signal(SIGPIPE, SIG_IGN);
    remember_fds();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (argc > 1 && strcmp(argv[1], parts[i].name) == 0) {
            parts[i].run(argc > 2 ? argv[2] : NULL);
            check_fds();
            return n_errors > 0;
        }
    }
    fprintf(stderr, "which part?\n");
    return 2;
}
