/* Other programs: run and captured, fed by a pipe, and one that takes too long.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <plait.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    static const char *const echo[] = { "echo", "hello", NULL },
                             *const tr[] = { "tr", "a-z", "A-Z", NULL },
                             *const sleep_long[] = { "sleep", "3600", NULL };
    plait_run_result result = { 0 };
    int rc;

    plait_init(&argc, &argv);
    if (plait_run(echo, &(plait_run_opts){ .capture = true }, &result, PLAIT_FOREVER) == 0)
        printf("run: %s", result.out);
    plait_run_result_fini(&result);

    plait_run_opts fed = { .capture = true, .input = "a rope\n", .input_bytes = 7 };
    if (plait_run(tr, &fed, &result, PLAIT_FOREVER) == 0)
        printf("communicate: %s", result.out);
    plait_run_result_fini(&result);

    rc = plait_run(sleep_long, NULL, &result, plait_after_ms(50));
    printf("timeout: %s\n", rc == -ETIMEDOUT ? "it was killed" : "it ended");
    plait_run_result_fini(&result);
}
