/* The crews that the keeper keeps.
 * SPDX-License-Identifier: MIT
 *
 * What a crew needs of the keeper's own memory is little: which child is which worker, and two
 * descriptors. Everything else stands in the family heap, where the next keeper finds it.
 */
#include "task/keeper_crews.h"
#include "base/list.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/signal.h"
#include "os/thread.h"
#include "task/crew.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct child {
    pid_t pid;
    unsigned worker;
};

struct plait__crew_hands {
    struct plait__list node;
    struct plait__crew *crew;
    int out, err;
    struct child *children;
    size_t n, cap;
    int64_t look_at_ns;
};

static struct plait__list crews;

static struct plait__list *all_crews(void)
{
    if (crews.next == NULL)
        plait__list_init(&crews);
    return &crews;
}

void plait__crews_set_up(void)
{
    plait__list_init(&crews);
}

void plait__crews_take(const struct keeper_request *request, const int *fds, size_t n_fds)
{
    struct plait__crew_hands *hands = n_fds == 2 ? calloc(1, sizeof *hands) : NULL;

    if (hands == NULL) {
        /* nobody would ever run its jobs: another keeper may do better */
        _exit(1);
    }
    hands->crew = (struct plait__crew *)(uintptr_t)request->id; /* as the owner named it */
    hands->out = fds[0];
    hands->err = fds[1];
    plait__list_push_back(all_crews(), &hands->node);
    hands->crew->ops->take(hands->crew);
    plait__crews_look();
}

/* ---- workers ---- */

static int sort_two(int fds[2])
{
    int first = fds[0];

    if (fds[0] > fds[1]) {
        fds[0] = fds[1];
        fds[1] = first;
    }
    return 2;
}

/* Nothing of the keeper's descriptors stays but the memory of the family. */
static void set_descriptors(const struct plait__crew_hands *hands)
{
    int family = plait__family()->shared.fd, keep[3] = { hands->out, hands->err, family };
    size_t n = 2;

    sort_two(keep);
    if (family >= 0) {
        sort_two(keep + 1);
        sort_two(keep);
        n = 3;
    }
    if (plait__os_close_all_but(keep, n) < 0 || dup2(hands->out, 1) < 0 || dup2(hands->err, 2) < 0)
        _exit(1);
    close(hands->out);
    close(hands->err);
}

static void live(const struct plait__crew_hands *hands, unsigned worker, pid_t keeper)
{
    /* before anything of the crew's is touched: who has no keeper any more has no right to it */
    if (plait__os_die_with_parent(keeper, SIGKILL) < 0)
        _exit(1);
    plait__os_set_process_name("plait-worker");
    plait__os_lead_group(); /* who kills its whole group shall not kill the keeper and the others */
    set_descriptors(hands);
    plait__os_signals_own(plait__signal_bit(SIGINT), 0);
    hands->crew->ops->enter(hands->crew, worker);
    _exit(1);
}

static int make_room(struct plait__crew_hands *hands)
{
    size_t cap = hands->cap * 2 + 8;
    struct child *children;

    if (hands->n < hands->cap)
        return 0;
    children = reallocarray(hands->children, cap, sizeof *children);
    if (children == NULL)
        return -1;
    hands->children = children;
    hands->cap = cap;
    return 0;
}

pid_t plait__crew_fork(struct plait__crew_hands *hands, unsigned worker)
{
    pid_t keeper = getpid(), pid;

    if (make_room(hands) < 0)
        return -1;
    pid = plait__os_fork();
    if (pid == 0)
        live(hands, worker, keeper);
    if (pid > 0)
        hands->children[hands->n++] = (struct child){ .pid = pid, .worker = worker };
    return pid;
}

void plait__crew_kill(struct plait__crew_hands *hands, unsigned worker)
{
    /* a child of ours keeps its pid until we reap it */
    for (size_t i = 0; i < hands->n; i++)
        if (hands->children[i].worker == worker)
            kill(hands->children[i].pid, SIGKILL);
}

bool plait__crews_reap(const struct plait__death *death)
{
    list_for_each (node, all_crews()) {
        struct plait__crew_hands *hands = plait__list_entry(node, struct plait__crew_hands, node);
        for (size_t i = 0; i < hands->n; i++) {
            unsigned worker = hands->children[i].worker;
            if (hands->children[i].pid != death->pid)
                continue;
            hands->children[i] = hands->children[--hands->n];
            hands->crew->ops->died(hands->crew, worker, death);
            hands->look_at_ns = 0;
            return true;
        }
    }
    return false;
}

/* ---- looking ---- */

static void look_at(struct plait__crew_hands *hands)
{
    int64_t next = hands->crew->ops->look(hands->crew, hands);

    if (next != PLAIT__CREW_IS_OVER) {
        hands->look_at_ns = next;
        return;
    }
    plait__list_remove(&hands->node);
    close(hands->out);
    close(hands->err);
    hands->crew->ops->leave(hands->crew);
    free(hands->children);
    free(hands);
}

void plait__crews_look(void)
{
    list_for_each_safe(node, all_crews())
    {
        look_at(plait__list_entry(node, struct plait__crew_hands, node));
    }
}

void plait__crews_fire_timers(void)
{
    int64_t now;

    if (plait__list_is_empty(all_crews()))
        return;
    now = plait__os_now_ns();
    list_for_each_safe(node, all_crews())
    {
        struct plait__crew_hands *hands = plait__list_entry(node, struct plait__crew_hands, node);
        if (hands->look_at_ns <= now)
            look_at(hands);
    }
}

int64_t plait__crews_next_timer(void)
{
    int64_t next = INT64_MAX;

    list_for_each (node, all_crews()) {
        struct plait__crew_hands *hands = plait__list_entry(node, struct plait__crew_hands, node);
        if (hands->look_at_ns < next)
            next = hands->look_at_ns;
    }
    return next;
}
