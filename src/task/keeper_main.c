/* The keeper: a small process that starts commands, waits for them and ends them.
 * SPDX-License-Identifier: MIT
 *
 * One loop over three descriptors: requests from the owner, SIGCHLD, and the owner's pidfd. It is
 * the subreaper of all that runs below it, so an orphan arrives here and is reaped. It never waits
 * for its owner: an event that the channel cannot take stays with its command until it can. When
 * the owner dies, or lets go of the channel without a word, it kills everything below it and the
 * guarded processes, and ends.
 *
 * A command's life:
 *
 *     RUNNING --main process ends--> told, forgotten (what it left in the background lives on)
 *     RUNNING --time-out or KEEPER_STOP: SIGTERM to its tree--> STOPPING
 *     STOPPING --tree empty, or after kill_after SIGKILL to its tree--> told, forgotten
 */
#include "base/heap.h"
#include "base/list.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/process.h"
#include "os/signal.h"
#include "task/keeper_guards.h"
#include "task/keeper_wire.h"
#include "task/keeper_words.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* How often a stopping tree is looked at. */
enum {
    LOOK_FIRST_NS = 5 * 1000 * 1000,
    LOOK_LAST_NS = 100 * 1000 * 1000,
    LOOK_AGAIN_NS = 10 * 1000 * 1000, /* everything is being ended */
    KILLS_IN_VAIN = 100,              /* rounds without anything left that we may kill: give up */
};

struct kept {
    struct plait__list node;       /* in running or unsent */
    struct plait__heap_node timer; /* its time-out while RUNNING, the next look while STOPPING */
    struct keeper_event event;     /* filled bit by bit; sent at the end */
    int64_t started_ns;
    int64_t kill_after_ns;
    int64_t look_ns;    /* STOPPING: from the last look to the next */
    int64_t kill_at_ns; /* STOPPING: SIGKILL from then on */
    pid_t pid;
    bool stopping;
    bool main_ended;
};

static struct {
    int channel;
    int owner;
    int signals;
    uint64_t id;
    struct plait__list running;
    size_t n_running;
    struct plait__list unsent; /* ended; the channel was full */
    struct plait__heap timers;
    struct plait__heap_node stop_all_timer;
    bool stopping_all;
    int kills_in_vain;  /* rounds of SIGKILL in a row that met nobody */
    bool must_tell_all; /* KEEPER_ALL_ENDED is due */
    int64_t paused_ns;  /* since when; 0: not paused */
    struct keeper_guards guards;
    void *stack;
    uint64_t ours_ignored; /* what the keeper ignores */
    char message[KEEPER_MESSAGE_BYTES];
} keeper;

/* ---- telling the owner ---- */

static int send_event(const struct keeper_event *event)
{
    return plait__os_channel_send(keeper.channel, event, sizeof *event, NULL, 0);
}

static void send_unsent(void)
{
    while (!plait__list_is_empty(&keeper.unsent)) {
        struct kept *kept = plait__list_entry(keeper.unsent.next, struct kept, node);
        int rc = send_event(&kept->event);
        if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET)
            return; /* the channel is full, or the kernel out of memory: again when there is room */
        plait__list_remove(&kept->node); /* sent; or the owner is gone, which its pidfd says too */
        free(kept);
    }
    if (keeper.must_tell_all &&
        send_event(&(struct keeper_event){ .word = KEEPER_ALL_ENDED }) != -EAGAIN)
        keeper.must_tell_all = false;
}

/* The command is over: out of the running ones, word to the owner. */
static void tell_end(struct kept *kept)
{
    plait__heap_remove(&keeper.timers, &kept->timer);
    plait__list_remove(&kept->node);
    keeper.n_running--;
    plait__list_push_back(&keeper.unsent, &kept->node);
    send_unsent();
}

/* What has no place among the unsent. */
static void send_now(const struct keeper_event *event)
{
    struct plait__fd room = { .fd = keeper.channel, .wanted = PLAIT__FD_WRITE };

    while (send_event(event) == -EAGAIN)
        if (plait__os_poll(&room, 1, plait__os_now_ns() + 1000000000) == 0)
            _exit(1); /* the owner sees its keeper die, and kills what is left */
}

