/* Graphs: functions that need the values of others, each run when all that it needs are there.
 * SPDX-License-Identifier: MIT
 *
 *     static int link(const void *const *row, void *out, void *ctx)   // row[i]: what needs[i] gave
 *     {
 *         return join_objects(row[0], row[1], out);
 *     }
 *
 *     plait_graph *graph = NULL;
 *     const char *needs[] = {"main.o", "util.o"};
 *     plait_graph_node node = {.key = "program", .fn = link, .needs = needs, .n_needs = 2,
 *                              .out_bytes = sizeof(struct program)};
 *     int rc = plait_graph_create(&graph, NULL);
 *     if (rc == 0)
 *         rc = plait_graph_add(graph, &node);       // before or after those that it needs
 *     ...
 *     rc = plait_graph_wait(graph, PLAIT_FOREVER);  // > 0: so many failed
 *     if (plait_graph_get(graph, "program", &program, sizeof program, PLAIT_NOWAIT) < 0)
 *         explain(plait_graph_failure(graph, "program", &culprit), culprit);
 *     plait_graph_destroy(graph);
 *
 * Each function runs in a coroutine of its own, of a group that the graph has (plait/group.h), which
 * may be bounded; it has no parent, and inherits no task-local variables. A node that fails, by
 * returning something negative, fails all that need it, and what needs those: they are not begun, and
 * have its code. The others go on, unless cancel_on_error.
 *
 * Values may also come from elsewhere, by plait_graph_post. It is eventlet's DAGPool.
 */
#ifndef PLAIT_GRAPH_H
#define PLAIT_GRAPH_H

#include <plait/export.h>
#include <plait/group.h>
#include <plait/map.h>
#include <plait/time.h>

#include <stddef.h>
#include <sys/types.h>

PLAIT_BEGIN

/* A graph; opaque. */
typedef struct plait_graph plait_graph;

/* What plait_graph_add adds. key and fn are needed; zero is the default of the others. */
typedef struct plait_graph_node {
    const char *key;          /* its name in the graph; copied */
    plait_pool_row_fn *fn;    /* 0 or more: its value is in `out`; negative: it has failed */
    void *ctx;                /* handed to fn */
    const char *const *needs; /* the keys of what it needs, in the order of fn's row; copied */
    size_t n_needs;
    size_t out_bytes; /* of its value; 0: it has none, and fn gets NULL */
} plait_graph_node;

/* Make a graph.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_graph_destroy.
 *   opts      options of its group, or NULL: how many may run at once, and whether the first one that
 *             fails ends all others.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  ret is NULL, or as plait_group_create.
 *             -ENOMEM  no memory.
 *             -E2BIG   opts is larger than this library knows and sets what it does not know.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline int plait_graph_create(plait_graph **ret, const plait_group_opts *opts);

/* plait_graph_create with the size of the options in words: what the inline function calls, for
 * bindings. */
PLAIT_API int plait_graph_create_sized(plait_graph **ret, const plait_group_opts *opts,
                                       size_t opts_bytes);

/* Ask all that run to end, wait for them, and free the graph with its values.
 *
 *   graph     the graph; NULL is fine.
 *   Blocks    until none of it runs. Not a cancellation point.
 *   From      any task but its nodes. Nobody may use it afterwards.
 *   Errors    none.
 *   Fork      usable in the child: it frees the child's memory and touches nothing else.
 *   Since     0.1
 */
PLAIT_API void plait_graph_destroy(plait_graph *graph);

/* Add a node, which begins when all that it needs have a value. They may be added later.
 *
 *   graph     the graph.
 *   node      what to add.
 *   Blocks    no; it begins when there is room, and the running task waits.
 *   From      any task of the process that made the graph, its nodes too.
 *   Errors    -EEXIST  there is such a key already.
 *             -ELOOP   it would need itself, by way of what needs it; it was not added.
 *             -EINVAL  graph, node, its key, its fn or one of its needs is NULL.
 *             -ENOMEM  no memory.
 *             -E2BIG   node is larger than this library knows and sets what it does not know.
 *             -ECHILD  the graph was made by another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline int plait_graph_add(plait_graph *graph, const plait_graph_node *node);

/* plait_graph_add with the size of the node in words: what the inline function calls, for bindings.
 */
