/* Two loops with names, at the same time.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static plait_barrier round_is_over; /* else the order would be anybody's guess */

static int music(void *title)
{
    for (int i = 0; i < 2; i++) {
        printf("%s: I was listening to %s\n", plait_task_name(plait_task_current()), (char *)title);
        plait_barrier_wait(&round_is_over, PLAIT_FOREVER);
        plait_barrier_wait(&round_is_over, PLAIT_FOREVER);
    }
    return 0;
}

static int movie(void *title)
{
    for (int i = 0; i < 2; i++) {
        plait_barrier_wait(&round_is_over, PLAIT_FOREVER);
        printf("%s: I was at the movies, %s\n", plait_task_name(plait_task_current()),
               (char *)title);
        plait_barrier_wait(&round_is_over, PLAIT_FOREVER);
    }
    return 0;
}

int main(int argc, char **argv)
{
    plait_task *threads[2];

    plait_init(&argc, &argv);
    plait_barrier_init(&round_is_over, 2);
    if (plait_task_start(&threads[0], PLAIT_THREAD, music, "a song", NULL) < 0 ||
        plait_task_start(&threads[1], PLAIT_THREAD, movie, "a film", NULL) < 0)
        return 1;
    for (int i = 0; i < 2; i++) {
        plait_task_join(threads[i], PLAIT_FOREVER);
        plait_task_destroy(threads[i]);
    }
    puts("all over");
}
