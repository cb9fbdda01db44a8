/* The life of a subprocess, and its end.
 * SPDX-License-Identifier: MIT
 *
 * Whoever looks at a program reaps it, under the lock of its subprocess, which whoever signals it
 * holds too: a pid is never used once it may be somebody else's.
 */
#include "family/self.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/pidfd.h"
#include "os/process.h"
#include "os/thread.h"
#include "subprocess/subprocess.h"
#include "task/ending.h"
#include "task/keeper.h"
#include "task/task.h"
#include "wait/wait.h"
#include "wait/waitable.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    KILL_ROUNDS = 100, /* of a tree: who forks faster than /proc can be read has to be met again */
    PATIENCE_MS =
        5000 /* at exit, for starts under way: one may be ours, if its log callback exits */
};

/* What this process has started. */
static struct {
    struct plait__mutex lock;
    struct plait__list live;
    struct plait__list left; /* let go of while they ran: to be reaped by and by */
    uint32_t n_starting;     /* atomic, a futex word; changes under the lock */
    pid_t ender; /* the thread that ends this process, and may alone start more; 0: none */
    bool is_ready;
} all;

/* ---- the end of a program ---- */

static bool has_ended(const struct plait__program *program)
{
    /* acquire: pairs with the release in take_end, so that who sees the end sees the outcome */
    return __atomic_load_n(&program->has_ended, __ATOMIC_ACQUIRE) != 0;
}

static void take_end(struct plait__program *program, const struct plait__death *death)
{
    program->outcome = (plait_outcome){ .kind = !death->known       ? PLAIT_UNKNOWN
                                                : death->signal > 0 ? PLAIT_SIGNALLED
                                                                    : PLAIT_EXITED,
                                        .code = death->status,
                                        .signal = death->signal,
                                        .core = death->core,
                                        .has_usage = death->has_usage,
                                        .user_ns = death->user_ns,
                                        .system_ns = death->system_ns,
                                        .peak_kib = death->peak_kib };
    __atomic_store_n(&program->has_ended, 1, __ATOMIC_RELEASE);
}

/* Takes its end over if there is one: 0, or -EAGAIN while it runs. pre: the lock. */
static int look_locked(struct plait__program *program)
{
    struct plait__death death;
    int rc;

    if (program->pid == 0 || has_ended(program)) /* the first: its start failed */
        return 0;
    rc = plait__os_pidfd_wait(program->pidfd, &death);
    if (rc == 0 && death.is_untold && plait__ending_may_be_told(&program->told_until_ns))
        rc = -EAGAIN;
    if (rc == 0)
        take_end(program, &death);
    return rc;
}

static int look(plait_subprocess *p, struct plait__program *program)
{
    int rc = 0;

    if (!has_ended(program)) {
        plait__mutex_lock(&p->lock);
        rc = look_locked(program);
        plait__mutex_unlock(&p->lock);
    }
    return rc;
}

/* The first program that runs; NULL: all have ended. */
static struct plait__program *find_running(plait_subprocess *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (look(p, &p->programs[i]) < 0)
            return &p->programs[i];
    return NULL;
}

struct sight {
    plait_subprocess *p;
    struct plait__program *program;
};

static int look_at(void *arg)
{
    const struct sight *sight = arg;

    return look(sight->p, sight->program);
}

static int wait_for(plait_subprocess *p, struct plait__program *program, plait_deadline until)
{
    struct sight sight = { p, program };

    return plait__ending_await(program->pidfd, look_at, &sight, until);
}

static int check(const plait_subprocess *p)
{
    if (p == NULL)
        return -EINVAL;
    return p->owner != plait__self_pid() ? -ECHILD : 0;
}

int plait_subprocess_wait(plait_subprocess *p, plait_deadline until)
{
    struct plait__program *running;
    int rc = check(p);

    while (rc == 0 && (running = find_running(p)) != NULL)
        rc = wait_for(p, running, until);
    return rc;
}

int plait_subprocess_poll(plait_subprocess *p)
{
    int rc = check(p);

    return rc < 0 ? rc : find_running(p) == NULL;
}

int plait_subprocess_outcome(plait_subprocess *p, plait_outcome *ret)
{
    int rc = ret == NULL ? -EINVAL : plait_subprocess_poll(p);

    if (rc <= 0)
        return rc < 0 ? rc : -EAGAIN;
    *ret = p->programs[p->n - 1].outcome;
    return 0;
}

ssize_t plait_subprocess_outcomes(plait_subprocess *p, plait_outcome *ret, size_t n)
{
    int rc = ret == NULL && n > 0 ? -EINVAL : plait_subprocess_poll(p);

    if (rc <= 0)
        return rc < 0 ? rc : -EAGAIN;
    for (size_t i = 0; i < n && i < p->n; i++)
        ret[i] = p->programs[i].outcome;
    return (ssize_t)p->n;
}

