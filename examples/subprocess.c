/* Three ways to use other programs: one whose output is wanted, one that is fed and read by a
 * coroutine while others run, and a chain of them; and one that takes too long.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <stdio.h>

static void capture(void)
{
    const char *argv[] = { "sh", "-c", "echo to out; echo to err >&2; exit 3", NULL };
    plait_run_opts opts = { .capture = true };
    plait_run_result result;

    if (plait_run(argv, &opts, &result, PLAIT_FOREVER) == 1)
        printf("status %d, out: %serr: %s", result.outcome.code, result.out, result.err);
    plait_run_result_fini(&result);
}

static int sort_words(void *arg)
{
    const char *argv[] = { "sort", NULL };
    plait_process_opts pipes = { .in = PLAIT_FD_PIPE, .out = PLAIT_FD_PIPE };
    plait_subprocess_opts opts = { .process = &pipes };
    plait_subprocess *sort = NULL;
    int rc = plait_subprocess_start(&sort, argv, &opts);

    (void)arg;
    if (rc == 0)
        rc = plait_subprocess_communicate(sort, "pear\napple\n", 11, PLAIT_FOREVER);
    if (rc == 0)
        printf("%s", plait_subprocess_output(sort, NULL));
    plait_subprocess_destroy(sort);
    return rc;
}

static int say(void *arg)
{
    puts(arg);
    return 0;
}

static int chain(void)
{
    const char *make[] = { "printf", "b\\na\\nb\\n", NULL };
    const char *sort[] = { "sort", NULL }, *count[] = { "uniq", "-c", NULL };
    const char *const *programs[] = { make, sort, count };
    plait_process_opts pipes = { .out = PLAIT_FD_PIPE };
    plait_subprocess_opts opts = { .process = &pipes };
    plait_subprocess *chain = NULL;
    int rc = plait_subprocess_start_pipeline(&chain, programs, 3, &opts);

    if (rc == 0)
        rc = plait_subprocess_communicate(chain, NULL, 0, PLAIT_FOREVER);
    if (rc == 0)
        printf("%s", plait_subprocess_output(chain, NULL));
    plait_subprocess_destroy(chain);
    return rc;
}

int main(int argc, char **argv)
{
    const char *slow[] = { "echo begun; sleep 60 & wait", NULL };
    plait_run_opts opts = { .shell = true, .capture = true };
    plait_run_result result = { 0 };
    plait_task *sorter = NULL;
    int rc = plait_init(&argc, &argv);

    capture();
    if (rc == 0)
        rc = plait_task_start(&sorter, PLAIT_COROUTINE, sort_words, NULL, NULL);
    if (rc == 0)
        rc = plait_go(say, "runs while sort does");
    if (rc == 0)
        rc = plait_task_join(sorter, PLAIT_FOREVER);
    plait_task_destroy(sorter);
    if (rc == 0)
        rc = chain();
    if (rc == 0 && plait_run(slow, &opts, &result, plait_after_ms(200)) == -ETIMEDOUT)
        printf("killed by signal %d, with all below it; it had said: %s", result.outcome.signal,
               result.out);
    plait_run_result_fini(&result);
    return rc != 0;
}

/* prints:
 * status 3, out: to out
 * err: to err
 * runs while sort does
 * apple
 * pear
 *       1 a
 *       2 b
 * killed by signal 9, with all below it; it had said: begun
 */
