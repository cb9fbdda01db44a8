/* GLib: g_spawn_sync of true, and GThread.
 * SPDX-License-Identifier: MIT
 *
 * LEAVE_DESCRIPTORS_OPEN is what lets GLib take its posix_spawn path: its fastest form is what we compare with.
 */
#include "bench.h"
#include <errno.h>
#include <glib.h>

static int start_join_process(void)
{
    char *words[] = { (char[]){ "/bin/true" }, NULL };
    int status = 0;
    GError *error = NULL;

    if (!g_spawn_sync(NULL, words, NULL, G_SPAWN_LEAVE_DESCRIPTORS_OPEN, NULL, NULL, NULL, NULL,
                      &status, &error)) {
        fprintf(stderr, "g_spawn_sync: %s\n", error->message);
        g_error_free(error);
        return -EIO;
    }
    return status;
}

static gpointer work(gpointer arg)
{
    return arg;
}

static int start_join_thread(void)
{
    GThread *thread = g_thread_try_new("bench", work, NULL, NULL);

    if (thread == NULL)
        return -EAGAIN;
    g_thread_join(thread);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "process/start-join", start_join_process },
        { "thread/start-join", start_join_thread },
    };

    return bench_main(argc, argv, cases, 2);
}