/* It is seen to end by its pidfd, but is ready only when it is to be had. */
static int look_on(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    plait_subprocess *p = on->object;
    struct plait__program *running;
    uint64_t which;

    (void)how;
    if (p->owner != plait__self_pid())
        return -ECHILD;
    running = find_running(p);
    if (running == NULL)
        return 1;
    which = (uint64_t)(running - p->programs) + 1;
    if (watch->state != which) /* of a pipeline it was another one that has ended */
        watch->ready_fd = 0;
    watch->state = which;
    watch->soon = watch->ready_fd != 0;
    watch->fd = watch->soon ? -1 : running->pidfd;
    watch->wanted = PLAIT__FD_READ;
    return 0;
}

int plait_subprocess_on_end(plait_waitable *ret, plait_subprocess *p)
{
    static const struct plait__waitable_ops ops = { .look = look_on };
    int rc = ret == NULL ? -EINVAL : check(p);

    if (rc == 0)
        plait__waitable_make(ret, &ops, p, 0);
    return rc;
}

/* ---- signals ---- */

static int signal_program(struct plait__program *program, int number)
{
    int rc = look_locked(program) == 0 ? 0 : plait__os_pidfd_signal(program->pidfd, number);

    return rc == -ESRCH ? 0 : rc;
}

/* All below the program: by parentage while it runs, for then it is the parent of its orphans; by
 * the mark also those that it has left behind. Where they cannot be found the program alone, and why.
 * pre: the lock. */
static int signal_tree(plait_subprocess *p, struct plait__program *program, int number)
{
    bool runs = look_locked(program) < 0, kills = number == SIGKILL;
    struct plait__tree tree = { .root = runs ? program->pid : 0,
                                .env = p->mark_env,
                                .anywhere = true };
    int met = kills || runs ? 1 : 0, rc = 0;

    for (int i = 0; i < KILL_ROUNDS && met != 0; i++) {
        met = kills ? plait__os_tree_kill(&tree) : plait__os_tree_signal(&tree, number);
        met = met > 0 && !kills ? 0 : met;
    }
    if (kills || met < 0) /* it may be somebody else's now, and not be met for that */
        rc = signal_program(program, number);
    return rc < 0 ? rc : met < 0 ? met : 0;
}

int plait__subprocess_signal(plait_subprocess *p, int number)
{
    int rc = 0;

    plait__mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n; i++) {
        int sent = p->tree ? signal_tree(p, &p->programs[i], number)
                           : signal_program(&p->programs[i], number);
        rc = rc < 0 ? rc : sent;
    }
    plait__mutex_unlock(&p->lock);
    return rc;
}

int plait_subprocess_send_signal(plait_subprocess *p, int number)
{
    int rc = number <= 0 || number >= NSIG ? -EINVAL : check(p);

    return rc < 0 ? rc : plait__subprocess_signal(p, number);
}

int plait_subprocess_terminate(plait_subprocess *p)
{
    return plait_subprocess_send_signal(p, SIGTERM);
}

int plait_subprocess_kill(plait_subprocess *p)
{
    return plait_subprocess_send_signal(p, SIGKILL);
}

/* ---- the live ones, and their end with this process ---- */

static void free_handle(plait_subprocess *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->programs[i].pidfd >= 0)
            close(p->programs[i].pidfd);
    for (int i = 0; i < 2; i++) {
        if (p->outs[i] >= 0)
            close(p->outs[i]);
        plait__buf_fini(&p->said[i]);
    }
    if (p->in >= 0)
        close(p->in);
    free(p);
}

/* No other thread starts any from now on: what it started while we end would be nobody's. And what is
 * being started has come to the list. pre: the lock. */
static void close_starts(void)
{
    int64_t until = plait_after_ms(PATIENCE_MS).ns;
    uint32_t n;

    all.ender = plait__os_thread_id();
    /* relaxed: the lock orders it */
    while ((n = __atomic_load_n(&all.n_starting, __ATOMIC_RELAXED)) > 0 &&
           plait__os_now_ns() < until) {
        plait__mutex_unlock(&all.lock);
        plait__os_futex_wait(&all.n_starting, n, until);
        plait__mutex_lock(&all.lock);
    }
}

/* At exit: nobody may be left who could wait for them. */
static void end_all(bool is_last)
{
    plait__mutex_lock(&all.lock);
    if (is_last)
        close_starts();
    list_for_each (node, &all.live) {
        plait_subprocess *p = plait__list_entry(node, plait_subprocess, node);
        if (!p->is_detached && p->owner == plait__self_pid() && find_running(p) != NULL)
            plait__subprocess_signal(p, SIGKILL);
    }
    plait__mutex_unlock(&all.lock);
}

