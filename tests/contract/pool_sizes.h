/* The contract of pools: inputs and results of any size, functions of the plugin interface, and of
 * libraries that were loaded late.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_POOL_SIZES_H
#define PLAIT_TESTS_POOL_SIZES_H

#include "pool_support.h"

#include <dlfcn.h>
#include <plait/plugin.h>

static const size_t sizes[] = { 0,   1,   7,   8,    63,   64,    65,     100,
                                255, 256, 257, 4000, 4096, 65536, 300000, 5000000 };

enum {
    SIZES = sizeof sizes / sizeof *sizes,
    LARGEST = 5000000
};

static unsigned char large[LARGEST], got[LARGEST];

static void fill(void)
{
    for (size_t i = 0; i < LARGEST; i++)
        large[i] = (unsigned char)(i * 2654435761U >> 13);
}

/* ---- sizes that are known ---- */

struct form {
    size_t bytes;
};

static int turn_round(const void *in, void *out, void *ctx)
{
    const unsigned char *from = in;
    unsigned char *to = out;
    struct form form;

    memcpy(&form, ctx, sizeof form);
    for (size_t i = 0; i < form.bytes; i++)
        to[i] = (unsigned char)~from[form.bytes - 1 - i];
    return 0;
}

TEST_LIMIT(inputs_and_results_may_have_any_size, 30)
{
    fill();
    create_with(2);
    for (size_t i = 0; i < SIZES; i++) {
        struct form form = { sizes[i] };
        plait_job job = { .fn = turn_round,
                          .in = sizes[i] > 0 ? large : NULL,
                          .in_bytes = form.bytes,
                          .out_bytes = form.bytes,
                          .ctx = &form,
                          .ctx_bytes = sizeof form };
        memset(got, 0, sizeof got);
        CHECK_INT(plait_pool_apply(pool, &job, got, sizeof got, PLAIT_FOREVER), sizes[i]);
        for (size_t at = 0; at < sizes[i]; at++)
            if (got[at] != (unsigned char)~large[sizes[i] - 1 - at])
                test_fail(__FILE__, __LINE__, "byte %zu of %zu is wrong", at, sizes[i]);
    }
    destroy();
}

TEST_LIMIT(large_inputs_and_results_may_be_under_way_at_once, 30)
{
    enum {
        EACH = 200000,
        JOBS = 40
    };

    plait_future *futures[JOBS];

    fill();
    create_with(3);
    for (size_t i = 0; i < JOBS; i++) {
        struct form form = { EACH };
        futures[i] = submit_job((plait_job){ .fn = turn_round,
                                             .in = large + i,
                                             .in_bytes = EACH,
                                             .out_bytes = EACH,
                                             .ctx = &form,
                                             .ctx_bytes = sizeof form });
    }
    for (size_t i = 0; i < JOBS; i++) {
        const void *bytes = NULL;
        CHECK_INT(plait_future_wait(futures[i], PLAIT_FOREVER), 0);
        CHECK_INT(plait_future_bytes(futures[i], &bytes), EACH);
        for (size_t at = 0; at < EACH; at += 97)
            CHECK_INT(((const unsigned char *)bytes)[at], (unsigned char)~large[i + EACH - 1 - at]);
        plait_future_unref(futures[i]);
    }
    destroy();
}

/* ---- what a job writes, says and shows ---- */

static int write_back(plait_task *task, const void *in, size_t n)
{
    const char *bytes = in;

    for (size_t at = 0, piece = 1; at < n; at += piece, piece = piece * 3 + 1) {
        if (piece > n - at)
            piece = n - at;
        int rc = plait_task_write(task, bytes + at, piece);
        if (rc < 0)
            return rc;
    }
    return 7;
}

TEST_LIMIT(a_job_may_write_a_result_of_any_size, 30)
{
    fill();
    create_with(2);
    for (size_t i = 0; i < SIZES; i++) {
        plait_future *future = submit_job((plait_job){
            .text_fn = write_back, .in = sizes[i] > 0 ? large : NULL, .in_bytes = sizes[i] });
        memset(got, 0, sizeof got);
        CHECK_INT(plait_future_get(future, got, sizeof got, PLAIT_FOREVER), sizes[i]);
        CHECK(memcmp(got, large, sizes[i]) == 0);
        plait_result result = end_of(future);
        CHECK_INT(result.end, PLAIT_JOB_VALUE);
        CHECK_INT(result.code, 7);
    }
    destroy();
}

