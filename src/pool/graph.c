/* A graph of nodes that need each other: who can begin, what an end means to others.
 * SPDX-License-Identifier: MIT
 *
 * A node that is ready is begun when the group has a place. The places are all ours: if there is none, a
 * node runs, and its end begins the next one.
 */
#include "pool/graph.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

static struct plait__node *node_of(struct plait__list *link)
{
    return plait__list_entry(link, struct plait__node, link);
}

/* ---- names ---- */

/* The tree knows nodes by their keys' addresses. */
static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct plait__node *of_key(const char *key)
{
    return (struct plait__node *)(void *)((char *)(uintptr_t)key -
                                          offsetof(struct plait__node, key));
}

struct plait__node *plait__graph_find(const plait_graph *graph, const char *key)
{
    void *const *found = tfind(key, &graph->nodes, compare);

    return found != NULL ? of_key(*found) : NULL;
}

struct plait__node *plait__graph_name(plait_graph *graph, const char *key)
{
    struct plait__node *node = plait__graph_find(graph, key);
    size_t key_bytes = strlen(key) + 1;

    if (node != NULL)
        return node;
    node = calloc(1, sizeof *node + key_bytes);
    if (node == NULL)
        return NULL;
    node->graph = graph;
    plait__list_init(&node->link);
    plait__list_init(&node->wanted_by);
    memcpy(node->key, key, key_bytes);
    if (tsearch(node->key, &graph->nodes, compare) == NULL) {
        free(node);
        return NULL;
    }
    plait__list_push_back(&graph->all, &node->all);
    return node;
}

/* ---- ends ---- */

/* It does not wait any more: what it needs and has not ended shall not find it. */
static void leave_needs(struct plait__node *node)
{
    for (size_t i = 0; i < node->n_needs; i++)
        plait__list_remove(&node->needs[i].node);
}

/* It has ended, and with it all that cannot begin any more. */
static void settle(plait_graph *graph, struct plait__node *node, int code)
{
    struct plait__list *to_do = &graph->to_do, *link;

    node->code = code < 0 ? code : 0;
    if (code < 0 && node->origin == NULL)
        node->origin = node;
    plait__list_push_back(to_do, &node->link);
    while ((link = plait__list_pop_front(to_do)) != NULL) {
        struct plait__list *at;
        node = node_of(link);
        node->state = PLAIT__NODE_ENDED;
        plait__list_push_back(&graph->untold, &node->link);
        graph->n_failed += node->code < 0;
        if (node->code < 0 && graph->first_failed == NULL)
            graph->first_failed = node->origin;
        while ((at = plait__list_pop_front(&node->wanted_by)) != NULL) {
            struct plait__node *who = plait__list_entry(at, struct plait__need, node)->who;
            who->n_missing--;
            if (who->state != PLAIT__NODE_WAITS || (node->code == 0 && who->n_missing > 0))
                continue;
            who->state = PLAIT__NODE_READY;
            who->code = node->code;
            who->origin = node->origin;
            graph->n_left -= node->code < 0;
            if (node->code < 0)
                leave_needs(who);
            plait__list_push_back(node->code < 0 ? to_do : &graph->ready, &who->link);
        }
    }
}

static void end_added(plait_graph *graph, struct plait__node *node, int code)
{
    graph->n_left--;
    settle(graph, node, code);
}

static void begin_ready(plait_graph *graph);

static void on_end(struct plait__group_item *item, int code)
{
    struct plait__node *node = (struct plait__node *)item;
    plait_graph *graph = node->graph;

    plait__mutex_lock(&graph->lock);
    graph->n_running--;
    end_added(graph, node, node->has_begun ? node->code : code);
    begin_ready(graph);
    plait__mutex_unlock(&graph->lock);
    plait__graph_tell(graph); /* the group counts us still: the graph is there */
}

static int run(void *arg)
{
    struct plait__node *node = arg;

    node->has_begun = true;
    node->code = node->fn(node->row, node->value, node->ctx);
    return node->code;
}

