/* A map by the coroutines of a group.
 * SPDX-License-Identifier: MIT
 */
#include "pool/group_crew.h"
#include "sync/debug.h"

#include <plait/map.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

struct map {
    struct plait__crew crew;
    plait_items in, out;
    size_t next;             /* the first item that has not begun */
    size_t n_bad;            /* of those that were taken back */
    struct plait__list free; /* to be used again */
};

static void take_back(struct map *map)
{
    struct plait__crew_item *item;

    while ((item = plait__crew_take(&map->crew, false)) != NULL) {
        map->n_bad += item->code < 0;
        plait__list_push_front(&map->free, &item->node);
    }
}

static struct plait__crew_item *get_item(struct map *map)
{
    struct plait__list *node = plait__list_pop_front(&map->free);

    return node != NULL ? plait__list_entry(node, struct plait__crew_item, node)
                        : malloc(sizeof(struct plait__crew_item));
}

/* 0; -ENOMEM: and none runs that could be waited for. */
static int begin_next(struct map *map, plait_deadline until)
{
    uint32_t seen = plait__crew_seen(&map->crew);
    struct plait__crew_item *item;
    int rc = plait__group_enter(map->crew.group, until);

    if (rc < 0)
        return rc;
    take_back(map);
    item = get_item(map);
    if (item == NULL) {
        plait__group_leave(map->crew.group);
        return plait__list_is_empty(&map->crew.running) ? -ENOMEM
                                                        : plait__crew_wait(&map->crew, seen, until);
    }
    item->crew = &map->crew;
    item->in = (const char *)map->in.ptr + map->next * map->in.item_bytes;
    item->out =
        map->out.ptr != NULL ? (char *)map->out.ptr + map->next * map->out.item_bytes : NULL;
    map->next++;
    plait__crew_go(&map->crew, item);
    return 0;
}

static int run_all(struct map *map, plait_deadline until)
{
    int rc = 0;

    while (rc == 0 && map->next < map->in.count)
        rc = begin_next(map, until);
    if (rc == -EPIPE && map->next > 0) { /* it was called off, and what runs was asked to end */
        map->n_bad += map->in.count - map->next;
        rc = 0;
    }
    while (rc == 0) {
        uint32_t seen = plait__crew_seen(&map->crew);
        take_back(map);
        if (plait__list_is_empty(&map->crew.running))
            break;
        rc = plait__crew_wait(&map->crew, seen, until);
    }
    return rc;
}

static bool makes_sense(plait_items in, plait_items out)
{
    bool has_out = out.ptr != NULL || out.item_bytes > 0 || out.count > 0;

    return (in.ptr != NULL || in.item_bytes == 0 || in.count == 0) &&
           (!has_out || (out.count == in.count && (out.ptr != NULL || out.item_bytes == 0)));
}

int plait_group_map(plait_group *group, plait_pool_fn *fn, plait_items in, plait_items out,
                    void *ctx, plait_deadline until)
{
    struct map map = { .in = in, .out = out };
    struct plait__list *node;
    int rc = plait__group_check(group);

    if (rc == 0 && (fn == NULL || !makes_sense(in, out)))
        rc = -EINVAL;
    if (rc < 0)
        return rc;
    map.crew.group = group;
    map.crew.fn = fn;
    map.crew.ctx = ctx;
    map.crew.site = PLAIT__CALLER;
    plait__crew_init(&map.crew);
    plait__list_init(&map.free);
    rc = run_all(&map, until);
    plait__crew_stop(&map.crew);
    take_back(&map);
    while ((node = plait__list_pop_front(&map.free)) != NULL)
        free(plait__list_entry(node, struct plait__crew_item, node));
    if (rc < 0)
        return rc;
    return map.n_bad < INT_MAX ? (int)map.n_bad : INT_MAX;
}
