/* What begins nothing when nobody would end it: the C library has no room for an exit handler.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

static int may_register;

int __cxa_atexit(void (*fn)(void *), void *arg, void *object);
extern void *__dso_handle; /* of this program */

static void call(void *arg)
{
    void (*fn)(void) = (void (*)(void))(uintptr_t)arg;

    fn();
}

/* In place of the C library's, for all that is linked into this program. */
int atexit(void (*fn)(void))
{
    return may_register > 0 ? __cxa_atexit(call, (void *)(uintptr_t)fn, &__dso_handle) : -1;
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void try_all(int wanted)
{
    const plait_kind kinds[] = { PLAIT_PROCESS, PLAIT_THREAD, PLAIT_COROUTINE };
    const char *argv[] = { "true", NULL };
    plait_subprocess *p = NULL;

    for (int i = 0; i < 3; i++) {
        plait_task *task = NULL;
        CHECK_INT(plait_task_start(&task, kinds[i], do_nothing, NULL, NULL), wanted);
        if (wanted == 0)
            CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        plait_task_destroy(task);
    }
    CHECK_INT(plait_subprocess_start(&p, argv, NULL), wanted);
    if (wanted == 0)
        CHECK_INT(plait_subprocess_wait(p, PLAIT_FOREVER), 0);
    plait_subprocess_destroy(p);
}

TEST(nothing_is_started_that_no_exit_would_end_but_it_is_when_there_is_room_again)
{
    CHECK_INT(plait_keeper_start(), 0);
    try_all(-ENOMEM);
    CHECK_INT(plait_lazy_pool(PLAIT_COROUTINE, NULL), -ENOMEM);
    may_register = 1;
    try_all(0);
    CHECK_INT(plait_lazy_pool(PLAIT_COROUTINE, NULL), 0);
}
