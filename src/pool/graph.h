/* A graph of nodes that need each other: what it consists of.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_GRAPH_H
#define PLAIT__POOL_GRAPH_H

#include "task/group_calls.h"
#include <plait/graph.h>

enum plait__node_state {
    PLAIT__NODE_NAMED, /* somebody needs it, nobody has added it */
    PLAIT__NODE_WAITS, /* for what it needs */
    PLAIT__NODE_READY,
    PLAIT__NODE_RUNS,
    PLAIT__NODE_ENDED
};

/* A search's. */
enum plait__node_mark {
    PLAIT__NODE_UNMARKED,
    PLAIT__NODE_NEEDS_IT,
    PLAIT__NODE_IS_NEEDED
};

struct plait__node;

/* Somebody needs something. */
struct plait__need {
    struct plait__node *what; /* const */
    struct plait__node *who;  /* const */
    struct plait__list node;  /* graph's lock: in wanted_by of `what`, while that has not ended */
};

/* Guarded by the graph's lock, but for what is said. */
struct plait__node {
    struct plait__group_item item; /* first */
    plait_graph *graph;            /* const */
    enum plait__node_state state;
    struct plait__list
        link; /* while ready: in `ready`; when it has ended: in `untold`; else a search's */
    struct plait__list all;       /* in the graph's */
    struct plait__list wanted_by; /* struct plait__need */
    struct plait__need *needs;    /* const when added */
    size_t n_needs, n_missing;
    plait_pool_row_fn *fn; /* const when added, with the next three */
    void *ctx;
    const void *site;
    const void **row;
    void *value; /* const when it has ended */
    size_t value_bytes;
    bool was_started;
    bool has_begun;                   /* its coroutine, until it has ended */
    enum plait__node_mark mark;       /* a search's; else none */
    int code;                         /* when it has ended: negative: it has no value */
    const struct plait__node *origin; /* … the node that failed by itself */
    char key[];                       /* const */
};

struct plait_graph {
    plait_group *group; /* const: its own, so that its places are ours */
    struct plait__mutex lock;
    void *nodes;               /* lock: a tree of tsearch, of keys */
    struct plait__list all;    /* lock: nodes */
    struct plait__list ready;  /* lock: to be begun when there is a place */
    struct plait__list untold; /* lock: have ended, and plait_graph_next has not said so */
    struct plait__list to_do;  /* lock: of an end that is told on, empty else */
    size_t n_left;             /* lock: were added, and have not ended */
    size_t n_running;          /* lock */
    size_t n_failed;           /* lock */
    const struct plait__node *first_failed; /* lock */
    uint32_t n_changes;                     /* atomic, a futex word: one has ended, or was added */
};

/* All with the graph's lock but the last two. */

/* The node of that name; NULL: there is none. */
struct plait__node *plait__graph_find(const plait_graph *graph, const char *key);
/* So too, or a new one. NULL: no memory. */
struct plait__node *plait__graph_name(plait_graph *graph, const char *key);
/* Would a node with those needs need itself? */
bool plait__graph_is_circle(struct plait__node *node, const struct plait__need *needs, size_t n);
/* It is added: what it needs, and the rest of it, is set. Begins it if it can. */
void plait__graph_enter(plait_graph *graph, struct plait__node *node);
/* It is added with its value. */
void plait__graph_enter_value(plait_graph *graph, struct plait__node *node);
/* Does all that is left wait for what nobody has added? One of those; else NULL. */
const struct plait__need *plait__graph_missing(const plait_graph *graph);
/* Without the lock: something has changed. */
void plait__graph_tell(plait_graph *graph);
/* Frees the nodes; no lock is needed, as nobody runs. */
void plait__graph_free_nodes(plait_graph *graph, bool is_ours);

#endif