/* A request for which there is not even memory to remember it. */
static void tell_refusal(uint64_t id, int error)
{
    send_now(&(struct keeper_event){
        .word = KEEPER_ENDED, .id = id, .start_error = error, .step = "keeper" });
}

/* ---- ending commands ---- */

static struct plait__tree tree_of(const struct kept *kept, char env[KEEPER_ENV_BYTES])
{
    snprintf(env, KEEPER_ENV_BYTES, KEEPER_ENV "%" PRIx64 ".%" PRIu64, keeper.id, kept->event.id);
    return (struct plait__tree){ .root = kept->main_ended ? 0 : kept->pid,
                                 .group = kept->pid,
                                 .adopter = getpid(),
                                 .env = env };
}

static void set_timer(struct plait__heap_node *timer, int64_t at_ns)
{
    plait__heap_remove(&keeper.timers, timer);
    timer->key = at_ns;
    /* cannot fail: room was made before the command was started */
    plait__heap_push(&keeper.timers, timer);
}

/* Look at a stopping command: is its tree empty, is it time to kill? Each look takes twice as long
 * to come as the one before, up to LOOK_LAST_NS: a look is a walk through /proc, and there may be
 * many trees. */
static void look_at_stopping(struct kept *kept)
{
    char env[KEEPER_ENV_BYTES];
    struct plait__tree tree = tree_of(kept, env);

    if (plait__os_now_ns() >= kept->kill_at_ns)
        plait__os_tree_kill(&tree);
    if (kept->main_ended && (plait__os_tree_signal(&tree, 0) == 0)) {
        tell_end(kept);
        return;
    }
    kept->look_ns = kept->look_ns == 0 ? LOOK_FIRST_NS : kept->look_ns * 2;
    kept->look_ns = kept->look_ns < LOOK_LAST_NS ? kept->look_ns : LOOK_LAST_NS;
    set_timer(&kept->timer, plait__os_now_ns() + kept->look_ns);
}

static void begin_stop(struct kept *kept, int64_t kill_after_ns)
{
    char env[KEEPER_ENV_BYTES];
    struct plait__tree tree = tree_of(kept, env);
    int64_t now = plait__os_now_ns();

    kept->kill_at_ns = kill_after_ns > INT64_MAX - now ? INT64_MAX : now + kill_after_ns;
    if (!kept->stopping && kill_after_ns > 0) {
        plait__os_tree_signal(&tree, SIGTERM);
        plait__os_tree_signal(&tree, SIGCONT); /* a stopped process does not see SIGTERM */
    }
    kept->stopping = true;
    kept->look_ns = 0;
    look_at_stopping(kept);
    if (kill_after_ns > 0 && kept->timer.index != 0 && kept->timer.key > kept->kill_at_ns)
        set_timer(&kept->timer, kept->kill_at_ns);
}

/* Signals everything below the keeper; where /proc cannot be read, the commands' groups. How many
 * it met. */
static int signal_all(int signal)
{
    struct plait__tree all = { .adopter = getpid() };
    int rc = signal == SIGKILL ? plait__os_tree_kill(&all) : plait__os_tree_signal(&all, signal);

    if (rc >= 0)
        return rc;
    rc = 0;
    list_for_each (node, &keeper.running) {
        struct plait__tree group = { .group = plait__list_entry(node, struct kept, node)->pid };
        rc += plait__os_tree_signal(&group, signal);
    }
    return rc;
}

/* Everything has ended, or only what we may not kill is left (a process of another user's). */
static void finish_stop_all(void)
{
    struct kept *kept;

    list_for_each_safe(node, &keeper.running)
    {
        kept = plait__list_entry(node, struct kept, node);
        if (kept->main_ended)
            tell_end(kept);
    }
    keeper.stopping_all = false;
    keeper.must_tell_all = true;
    plait__heap_remove(&keeper.timers, &keeper.stop_all_timer);
    send_unsent();
}

static void kill_all_again(void)
{
    keeper.kills_in_vain = signal_all(SIGKILL) > 0 ? 0 : keeper.kills_in_vain + 1;
    if (keeper.kills_in_vain > KILLS_IN_VAIN)
        finish_stop_all();
    else
        set_timer(&keeper.stop_all_timer, plait__os_now_ns() + LOOK_AGAIN_NS);
}

