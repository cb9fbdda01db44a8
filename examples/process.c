/* A process that begins with less than its parent has, and ends with all that it starts.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Leaves a daemon behind: out of its session, orphaned, for ever. */
static int misbehave(void *arg)
{
    (void)arg;
    if (fork() == 0) {
        setsid();
        if (fork() == 0)
            for (;;)
                pause();
        _exit(0);
    }
    printf("in %s with %s\n", getcwd((char[100]){ 0 }, 100), getenv("GREETING"));
    return 7;
}

int main(void)
{
    char *const environment[] = { (char[]){ "GREETING=hello" }, NULL };
    plait_limit limits[] = { { .resource = RLIMIT_NOFILE, .soft = 64, .hard = 64 } };
    plait_process_opts process = { .directory = "/",
                                   .environment = environment,
                                   .in = PLAIT_FD_NULL,
                                   .close_fds = true,
                                   .limits = limits,
                                   .n_limits = 1 };
    plait_task_opts opts = { .process = &process, .tree = true };
    plait_task *task = NULL;
    plait_outcome end;
    int rc = plait_task_start(&task, PLAIT_PROCESS, misbehave, NULL, &opts);

    if (rc == 0)
        rc = plait_task_join(task, plait_after_ms(10000)); /* the daemon is gone, too */
    if (rc == 0)
        rc = plait_task_outcome(task, &end);
    if (rc == 0)
        printf("returned %d\n", end.code);
    plait_task_destroy(task);

    process.directory = "/nowhere";
    plait_log_set(NULL, NULL, PLAIT_LOG_OFF);
    printf("%s\n", plait_errname(plait_task_start(&task, PLAIT_PROCESS, misbehave, NULL, &opts)));
    return rc < 0;
}

/* prints:
 * in / with hello
 * returned 7
 * ENOENT
 */
