/* The contract of named segments: many who open them at once, and some who are killed meanwhile.
 * SPDX-License-Identifier: MIT
 */
#include "strangers.h"

static void open_and_close(const char *name)
{
    CHECK_INT(plait_segment_close(open_segment(name)), 0);
}

enum {
    STRANGERS = 10,
    CHILDREN = 20,
    N_OPENED = 0 /* of the numbers */
};

/* Each of its children makes a family of its own. */
PART(no_stage_open_in_children)
{
    pid_t pids[CHILDREN];

    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct stage *stage_now = stage_of(open_segment(segment_name));
            add_number(stage_now, N_OPENED);
            CHECK_INT(plait_event_wait(&stage_now->event, PLAIT_FOREVER), 0);
            _exit(0);
        }
    }
    for (int i = 0; i < CHILDREN; i++)
        see_end(pids[i]);
}

BOTH_LIMIT(two_hundred_opens_at_once_end_in_one, 120)
{
    pid_t pids[STRANGERS];
    struct stage *stage;

    for (int i = 0; i < STRANGERS; i++)
        pids[i] = start_stranger("no_stage_open_in_children", name);
    stage = stage_of(open_segment(name));
    UNTIL(number(stage, N_OPENED) == STRANGERS * CHILDREN);
    CHECK_INT(plait_event_set(&stage->event), 0);
    for (int i = 0; i < STRANGERS; i++)
        see_end(pids[i]);
}

/* All of them find what a killed process left. Who makes it new, counts: those who have it open at
 * the same time must be in one. */
PART(no_stage_open_and_close)
{
    for (;;) {
        plait_segment *segment = open_segment(segment_name);
        struct stage *stage_now = stage_of(segment);
        CHECK_INT(plait_lock_recover(&stage_now->lock, PLAIT_FOREVER), 0);
        stage_now->sum++;
        CHECK_INT(plait_lock_repaired(&stage_now->lock), 0);
        CHECK_INT(plait_lock_release(&stage_now->lock), 0);
        CHECK_INT(plait_segment_close(segment), 0);
    }
}

BOTH_LIMIT(who_is_killed_while_opening_or_closing_does_no_harm, 60)
{
    unsigned seed = 7;
    pid_t pids[3];

    for (int i = 0; i < 3; i++)
        pids[i] = start_stranger("no_stage_open_and_close", name);
    for (int i = 0; i < 60; i++) {
        usleep(rand_r(&seed) % 30000);
        kill_stranger(pids[i % 3]);
        if (i % 10 == 0)
            open_and_close(name);
        pids[i % 3] = start_stranger("no_stage_open_and_close", name);
    }
    for (int i = 0; i < 3; i++)
        kill_stranger(pids[i]);
    open_and_close(name);
    if (folder[0] != '\0')
        CHECK_INT(count_files(), 0);
}