static void begin_stop_all(int64_t kill_after_ns)
{
    keeper.stopping_all = true;
    keeper.kills_in_vain = 0;
    if (kill_after_ns > 0) {
        signal_all(SIGTERM);
        signal_all(SIGCONT);
        set_timer(&keeper.stop_all_timer, plait__os_now_ns() + kill_after_ns);
    } else {
        kill_all_again();
    }
}

/* Those that are due now, and no others: a look takes time, and requests and ends must be heard in
 * between. */
static void fire_timers(void)
{
    int64_t now = plait__os_now_ns();

    while (keeper.paused_ns == 0) {
        struct plait__heap_node *first = plait__heap_first(&keeper.timers);
        if (first == NULL || first->key > now)
            return;
        plait__heap_remove(&keeper.timers, first);
        if (first == &keeper.stop_all_timer) {
            kill_all_again();
            continue;
        }
        struct kept *kept = plait__list_entry(first, struct kept, timer);
        if (kept->stopping) {
            look_at_stopping(kept);
        } else {
            kept->event.timed_out = true;
            begin_stop(kept, kept->kill_after_ns);
        }
    }
}

/* ---- children ---- */

static struct kept *find_running(pid_t pid, uint64_t id)
{
    list_for_each (node, &keeper.running) {
        struct kept *kept = plait__list_entry(node, struct kept, node);
        if (pid != 0 ? kept->pid == pid && !kept->main_ended : kept->event.id == id)
            return kept;
    }
    return NULL;
}

static void end_main(struct kept *kept, const struct plait__death *death)
{
    kept->main_ended = true;
    kept->event.death = *death;
    kept->event.run_ns = plait__os_now_ns() - kept->started_ns;
    kept->look_ns = 0;
    if (kept->stopping)
        look_at_stopping(kept);
    else
        tell_end(kept);
}

/* Reaps all that have ended. An unknown one is an orphan that was adopted. */
static void reap(void)
{
    struct plait__death death;
    pid_t pid;

    while ((pid = plait__os_wait_any(&death)) > 0) {
        struct kept *kept = find_running(pid, 0);
        if (kept != NULL)
            end_main(kept, &death);
    }
    if (pid == -ECHILD && keeper.stopping_all)
        finish_stop_all();
}

/* ---- starting commands ---- */

static int start(struct kept *kept, const struct keeper_request *request, char *bytes,
                 const int *fds)
{
    char id_string[KEEPER_ENV_BYTES];
    struct plait__spawn spawn = { .fds = { fds[0], fds[1], fds[2] },
                                  .nice = request->nice,
                                  .has_nice = request->has_nice,
                                  .new_group = true,
                                  .dies_with_parent = true,
                                  .ignored = request->ignored,
                                  .defaulted = keeper.ours_ignored & ~request->ignored,
                                  .stack = keeper.stack };
    const char *step = "keeper";
    char **strings = plait__keeper_cut_words(bytes, request, &spawn.file, &spawn.cwd);
    char **environment = NULL;
    pid_t pid = -ENOMEM;

    snprintf(id_string, sizeof id_string, KEEPER_ENV "%" PRIx64 ".%" PRIu64, keeper.id,
             request->id);
    if (strings != NULL)
        environment = plait__keeper_make_environment(strings + request->n_argv + 1, request->n_env,
                                                     id_string);
    if (environment != NULL) {
        spawn.argv = strings;
        spawn.envp = environment;
        kept->event.start_real_ns = plait__os_real_ns();
        kept->started_ns = plait__os_now_ns();
        pid = plait__os_spawn(&spawn, &step);
    }
    if (pid < 0) {
        kept->event.start_error = -pid;
        snprintf(kept->event.step, sizeof kept->event.step, "%s", step);
    }
    free(strings);
    free(environment);
    kept->pid = pid;
    return pid < 0 ? pid : 0;
}