/* A forked child has none of its parent's. */
static void forget_all(void)
{
    all.lock = (struct plait__mutex){ 0 };
    plait__list_init(&all.live);
    plait__list_init(&all.left);
    __atomic_store_n(&all.n_starting, 0, __ATOMIC_RELAXED);
    all.ender = 0;
}

/* What it needs at an end or a fork is there before there is a program. pre: the lock. */
static int get_ready(void)
{
    int rc = plait__task_set_handlers(); /* again: exit may have called those that were set */

    if (all.is_ready || rc < 0)
        return rc;
    rc = plait__os_at_fork_child(forget_all);
    if (rc < 0)
        return rc;
    plait__list_init(&all.live);
    plait__list_init(&all.left);
    plait__tasks_at_end(end_all);
    all.is_ready = true;
    return 0;
}

int plait__subprocess_begin(void)
{
    int rc = -ECANCELED;

    plait__mutex_lock(&all.lock);
    if (all.ender == 0 || all.ender == plait__os_thread_id())
        rc = get_ready();
    if (rc == 0)
        __atomic_fetch_add(&all.n_starting, 1, __ATOMIC_RELAXED);
    plait__mutex_unlock(&all.lock);
    return rc;
}

void plait__subprocess_begun(void)
{
    plait__mutex_lock(&all.lock);
    __atomic_fetch_sub(&all.n_starting, 1, __ATOMIC_RELAXED);
    plait__os_futex_wake(&all.n_starting, 1);
    plait__mutex_unlock(&all.lock);
}

/* Those that an earlier keeper guarded: if the new one dies at once the next start tries again.
 * pre: the lock. */
static void guard_again(uint64_t keeper)
{
    list_for_each (node, &all.live) {
        plait_subprocess *p = plait__list_entry(node, plait_subprocess, node);
        int rc = 0;
        for (size_t i = 0; i < p->n && p->keeper != keeper && !p->is_detached; i++)
            if (look(p, &p->programs[i]) < 0 && rc == 0)
                rc = plait__keeper_guard_tree(p->programs[i].pid, p->programs[i].pidfd, p->mark);
        if (rc == 0)
            p->keeper = keeper;
    }
}

/* pre: the lock. */
static void reap_left(void)
{
    list_for_each_safe(node, &all.left)
    {
        plait_subprocess *p = plait__list_entry(node, plait_subprocess, node);
        if (find_running(p) == NULL) {
            plait__list_remove(&p->node);
            free_handle(p);
        }
    }
}

void plait__subprocess_enlist(plait_subprocess *p)
{
    uint64_t keeper;

    plait__mutex_lock(&all.lock);
    reap_left();
    keeper = plait__keeper_generation();
    plait__list_push_back(&all.live, &p->node);
    if (keeper > 1)
        guard_again(keeper);
    plait__mutex_unlock(&all.lock);
}

/* Nobody waits for it any more; a later start reaps it. */
static void leave(plait_subprocess *p)
{
    plait__mutex_lock(&all.lock);
    plait__list_remove(&p->node);
    plait__list_push_back(&all.left, &p->node);
    plait__mutex_unlock(&all.lock);
}

/* Kills it and waits until the kernel has ended it. False: we may not kill it. */
static bool end(plait_subprocess *p)
{
    struct plait__program *running;

    if (plait__subprocess_signal(p, SIGKILL) == -EPERM)
        return false;
    plait__mask_cancel(); /* also a cancelled task waits for the kernel here */
    while ((running = find_running(p)) != NULL)
        if (wait_for(p, running, PLAIT_FOREVER) < 0) /* no memory to wait with */
            plait_sleep(plait_after_ms(10));
    plait__unmask_cancel();
    return true;
}

void plait_subprocess_destroy(plait_subprocess *p)
{
    if (p == NULL)
        return;
    if (check(p) < 0) {
        free_handle(p);
        return;
    }
    if (find_running(p) != NULL && (p->is_detached || !end(p))) {
        leave(p);
        return;
    }
    /* only now: an exit of another thread finds it as long as it runs */
    plait__mutex_lock(&all.lock);
    plait__list_remove(&p->node);
    plait__mutex_unlock(&all.lock);
    free_handle(p);
}

/* ---- what it is known by ---- */

pid_t plait_subprocess_pid(const plait_subprocess *p)
{
    return p != NULL ? p->programs[p->n - 1].pid : 0;
}

int plait_subprocess_fd(const plait_subprocess *p)
{
    return p != NULL ? p->programs[p->n - 1].pidfd : -EINVAL;
}
