/* A clock that ticks beside the work, and an alarm that is called off.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

struct clock {
    uint64_t ticks;
    plait_event ticked_enough;
};

static int tick(void *arg, uint64_t ticks)
{
    struct clock *clock = arg;

    clock->ticks += ticks; /* those that came late are counted too */
    return clock->ticks >= 5 ? plait_event_set(&clock->ticked_enough) : 0;
}

static int ring(void *arg, uint64_t ticks)
{
    (void)ticks;
    return puts(arg);
}

int main(int argc, char **argv)
{
    const plait_timer_opts every = { .repeat_ms = 2 }, in_an_hour = { .after_ms = 3600000 };
    plait_task *ticking = NULL, *alarm = NULL;
    struct clock clock = { 0 };
    int rc = plait_init(&argc, &argv);

    if (rc == 0)
        rc = plait_timer_start(&alarm, PLAIT_COROUTINE, ring, "late!", &in_an_hour);
    if (rc == 0)
        rc = plait_timer_start(&ticking, PLAIT_THREAD, tick, &clock, &every);
    if (rc == 0)
        rc = plait_event_wait(&clock.ticked_enough, PLAIT_FOREVER);
    if (rc == 0)
        rc = plait_task_terminate(ticking);
    if (rc == 0)
        rc = plait_task_join(ticking, PLAIT_FOREVER); /* the clock is nobody's but ours now */
    if (rc == 0)
        puts(clock.ticks >= 5 ? "five ticks" : "too few");
    plait_task_destroy(ticking);
    plait_task_destroy(alarm);
    return rc != 0;
}

/* prints:
 * five ticks
 */