/* Starts the command or tells why not. `bytes` are its strings. */
static void run(const struct keeper_request *request, char *bytes, const int *fds)
{
    struct kept *kept = calloc(1, sizeof *kept);

    if (kept == NULL || plait__heap_reserve(&keeper.timers, keeper.n_running + 2) < 0) {
        free(kept);
        tell_refusal(request->id, ENOMEM);
        return;
    }
    keeper.n_running++;
    kept->event.word = KEEPER_ENDED;
    kept->event.id = request->id;
    kept->kill_after_ns = request->kill_after_ns;
    plait__list_push_back(&keeper.running, &kept->node);
    if (start(kept, request, bytes, fds) < 0)
        tell_end(kept);
    else if (request->timeout_ns > 0)
        set_timer(&kept->timer, kept->started_ns + request->timeout_ns);
}

static void run_request(const struct keeper_request *request, const int *fds, size_t n_fds)
{
    char *bytes = keeper.message + sizeof *request;

    if (keeper.stopping_all) { /* it was sent before the owner decided to end everything */
        tell_refusal(request->id, ECANCELED);
        return;
    }
    if (n_fds < 3 || (request->in_memfd && n_fds < 4)) { /* no room for the descriptors here */
        tell_refusal(request->id, EMFILE);
        return;
    }
    if (request->in_memfd) {
        bytes = mmap(NULL, request->n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[3], 0);
        if (bytes == MAP_FAILED) {
            tell_refusal(request->id, ENOMEM);
            return;
        }
    }
    run(request, bytes, fds);
    if (request->in_memfd)
        munmap(bytes, request->n_bytes);
}

/* ---- the owner's other requests ---- */

static void set_paused(bool paused)
{
    int64_t now = plait__os_now_ns();

    if (paused == (keeper.paused_ns != 0))
        return;
    if (paused) {
        keeper.paused_ns = now;
        signal_all(SIGSTOP);
        return;
    }
    for (size_t i = 0; i < keeper.timers.len; i++) /* all by the same amount: the order stays */
        keeper.timers.nodes[i]->key += now - keeper.paused_ns;
    list_for_each (node, &keeper.running) { /* the pause is not part of anybody's time */
        struct kept *kept = plait__list_entry(node, struct kept, node);
        kept->started_ns += now - keeper.paused_ns;
        if (kept->kill_at_ns < INT64_MAX)
            kept->kill_at_ns += now - keeper.paused_ns;
    }
    keeper.paused_ns = 0;
    signal_all(SIGCONT);
}

/* A process that cannot be guarded is killed at once: better than one that nobody would end. */
static void guard(const struct keeper_request *request, const int *fds, size_t n_fds)
{
    if (n_fds != 1) { /* no descriptor is left: the ended ones may give some back to the next */
        plait__keeper_guards_forget_ended(&keeper.guards);
        kill((pid_t)request->id,
             SIGKILL); /* it waits before its function: it cannot be another yet */
    } else if (plait__keeper_guards_add(&keeper.guards, fds[0]) < 0) {
        kill((pid_t)request->id, SIGKILL);
    }
}

static void obey(const struct keeper_request *request, int *fds, size_t n_fds)
{
    struct kept *kept;

    switch (request->verb) {
    case KEEPER_RUN:
        run_request(request, fds, n_fds);
        break;
    case KEEPER_STOP:
        kept = find_running(0, request->id);
        if (kept != NULL && !kept->main_ended) {
            kept->event.timed_out = kept->event.timed_out || request->is_timeout;
            begin_stop(kept, request->kill_after_ns);
        }
        break;
    case KEEPER_STOP_ALL:
        set_paused(false);
        begin_stop_all(request->kill_after_ns);
        reap(); /* nothing may be left already */
        break;
    case KEEPER_PAUSE:
        set_paused(true);
        break;
    case KEEPER_RESUME:
        set_paused(false);
        break;
    case KEEPER_GUARD:
        guard(request, fds, n_fds);
        return; /* it has taken the descriptor */
    case KEEPER_BYE:
        _exit(0);
    }
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
}

/* The owner is gone: nothing below may outlive it. */
static void end_everything(void)
{
    struct plait__death death;
    struct plait__fd child = { .fd = keeper.signals, .wanted = PLAIT__FD_READ };

    plait__keeper_guards_kill(&keeper.guards);
    for (int in_vain = 0; in_vain < KILLS_IN_VAIN;) {
        pid_t pid;
        in_vain = signal_all(SIGKILL) > 0 ? 0 : in_vain + 1;
        while ((pid = plait__os_wait_any(&death)) > 0)
            ;
        if (pid == -ECHILD)
            _exit(0);
        while (plait__os_signal_read(keeper.signals) > 0)
            ;
        plait__os_poll(&child, 1, plait__os_now_ns() + LOOK_AGAIN_NS);
    }
    _exit(1); /* only what we may not kill is left */
}

