/* GIO: GSubprocess, communicate.
 * SPDX-License-Identifier: MIT
 */
#include "feed.h"
#include <errno.h>
#include <gio/gio.h>

static int say(GError *error)
{
    fprintf(stderr, "GSubprocess: %s\n", error->message);
    g_error_free(error);
    return -EIO;
}

static int run_program(const char *const *argv, GSubprocessFlags flags, GBytes *input,
                       GBytes **ret_output)
{
    GError *error = NULL;
    GBytes *errors = NULL;
    GSubprocess *p = g_subprocess_newv(
        argv, flags | G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &error);
    int rc;

    if (p == NULL)
        return say(error);
    if (!g_subprocess_communicate(p, input, NULL, ret_output, &errors, &error))
        rc = say(error);
    else
        rc = g_subprocess_get_successful(p) ? 0 : -EIO;
    g_clear_pointer(&errors, g_bytes_unref);
    g_object_unref(p);
    return rc;
}

static int run(void)
{
    const char *argv[] = { "/bin/echo", "hello", NULL };
    GBytes *output = NULL;
    int rc = run_program(argv, G_SUBPROCESS_FLAGS_STDIN_INHERIT, NULL, &output);

    if (rc == 0 && (g_bytes_get_size(output) != 6 ||
                    memcmp(g_bytes_get_data(output, NULL), "hello\n", 6) != 0))
        rc = -EIO;
    g_clear_pointer(&output, g_bytes_unref);
    return rc;
}

static int cat(void)
{
    const char *argv[] = { "/bin/cat", NULL };
    GBytes *input = g_bytes_new_static(feed_make(), FEED_BYTES), *output = NULL;
    int rc = run_program(argv, G_SUBPROCESS_FLAGS_STDIN_PIPE, input, &output);

    if (rc == 0)
        rc = feed_check(g_bytes_get_data(output, NULL), g_bytes_get_size(output));
    g_clear_pointer(&output, g_bytes_unref);
    g_bytes_unref(input);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "subprocess/run", run },
        { "subprocess/cat-64MiB", cat },
    };

    return feed_make() == NULL ? 1 : bench_main(argc, argv, cases, 2);
}