static int write_then_fail(plait_task *task, const void *in, size_t n)
{
    int rc = plait_task_write(task, in, n);

    return rc < 0 ? rc : plait_task_fail(task, "the reason, in words") == -ECANCELED ? 5 : -1;
}

TEST(a_job_that_says_why_it_failed_is_an_error_whatever_it_returns)
{
    create_with(1);
    plait_future *future =
        submit_job((plait_job){ .text_fn = write_then_fail, .in = "abc", .in_bytes = 3 });
    plait_result result = await_result(future);
    CHECK_INT(result.end, PLAIT_JOB_ERROR);
    CHECK_INT(result.code, 5);
    CHECK_STR(plait_future_message(future), "the reason, in words");
    CHECK_INT(plait_future_get(future, got, sizeof got, PLAIT_FOREVER), PLAIT_ENOVALUE);
    plait_future_unref(future);
    future = submit_square(2);
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_STR(plait_future_message(future), "");
    check_square(future, 2);
    destroy();
}

static int fail_at_length(plait_task *task, const void *in, size_t n)
{
    (void)n;
    return plait_task_fail(task, in);
}

TEST(a_very_long_reason_is_no_trouble)
{
    create_with(1);
    memset(large, 'x', 100000);
    large[100000] = '\0';
    plait_future *future =
        submit_job((plait_job){ .text_fn = fail_at_length, .in = large, .in_bytes = 100001 });
    CHECK_INT(await_result(future).end, PLAIT_JOB_ERROR);
    CHECK(strncmp(plait_future_message(future), "xxxxxxxxxxxxxxxx", 16) == 0);
    plait_future_unref(future);
    destroy();
}

TEST(what_a_job_may_do_is_refused_outside_of_one)
{
    CHECK_INT(plait_task_write(plait_task_current(), "x", 1), -EINVAL);
    CHECK_INT(plait_task_fail(plait_task_current(), "x"), -EINVAL);
    CHECK_INT(plait_task_progress(plait_task_current(), 1, 2), -EINVAL);
    CHECK(!plait_task_cancelled(plait_task_current()));
}

/* ---- a library that is loaded after the pool was made ---- */

static plait_pool_fn *load_library(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);

    if (library == NULL)
        test_fail(__FILE__, __LINE__, "%s", dlerror());
    return (plait_pool_fn *)(uintptr_t)dlsym(library, "pool_late_cube");
}

static void find_library(char path[4096])
{
    const char *build = getenv("PLAIT_BUILD");

    CHECK(build != NULL);
    snprintf(path, 4096, "%s/tests/libpool-late.so", build);
}

static void check_cube(plait_pool_fn *fn)
{
    long n = 9, out = 0;
    plait_job job = { .fn = fn, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof out };

    CHECK(fn != NULL);
    CHECK_INT(plait_pool_apply(pool, &job, &out, sizeof out, PLAIT_FOREVER), sizeof out);
    CHECK_INT(out, 729);
}

TEST(a_function_of_a_library_that_was_loaded_late_is_run)
{
    char path[4096];

    find_library(path);
    create_with(2);
    check_square(submit_square(2), 2); /* its workers are there */
    check_cube(load_library(path));
    destroy();
}

/* The function, of a file that is not there any more. */
static plait_pool_fn *load_and_delete(void)
{
    char path[4096], copy[4200];
    plait_pool_fn *fn;

    find_library(path);
    snprintf(copy, sizeof copy, "%s.%d", path, (int)getpid());
    CHECK_INT(link(path, copy), 0);
    fn = load_library(copy);
    CHECK_INT(unlink(copy), 0);
    return fn;
}

TEST(a_function_of_a_library_whose_file_is_gone_is_run_where_it_is_loaded)
{
    plait_pool_fn *fn = load_and_delete();

    create_with(2);
    check_cube(fn);
    destroy();
}

TEST(a_function_of_a_library_whose_file_is_gone_is_nowhere_else)
{
    create_with(2);
    check_square(submit_square(2), 2);
    plait_pool_fn *fn = load_and_delete();
    if (IS_PROCESS) {
        plait_job job = { .fn = fn };
        plait_result result = end_of(submit_job(job));
        CHECK_INT(result.end, PLAIT_JOB_LOST);
        CHECK_INT(result.cause, PLAIT_CAUSE_FUNCTION);
    } else {
        check_cube(fn);
    }
    destroy();
}

#endif
