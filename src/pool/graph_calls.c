/* The public calls on graphs.
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "base/opts.h"
#include "family/self.h"
#include "pool/graph.h"
#include "sync/debug.h"
#include "wait/wait.h"

#include <plait/error.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

int plait_graph_create_sized(plait_graph **ret, const plait_group_opts *opts, size_t opts_bytes)
{
    plait_graph *graph = ret != NULL ? calloc(1, sizeof *graph) : NULL;
    int rc;

    if (graph == NULL)
        return ret != NULL ? -ENOMEM : -EINVAL;
    rc = plait_group_create_sized(&graph->group, opts, opts_bytes);
    if (rc < 0) {
        free(graph);
        return rc;
    }
    plait__list_init(&graph->all);
    plait__list_init(&graph->ready);
    plait__list_init(&graph->untold);
    plait__list_init(&graph->to_do);
    *ret = graph;
    return 0;
}

static int check(const plait_graph *graph)
{
    return graph != NULL ? plait__group_check(graph->group) : -EINVAL;
}

void plait_graph_destroy(plait_graph *graph)
{
    bool is_ours = check(graph) == 0;

    if (graph == NULL)
        return;
    plait_group_destroy(graph->group);
    plait__graph_free_nodes(graph, is_ours);
    free(graph);
}

/* ---- add ---- */

static int check_node(const plait_graph_node *node)
{
    if (node->key == NULL || node->fn == NULL || (node->needs == NULL && node->n_needs > 0))
        return -EINVAL;
    for (size_t i = 0; i < node->n_needs; i++)
        if (node->needs[i] == NULL)
            return -EINVAL;
    return node->n_needs > SSIZE_MAX / sizeof(struct plait__need) || node->out_bytes > SSIZE_MAX
               ? -ENOMEM
               : 0;
}

/* What a node is given when it is added. */
struct parts {
    struct plait__need *needs;
    const void **row;
    void *value;
};

static void free_parts(struct parts *parts)
{
    free(parts->needs);
    free(parts->row);
    free(parts->value);
}

static int make_parts(struct parts *ret, const plait_graph_node *node)
{
    if (node->n_needs > 0) {
        ret->needs = calloc(node->n_needs, sizeof *ret->needs);
        ret->row = calloc(node->n_needs, sizeof *ret->row);
    }
    if (node->out_bytes > 0)
        ret->value = calloc(1, node->out_bytes);
    if ((node->n_needs == 0 || (ret->needs != NULL && ret->row != NULL)) &&
        (node->out_bytes == 0 || ret->value != NULL))
        return 0;
    free_parts(ret);
    return -ENOMEM;
}

/* With the lock. A name that is there already, and was not added, is taken. */
static int name_new(plait_graph *graph, const char *key, struct plait__node **ret)
{
    struct plait__node *node = plait__graph_name(graph, key);

    if (node == NULL)
        return -ENOMEM;
    *ret = node;
    return node->state == PLAIT__NODE_NAMED ? 0 : -EEXIST;
}

/* With the lock. */
static int add(plait_graph *graph, const plait_graph_node *from, struct parts *parts,
               const void *site)
{
    struct plait__node *node = NULL;
    int rc = name_new(graph, from->key, &node);

    for (size_t i = 0; rc == 0 && i < from->n_needs; i++) {
        struct plait__need *need = &parts->needs[i];
        *need =
            (struct plait__need){ .what = plait__graph_name(graph, from->needs[i]), .who = node };
        plait__list_init(&need->node);
        if (need->what == NULL)
            rc = -ENOMEM;
    }
    if (rc == 0 && plait__graph_is_circle(node, parts->needs, from->n_needs))
        rc = -ELOOP;
    if (rc < 0)
        return rc;
    node->needs = parts->needs;
    node->n_needs = from->n_needs;
    node->row = parts->row;
    node->value = parts->value;
    node->value_bytes = from->out_bytes;
    node->fn = from->fn;
    node->ctx = from->ctx;
    node->site = site;
    plait__graph_enter(graph, node);
    return 0;
}

int plait_graph_add_sized(plait_graph *graph, const plait_graph_node *node, size_t node_bytes)
{
    plait_graph_node ours;
    struct parts parts = { 0 };
    int rc = plait__opts_copy(&ours, sizeof ours, node, node_bytes);

    if (rc == 0)
        rc = check(graph);
    if (rc == 0)
        rc = check_node(&ours);
    if (rc == 0)
        rc = make_parts(&parts, &ours);
    if (rc < 0)
        return rc;
    plait__mutex_lock(&graph->lock);
    rc = add(graph, &ours, &parts, PLAIT__CALLER);
    plait__mutex_unlock(&graph->lock);
    if (rc < 0)
        free_parts(&parts);
    else
        plait__graph_tell(graph);
    return rc;
}

