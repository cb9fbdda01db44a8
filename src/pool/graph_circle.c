/* Would a node need itself?
 * SPDX-License-Identifier: MIT
 *
 * It would if one that it needs, near or far, needs it. The search goes from the node to those that need
 * it and from what it needs to what that needs, an edge here and an edge there in turn: where they meet
 * there is a circle, and where one of them has nowhere to go on there is none. So it takes twice the
 * steps of the shorter one, however large the other one would be, and a graph that is joined from pieces
 * is added in the time of its smaller pieces.
 *
 * Only who waits needs what has not ended, and only waiting nodes and the new one are marked: their
 * links are free for the search.
 */
#include "pool/graph.h"

struct side {
    enum plait__node_mark mark;
    struct plait__list to_do, done;
    struct plait__node *at;       /* whose edges are followed; NULL: of the next one to do */
    struct plait__list *by;       /* up: the next edge */
    const struct plait__need *to; /* down: likewise */
    size_t n;                     /* down: so many from there on */
};

enum step {
    GOES_ON,
    IS_OVER,
    MEETS
};

static struct plait__node *node_of(struct plait__list *link)
{
    return plait__list_entry(link, struct plait__node, link);
}

static enum step visit(struct side *side, struct plait__node *node, bool has_edges)
{
    if (node->mark != side->mark && node->mark != PLAIT__NODE_UNMARKED)
        return MEETS;
    if (has_edges && node->mark == PLAIT__NODE_UNMARKED) {
        node->mark = side->mark;
        plait__list_push_back(&side->to_do, &node->link);
    }
    return GOES_ON;
}

static bool begin_next(struct side *side)
{
    struct plait__list *link = plait__list_pop_front(&side->to_do);

    if (link == NULL)
        return false;
    plait__list_push_back(&side->done, link);
    side->at = node_of(link);
    side->by = side->at->wanted_by.next;
    side->to = side->at->needs;
    side->n = side->at->n_needs;
    return true;
}

static enum step go_up(struct side *side)
{
    struct plait__list *edge;

    if (side->at == NULL && !begin_next(side))
        return IS_OVER;
    edge = side->by;
    if (edge == &side->at->wanted_by) {
        side->at = NULL;
        return GOES_ON;
    }
    side->by = edge->next;
    return visit(side, plait__list_entry(edge, struct plait__need, node)->who, true);
}

static enum step go_down(struct side *side)
{
    if (side->n == 0)
        return begin_next(side) ? GOES_ON : IS_OVER;
    side->n--;
    struct plait__node *what = side->to++->what;
    return visit(side, what, what->state == PLAIT__NODE_WAITS);
}

static void unmark(struct plait__list *nodes)
{
    struct plait__list *link;

    while ((link = plait__list_pop_front(nodes)) != NULL)
        node_of(link)->mark = PLAIT__NODE_UNMARKED;
}

bool plait__graph_is_circle(struct plait__node *node, const struct plait__need *needs, size_t n)
{
    struct side up = { .mark = PLAIT__NODE_NEEDS_IT };
    struct side down = { .mark = PLAIT__NODE_IS_NEEDED, .to = needs, .n = n };
    struct side *const sides[] = { &up, &down };
    enum step last = GOES_ON;

    for (int i = 0; i < 2; i++) {
        plait__list_init(&sides[i]->to_do);
        plait__list_init(&sides[i]->done);
    }
    visit(&up, node, true);
    for (unsigned i = 0; last == GOES_ON; i++)
        last = i % 2 == 0 ? go_up(&up) : go_down(&down);
    /* all that need it are known, but not yet all that it needs: one of the others would need one of these */
    for (size_t i = 0; last == IS_OVER && i < n; i++)
        if (needs[i].what->mark == up.mark)
            last = MEETS;
    for (int i = 0; i < 2; i++) {
        unmark(&sides[i]->to_do);
        unmark(&sides[i]->done);
    }
    return last == MEETS;
}
