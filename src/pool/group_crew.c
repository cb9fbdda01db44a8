/* Items of a map that are run by coroutines of a group.
 * SPDX-License-Identifier: MIT
 */
#include "pool/group_crew.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>

void plait__crew_init(struct plait__crew *crew)
{
    plait__list_init(&crew->running);
    plait__list_init(&crew->ended);
}

static int run(void *arg)
{
    struct plait__crew_item *item = arg;
    const struct plait__crew *crew = item->crew;

    item->has_begun = true;
    item->code = crew->fn(item->in, item->out, crew->ctx);
    item->is_cancelled = item->code == -ECANCELED && plait__is_cancelled(plait__sleeper_current());
    return item->code;
}

static void on_end(struct plait__group_item *base, int code)
{
    struct plait__crew_item *item = (struct plait__crew_item *)base;
    struct plait__crew *crew = item->crew;

    if (!item->has_begun)
        item->code = code;
    plait__mutex_lock(&crew->lock);
    plait__list_push_back(&crew->ended, &item->ended);
    item->has_ended = true;
    /* under the lock, for others add too; the partner is plait__crew_wait */
    __atomic_store_n(&crew->n_ended, crew->n_ended + 1, __ATOMIC_SEQ_CST);
    plait__mutex_unlock(&crew->lock);
    plait__wake_own(&crew->n_ended, UINT_MAX); /* the crew stays until the item is waited for */
}

void plait__crew_go(struct plait__crew *crew, struct plait__crew_item *item)
{
    int rc;

    item->item.on_end = on_end;
    item->item.is_bare = false;
    item->has_ended = item->has_begun = item->is_cancelled = false;
    item->code = 0;
    plait__list_push_back(&crew->running, &item->node);
    rc = plait__group_item_go(&item->item, crew->group, run, crew->site);
    if (rc < 0)
        on_end(&item->item, rc);
}

/* With the lock. */
static struct plait__crew_item *find(struct plait__crew *crew, bool in_order)
{
    struct plait__list *list = in_order ? &crew->running : &crew->ended, *node = list->next;
    struct plait__crew_item *item;

    if (node == list)
        return NULL;
    item = in_order ? plait__list_entry(node, struct plait__crew_item, node)
                    : plait__list_entry(node, struct plait__crew_item, ended);
    return item->has_ended ? item : NULL;
}

bool plait__crew_has_ended(struct plait__crew *crew, bool in_order)
{
    bool has;

    plait__mutex_lock(&crew->lock);
    has = find(crew, in_order) != NULL;
    plait__mutex_unlock(&crew->lock);
    return has;
}

struct plait__crew_item *plait__crew_take(struct plait__crew *crew, bool in_order)
{
    struct plait__crew_item *item;

    plait__mutex_lock(&crew->lock);
    item = find(crew, in_order);
    if (item != NULL)
        plait__list_remove(&item->ended);
    plait__mutex_unlock(&crew->lock);
    if (item == NULL)
        return NULL;
    plait__list_remove(&item->node);
    plait__group_item_wait(&item->item); /* for a moment: it has said so with its last steps */
    return item;
}

uint32_t plait__crew_seen(const struct plait__crew *crew)
{
    return __atomic_load_n(&crew->n_ended, __ATOMIC_SEQ_CST);
}

int plait__crew_wait(struct plait__crew *crew, uint32_t seen, plait_deadline until)
{
    plait__say_wait(PLAIT__ON_GROUP, &crew->n_ended);
    return plait__wait_word(&crew->n_ended, seen, until);
}

void plait__crew_stop(struct plait__crew *crew)
{
    list_for_each (node, &crew->running)
        plait__group_cancel(&plait__list_entry(node, struct plait__crew_item, node)->item.own);
    list_for_each (node, &crew->running)
        plait__group_item_wait(&plait__list_entry(node, struct plait__crew_item, node)->item);
}