int plait_graph_post(plait_graph *graph, const char *key, const void *value, size_t n)
{
    struct plait__node *node = NULL;
    void *copy = NULL;
    int rc = check(graph);

    if (rc == 0 && (key == NULL || (value == NULL && n > 0)))
        rc = -EINVAL;
    if (rc == 0 && n > 0 && (n > SSIZE_MAX || (copy = malloc(n)) == NULL))
        rc = -ENOMEM;
    if (rc < 0)
        return rc;
    if (n > 0)
        memcpy(copy, value, n);
    plait__mutex_lock(&graph->lock);
    rc = name_new(graph, key, &node);
    if (rc == 0) {
        node->value = copy;
        node->value_bytes = n;
        plait__graph_enter_value(graph, node);
    }
    plait__mutex_unlock(&graph->lock);
    if (rc < 0)
        free(copy);
    else
        plait__graph_tell(graph);
    return rc;
}

/* ---- wait ---- */

/* Calls look(graph, arg) with the lock until it is not -EAGAIN. */
static ssize_t wait_until(plait_graph *graph, ssize_t (*look)(plait_graph *graph, void *arg),
                          void *arg, plait_deadline until)
{
    for (;;) {
        uint32_t seen = __atomic_load_n(&graph->n_changes, __ATOMIC_SEQ_CST);
        ssize_t rc;
        plait__mutex_lock(&graph->lock);
        rc = look(graph, arg);
        plait__mutex_unlock(&graph->lock);
        if (rc != -EAGAIN)
            return rc;
        plait__say_wait(PLAIT__ON_GROUP, &graph->n_changes);
        rc = plait__wait_word(&graph->n_changes, seen, until);
        if (rc < 0)
            return rc;
    }
}

struct wanted {
    const char *key;
    void *buf;
    size_t cap;
};

static ssize_t look_for_value(plait_graph *graph, void *arg)
{
    const struct wanted *wanted = arg;
    const struct plait__node *node = plait__graph_find(graph, wanted->key);

    if (node == NULL || node->state != PLAIT__NODE_ENDED)
        return -EAGAIN;
    if (node->code < 0)
        return PLAIT_ENOVALUE;
    if (node->value_bytes > wanted->cap)
        return -EMSGSIZE;
    if (node->value_bytes > 0)
        memcpy(wanted->buf, node->value, node->value_bytes);
    return (ssize_t)node->value_bytes;
}

ssize_t plait_graph_get(plait_graph *graph, const char *key, void *buf, size_t cap,
                        plait_deadline until)
{
    struct wanted wanted = { key, buf, cap };
    int rc = check(graph);

    if (rc == 0 && (key == NULL || (buf == NULL && cap > 0)))
        rc = -EINVAL;
    return rc < 0 ? rc : wait_until(graph, look_for_value, &wanted, until);
}

/* -EAGAIN: something goes on · -EDEADLK. */
static int look_whether_stuck(const plait_graph *graph)
{
    const struct plait__need *missing = plait__graph_missing(graph);

    if (missing == NULL)
        return -EAGAIN;
    plait__log(PLAIT_LOG_WARNING,
               "graph: \"%s\" needs \"%s\", which nobody has added, and nothing runs",
               missing->who->key, missing->what->key);
    return -EDEADLK;
}

static ssize_t look_whether_over(plait_graph *graph, void *arg)
{
    (void)arg;
    if (graph->n_left > 0)
        return look_whether_stuck(graph);
    return graph->n_failed < INT_MAX ? (ssize_t)graph->n_failed : INT_MAX;
}

static int check_outside(const plait_graph *graph)
{
    int rc = check(graph);

    return rc == 0 && plait__group_has_me(graph->group) ? -EDEADLK : rc;
}

int plait_graph_wait(plait_graph *graph, plait_deadline until)
{
    int rc = check_outside(graph);

    return rc < 0 ? rc : (int)wait_until(graph, look_whether_over, NULL, until);
}

static ssize_t look_for_next(plait_graph *graph, void *arg)
{
    struct plait__list *link = plait__list_pop_front(&graph->untold);

    if (link != NULL)
        *(const char **)arg = plait__list_entry(link, struct plait__node, link)->key;
    else if (graph->n_left > 0)
        return look_whether_stuck(graph);
    return link != NULL;
}

int plait_graph_next(plait_graph *graph, const char **ret, plait_deadline until)
{
    int rc = check_outside(graph);

    if (rc == 0 && ret == NULL)
        rc = -EINVAL;
    return rc < 0 ? rc : (int)wait_until(graph, look_for_next, ret, until);
}

int plait_graph_failure(plait_graph *graph, const char *key, const char **ret)
{
    const struct plait__node *node;
    int rc = check(graph);

    if (rc == 0 && key == NULL)
        rc = -EINVAL;
    if (rc < 0)
        return rc;
    plait__mutex_lock(&graph->lock);
    node = plait__graph_find(graph, key);
    rc = node != NULL && node->state == PLAIT__NODE_ENDED ? node->code : 0;
    if (rc < 0 && ret != NULL)
        *ret = node->origin->key;
    plait__mutex_unlock(&graph->lock);
    return rc;
}
