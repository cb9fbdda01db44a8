/* The contract of functions that block elsewhere.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "os/sanitize.h"

#include "test.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int gate[2]; /* a pipe: who reads from it blocks as a foreign function does */
static int n_inside;

static void prepare(void)
{
    CHECK_INT(pipe(gate), 0);
}

static int read_gate(const void *in, void *out, void *ctx)
{
    (void)ctx;
    __atomic_fetch_add(&n_inside, 1, __ATOMIC_SEQ_CST);
    if (read(gate[0], out, 1) != 1)
        return -EIO;
    *(char *)out += *(const char *)in;
    return 0;
}

static int count_inside(void)
{
    return __atomic_load_n(&n_inside, __ATOMIC_SEQ_CST);
}

static ssize_t offload(plait_offload_class where, char add, char *out, plait_deadline until)
{
    plait_job job = { .fn = read_gate, .in = &add, .in_bytes = 1, .out_bytes = 1 };

    return plait_offload(where, &job, out, 1, until);
}

static void open_gate(int n)
{
    while (n-- > 0)
        CHECK_INT(write(gate[1], "a", 1), 1);
}

static int call(void *arg)
{
    char out;

    CHECK_INT(offload(PLAIT_OFFLOAD_ANY, (char)(intptr_t)arg, &out, PLAIT_FOREVER), 1);
    return out;
}

TEST(coroutines_go_on_while_one_is_in_a_function_that_blocks)
{
    plait_task *tasks[20];
    plait_outcome end;

    prepare();
    for (intptr_t i = 0; i < 20; i++)
        CHECK_INT(plait_task_start(&tasks[i], PLAIT_COROUTINE, call, (void *)i, NULL), 0);
    while (__atomic_load_n(&n_inside, __ATOMIC_SEQ_CST) <
           20) /* all at once, in threads of theirs */
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    open_gate(20);
    for (int i = 0; i < 20; i++) {
        CHECK_INT(plait_task_join(tasks[i], PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(tasks[i], &end), 0);
        CHECK_INT(end.code, 'a' + i);
        plait_task_destroy(tasks[i]);
    }
}

TEST(a_deadline_and_a_scope_end_the_wait_and_others_have_threads_still)
{
    plait_scope scope;
    char out = 'x';

    prepare();
    do /* it may be over before a thread has begun it */
        CHECK_INT(offload(PLAIT_OFFLOAD_DNS, 0, &out, plait_after_ms(50)), -ETIMEDOUT);
    while (count_inside() < 1);
    do {
        plait_scope_enter(&scope, plait_after_ms(50));
        CHECK_INT(offload(PLAIT_OFFLOAD_DNS, 0, &out, PLAIT_FOREVER), -ETIMEDOUT);
        CHECK(plait_scope_leave(&scope));
    } while (count_inside() < 2);
    do /* the third has a thread, too */
        CHECK_INT(offload(PLAIT_OFFLOAD_DNS, 0, &out, plait_after_ms(50)), -ETIMEDOUT);
    while (count_inside() < 3);
    CHECK_INT(out, 'x');
    open_gate(count_inside());
}

static int fill(void *arg)
{
    char out;

    (void)arg;
    return (int)offload(PLAIT_OFFLOAD_DNS, 0, &out, PLAIT_FOREVER);
}

static int answer(const void *in, void *out, void *ctx)
{
    (void)ctx;
    memcpy(out, in, 3);
    return 0;
}

TEST(classes_are_in_no_way_of_each_other)
{
    plait_group *group = NULL;
    plait_job job = { .fn = answer, .in = "ok", .in_bytes = 3, .out_bytes = 3 };
    char out[3];

    prepare();
    CHECK_INT(plait_group_create(&group, NULL), 0);
    for (int i = 0; i < 70; i++)
        CHECK_INT(plait_group_go(group, fill, NULL, PLAIT_NOWAIT), 0);
    while (__atomic_load_n(&n_inside, __ATOMIC_SEQ_CST) < 64)
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    CHECK_INT(plait_offload(PLAIT_OFFLOAD_DISK, &job, out, 3, PLAIT_FOREVER), 3);
    CHECK_STR(out, "ok");
    CHECK_INT(__atomic_load_n(&n_inside, __ATOMIC_SEQ_CST), 64); /* and there are no more */
    open_gate(70);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    plait_group_destroy(group);
}

static int fail(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return -EIO;
}

TEST(an_error_of_the_function_is_no_error_of_the_call)
{
    plait_result result;
    plait_job job = { .fn = fail, .result = &result }, none = { 0 };

    CHECK_INT(plait_offload(PLAIT_OFFLOAD_ANY, &job, NULL, 0, PLAIT_FOREVER), PLAIT_ENOVALUE);
    CHECK_INT(result.code, -EIO);
    CHECK_INT(plait_offload((plait_offload_class)3, &job, NULL, 0, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_offload(PLAIT_OFFLOAD_ANY, &none, NULL, 0, PLAIT_FOREVER), -EINVAL);
}

TEST(a_forked_child_has_threads_of_its_own)
{
    plait_job job = { .fn = answer, .in = "ok", .in_bytes = 3, .out_bytes = 3 };
    char out[3];
    pid_t pid;
    int status = 0;

    if (PLAIT__SANITIZER_THREADS > 0)
        test_skip("the thread sanitizer ends a child that starts threads");
    CHECK_INT(plait_offload(PLAIT_OFFLOAD_ANY, &job, out, 3, PLAIT_FOREVER), 3);
    pid = fork();
    if (pid == 0) {
        CHECK_INT(plait_offload(PLAIT_OFFLOAD_ANY, &job, out, 3, PLAIT_FOREVER), 3);
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}