PLAIT_API int plait_graph_add_sized(plait_graph *graph, const plait_graph_node *node,
                                    size_t node_bytes);

/* Add a key whose value is known.
 *
 *   graph     the graph.
 *   key       the key; copied.
 *   value     its value; copied. May be NULL when n is 0.
 *   n         the size of it.
 *   Blocks    no.
 *   From      any task of the process that made the graph, its nodes too.
 *   Errors    -EEXIST  there is such a key already.
 *             -EINVAL  graph, key or value is NULL.
 *             -ENOMEM  no memory.
 *             -ECHILD  the graph was made by another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_graph_post(plait_graph *graph, const char *key, const void *value, size_t n);

/* Get the value of a key; waits for it, also when nobody has added the key yet. May be called again.
 *
 *   graph     the graph.
 *   key       the key.
 *   buf       gets the value; may be NULL when cap is 0.
 *   cap       room in buf.
 *   until     how long to wait.
 *   Returns   the size of the value.
 *   Blocks    until it has ended or the deadline. A cancellation point.
 *   From      any task of the process that made the graph; a node that gets what needs itself waits
 *             for ever.
 *   Errors    PLAIT_ENOVALUE  it has failed: plait_graph_failure says why.
 *             -EMSGSIZE   the value is larger than cap.
 *             -ETIMEDOUT  it has not ended.
 *             -ECANCELED  the caller was asked to end.
 *             -EINVAL     graph or key is NULL, or buf is.
 *             -ECHILD     the graph was made by another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API ssize_t plait_graph_get(plait_graph *graph, const char *key, void *buf, size_t cap,
                                  plait_deadline until);

/* Wait until all that was added has ended.
 *
 *   graph     the graph. It may be used on.
 *   until     how long to wait.
 *   Returns   how many nodes failed: 0 if none did.
 *   Blocks    until all have ended or the deadline. A cancellation point.
 *   From      any task of the process that made the graph, but none of its nodes.
 *   Errors    -ETIMEDOUT  some have not ended.
 *             -ECANCELED  the caller was asked to end.
 *             -EDEADLK    nothing runs, and what is left needs keys that nobody has added: the log
 *                         names one. It goes on when they are. Or the caller is a node.
 *             -EINVAL     graph is NULL.
 *             -ECHILD     the graph was made by another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_graph_wait(plait_graph *graph, plait_deadline until);

/* The next key that has ended, in a value or not, in the order of their ends; waits for it. Each is
 * told once.
 *
 *   graph     the graph.
 *   ret       gets the key, which lives as long as the graph; untouched else.
 *   until     how long to wait.
 *   Returns   1: there was one; 0: all that was added has ended and been told.
 *   Blocks    until one has ended or the deadline. A cancellation point.
 *   From      any task of the process that made the graph, but none of its nodes.
 *   Errors    -ETIMEDOUT  none has ended that was not told.
 *             -ECANCELED, -EDEADLK, -ECHILD  as plait_graph_wait.
 *             -EINVAL     graph or ret is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_graph_next(plait_graph *graph, const char **ret, plait_deadline until);

/* Why a key has no value.
 *
 *   graph     the graph.
 *   key       the key.
 *   ret       gets the key of the node that failed by itself: this one, or one that it needs. NULL:
 *             nobody asks. Untouched when the key did not fail.
 *   Returns   the code of that node, negative; -ECANCELED if it was not begun, since the graph was
 *             called off, and -ENOMEM if there was no memory for it. 0: the key has a value, has not
 *             ended, or was not added.
 *   Blocks    no.
 *   From      any task of the process that made the graph, its nodes too.
 *   Errors    -EINVAL  graph or key is NULL.
 *             -ECHILD  the graph was made by another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_graph_failure(plait_graph *graph, const char *key, const char **ret);

/* ---- what the inline functions are ---- */

static inline int plait_graph_create(plait_graph **ret, const plait_group_opts *opts)
{
    return plait_graph_create_sized(ret, opts, sizeof *opts);
}

static inline int plait_graph_add(plait_graph *graph, const plait_graph_node *node)
{
    return plait_graph_add_sized(graph, node, sizeof *node);
}

PLAIT_END

#endif