/* All requests that are there. False: the owner let go of the channel. */
static bool read_requests(void)
{
    int fds[PLAIT__CHANNEL_FDS];
    size_t n_fds = 0;

    for (;;) {
        ssize_t n = plait__os_channel_recv(keeper.channel, keeper.message, sizeof keeper.message,
                                           fds, &n_fds);
        if (n == -EAGAIN)
            return true;
        if (n < (ssize_t)sizeof(struct keeper_request))
            return false;
        struct keeper_request request;
        memcpy(&request, keeper.message, sizeof request);
        obey(&request, fds, n_fds);
    }
}

static int set_up(int channel, int owner, uint64_t keeper_id)
{
    /* what is sent to the whole group of the owner is meant for the owner, who then tells us */
    uint64_t ignored =
        plait__signal_bit(SIGTERM) | plait__signal_bit(SIGUSR1) | plait__signal_bit(SIGUSR2) |
        plait__signal_bit(SIGALRM) | plait__signal_bit(SIGINT) | plait__signal_bit(SIGQUIT) |
        plait__signal_bit(SIGHUP) | plait__signal_bit(SIGTSTP) | plait__signal_bit(SIGTTIN) |
        plait__signal_bit(SIGTTOU) | plait__signal_bit(SIGPIPE);
    int keep[2] = { channel < owner ? channel : owner, channel < owner ? owner : channel };
    int rc;

    plait__os_set_process_name("plait-keeper");
    plait__os_lead_group(); /* what is sent to the owner's group, SIGKILL too, must leave somebody to clean up */
    keeper.channel = channel;
    keeper.owner = owner;
    keeper.id = keeper_id;
    keeper.ours_ignored = ignored;
    plait__list_init(&keeper.running);
    plait__list_init(&keeper.unsent);
    plait__os_signals_own(ignored, plait__signal_bit(SIGCHLD));
    rc = plait__os_adopt_orphans();
    if (rc == 0)
        rc = plait__os_close_all_but(keep, 2);
    if (rc < 0)
        return rc;
    keeper.signals = plait__os_signal_fd(plait__signal_bit(SIGCHLD));
    keeper.stack = plait__os_spawn_stack();
    if (keeper.signals < 0)
        return keeper.signals;
    /* room for the timer that ends everything */
    return keeper.stack == NULL ? -ENOMEM : plait__heap_reserve(&keeper.timers, 1);
}

void plait__keeper_main(int channel, int owner, uint64_t keeper_id)
{
    struct keeper_event ready = { .word = KEEPER_READY };

    ready.start_error = -set_up(channel, owner, keeper_id);
    send_now(&ready); /* the owner waits for it */
    if (ready.start_error != 0)
        _exit(1);
    for (;;) {
        struct plait__fd fds[3] = {
            { .fd = keeper.channel, .wanted = PLAIT__FD_READ },
            { .fd = keeper.signals, .wanted = PLAIT__FD_READ },
            { .fd = keeper.owner, .wanted = PLAIT__FD_READ },
        };
        struct plait__heap_node *first = plait__heap_first(&keeper.timers);
        bool is_held;

        if (!plait__list_is_empty(&keeper.unsent) || keeper.must_tell_all)
            fds[0].wanted |= PLAIT__FD_WRITE;
        is_held = first == NULL || keeper.paused_ns != 0;
        plait__os_poll(fds, 3,
                       is_held ? INT64_MAX
                               : first->key); /* an error: as if all were quiet; look again */
        if (fds[1].ready != 0) {
            while (plait__os_signal_read(keeper.signals) > 0)
                ;
            reap();
        }
        if (fds[0].ready & PLAIT__FD_WRITE)
            send_unsent();
        if (fds[0].ready & (PLAIT__FD_READ | PLAIT__FD_HUP) && !read_requests())
            end_everything();
        if (fds[2].ready != 0) {
            read_requests(); /* what it said before it died: a process to guard, perhaps */
            end_everything();
        }
        fire_timers();
    }
}
