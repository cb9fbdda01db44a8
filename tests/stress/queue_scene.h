/* A queue of which a victim may be killed at any instruction, and what the survivors find in it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_QUEUE_SCENE_H
#define PLAIT_TESTS_QUEUE_SCENE_H

#include "family/member.h"

#include "step.h"
#include "third.h"

#include <plait/queue.h>
#include <plait/shared.h>

#include <errno.h>
#include <string.h>

enum {
    ROOM = 8, /* items */
    SMALL = 40,
    LARGE = 3000,
    VICTIMS = 10, /* the victim's items have numbers from here on */
    OURS = 20,
    LONG_MS = 30 * 1000 /* only a guard */
};

struct scene {
    plait_queue *queue;
    size_t bytes;         /* of the items */
    uint32_t n_before;    /* items 1, 2, … that were put before */
    int32_t rc;           /* what the victim's call returned */
    uint32_t is_returned; /* rc is there */
    uint32_t third_got;   /* the number of the item that the third one got; or its error */
    uint32_t is_helped;   /* we have ended the victim's sleep */
    pid_t third;
    char buf[4 * (LARGE + 16)]; /* the victim's */
};

/* ---- items ---- */

static inline void fill(char *item, size_t bytes, int number)
{
    memset(item, number, bytes);
}

/* Its number; -1: it is torn. */
static inline int number_of(const char *item, size_t bytes)
{
    return memcmp(item, item + 1, bytes - 1) == 0 ? item[0] : -1;
}

static inline int put(struct scene *scene, int number, plait_deadline until)
{
    char item[LARGE];

    fill(item, scene->bytes, number);
    return plait_queue_put(scene->queue, item, scene->bytes, until);
}

/* The number of the first item, which is taken; or the error. */
static inline int get(struct scene *scene, plait_deadline until)
{
    char item[LARGE];
    ssize_t n = plait_queue_get(scene->queue, item, sizeof item, until);

    if (n < 0)
        return (int)n;
    CHECK_INT(n, scene->bytes);
    return number_of(item, scene->bytes);
}

static inline struct scene *new_scene(size_t bytes, uint32_t n_before)
{
    struct scene *scene = plait_shared_alloc(sizeof *scene);

    CHECK(scene != NULL);
    CHECK_INT(plait_queue_create(&scene->queue, &(plait_queue_opts){ .max_items = ROOM }), 0);
    scene->bytes = bytes;
    scene->n_before = n_before;
    for (uint32_t i = 1; i <= n_before; i++)
        CHECK_INT(put(scene, (int)i, PLAIT_NOWAIT), 0);
    return scene;
}

static inline void join(void *state)
{
    (void)state;
    CHECK_INT(plait__member_join(), 0);
}

static inline void note(struct scene *scene, ssize_t rc)
{
    scene->rc = (int32_t)rc;
    __atomic_store_n(&scene->is_returned, 1, __ATOMIC_SEQ_CST);
}

/* It is empty: takes as many as it has room for, and gives them back. */
static inline void check_room(struct scene *scene)
{
    CHECK_INT(plait_queue_size(scene->queue), 0);
    CHECK_INT(get(scene, PLAIT_NOWAIT), -ETIMEDOUT);
    for (int i = 0; i < ROOM; i++)
        CHECK_INT(put(scene, OURS + i, PLAIT_NOWAIT), 0);
    CHECK(plait_queue_is_full(scene->queue));
    CHECK_INT(put(scene, OURS, PLAIT_NOWAIT), -ETIMEDOUT);
    for (int i = 0; i < ROOM; i++)
        CHECK_INT(get(scene, PLAIT_NOWAIT), OURS + i);
    CHECK_INT(get(scene, PLAIT_NOWAIT), -ETIMEDOUT);
    plait_queue_destroy(scene->queue);
}

#endif
