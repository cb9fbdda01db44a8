/* Whatever fails is told, whether somebody joins it or not.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <plait.h>
#include <signal.h>
#include <stdio.h>

static void tell(plait_task *task, const plait_outcome *end, void *ctx)
{
    fprintf(ctx, "%s failed: ", plait_task_name(task));
    if (end->kind == PLAIT_SIGNALLED)
        fprintf(ctx, "signal %d\n", end->signal);
    else
        fprintf(ctx, "%s\n", plait_strerror(end->code));
}

static int connect_somewhere(void *arg)
{
    (void)arg;
    return -ECONNREFUSED;
}

static int crash(void *arg)
{
    (void)arg;
    return raise(SIGKILL);
}

static int run(plait_kind kind, plait_task_fn *fn, const char *name)
{
    plait_task *task = NULL;
    plait_task_opts opts = { .name = name };
    int rc = plait_task_start(&task, kind, fn, NULL, &opts);

    if (rc == 0)
        rc = plait_task_join(task, PLAIT_FOREVER); /* says that it has ended, not how */
    plait_task_destroy(task);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = plait_init(&argc, &argv);

    if (rc == 0)
        rc = plait_on_task_failure(tell, stdout);
    if (rc == 0)
        rc = run(PLAIT_PROCESS, crash, "parser");
    if (rc == 0)
        rc = run(PLAIT_COROUTINE, connect_somewhere, "client");
    if (rc == 0)
        rc = run(PLAIT_THREAD, connect_somewhere, "mailer");
    return rc != 0;
}

/* prints:
 * parser failed: signal 9
 * client failed: Connection refused
 * mailer failed: Connection refused
 */