/* A place was taken. */
static int begin(plait_graph *graph, struct plait__node *node)
{
    int rc;

    for (size_t i = 0; i < node->n_needs; i++)
        node->row[i] = node->needs[i].what->value;
    node->state = PLAIT__NODE_RUNS;
    node->item.on_end = on_end;
    node->item.is_bare = true; /* else each would keep the one before in memory, which began it */
    graph->n_running++;
    rc = plait__group_item_go(&node->item, graph->group, run, node->site);
    node->was_started = rc == 0;
    if (rc < 0)
        graph->n_running--;
    return rc;
}

/* Called off: who is to blame? */
static void give_up(plait_graph *graph, struct plait__node *node)
{
    node->origin = graph->first_failed;
    end_added(graph, node, -ECANCELED);
}

static void begin_ready(plait_graph *graph)
{
    struct plait__list *link;

    while (!plait__list_is_empty(&graph->ready)) {
        int rc = plait__group_enter(graph->group, PLAIT_NOWAIT);
        if (rc < 0 && rc != -EPIPE)
            return;
        link = plait__list_pop_front(&graph->ready);
        if (rc == 0)
            rc = begin(graph, node_of(link));
        if (rc == -EPIPE) {
            give_up(graph, node_of(link));
        } else if (rc < 0 &&
                   graph->n_running > 0) { /* no memory, but somebody will give some back */
            node_of(link)->state = PLAIT__NODE_READY;
            plait__list_push_front(&graph->ready, link);
            return;
        } else if (rc < 0) {
            end_added(graph, node_of(link), rc);
        }
    }
}

/* ---- adding ---- */

void plait__graph_enter(plait_graph *graph, struct plait__node *node)
{
    const struct plait__node *failed = NULL;

    graph->n_left++;
    node->state = PLAIT__NODE_WAITS;
    for (size_t i = 0; i < node->n_needs; i++) {
        struct plait__node *what = node->needs[i].what;
        if (what->state != PLAIT__NODE_ENDED) {
            plait__list_push_back(&what->wanted_by, &node->needs[i].node);
            node->n_missing++;
        } else if (what->code < 0 && failed == NULL) {
            failed = what;
        }
    }
    if (failed != NULL) {
        leave_needs(node);
        node->origin = failed->origin;
        end_added(graph, node, failed->code);
    } else if (node->n_missing == 0) {
        node->state = PLAIT__NODE_READY;
        plait__list_push_back(&graph->ready, &node->link);
    }
    begin_ready(graph);
}

void plait__graph_enter_value(plait_graph *graph, struct plait__node *node)
{
    settle(graph, node, 0);
    begin_ready(graph);
}

static const struct plait__need *missing_of(const struct plait__node *node)
{
    for (size_t i = 0; node->state == PLAIT__NODE_WAITS && i < node->n_needs; i++)
        if (node->needs[i].what->state == PLAIT__NODE_NAMED)
            return &node->needs[i];
    return NULL;
}

/* There are no circles: if nobody runs, somebody waits for what was named only. */
const struct plait__need *plait__graph_missing(const plait_graph *graph)
{
    const struct plait__need *found = NULL;

    if (graph->n_left == 0 || graph->n_running > 0)
        return NULL;
    for (struct plait__list *at = graph->all.next; found == NULL && at != &graph->all;
         at = at->next)
        found = missing_of(plait__list_entry(at, struct plait__node, all));
    return found;
}

static void keep(void *key)
{
    (void)key;
}

void plait__graph_free_nodes(plait_graph *graph, bool is_ours)
{
    struct plait__list *at;

    tdestroy(graph->nodes, keep);
    while ((at = plait__list_pop_front(&graph->all)) != NULL) {
        struct plait__node *node = plait__list_entry(at, struct plait__node, all);
        if (is_ours && node->was_started)
            plait__group_item_wait(&node->item);
        free(node->needs);
        free(node->row);
        free(node->value);
        free(node);
    }
}

void plait__graph_tell(plait_graph *graph)
{
    __atomic_fetch_add(&graph->n_changes, 1, __ATOMIC_SEQ_CST);
    plait__wake_own(&graph->n_changes, UINT_MAX);
}
