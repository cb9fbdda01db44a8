/* plait: another program from its start to its end, with what it says; and 64 MiB through cat.
 * SPDX-License-Identifier: MIT
 */
#include "feed.h"
#include <plait.h>

static int run(void)
{
    const char *argv[] = { "/bin/echo", "hello", NULL };
    plait_run_opts opts = { .capture = true };
    plait_run_result result;
    int rc = plait_run(argv, &opts, &result, PLAIT_FOREVER);

    if (rc == 0 && strcmp(result.out, "hello\n") != 0)
        rc = -EIO;
    plait_run_result_fini(&result);
    return rc;
}

static int cat(void)
{
    const char *argv[] = { "/bin/cat", NULL };
    plait_run_opts opts = { .capture = true, .input = feed_make(), .input_bytes = FEED_BYTES };
    plait_run_result result;
    int rc = plait_run(argv, &opts, &result, PLAIT_FOREVER);

    if (rc == 0)
        rc = feed_check(result.out, result.out_bytes);
    plait_run_result_fini(&result);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "subprocess/run", run },
        { "subprocess/cat-64MiB", cat },
    };

    return plait_init(&argc, &argv) < 0 || feed_make() == NULL ? 1
                                                               : bench_main(argc, argv, cases, 2);
}
