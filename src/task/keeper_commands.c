/* The commands that the keeper runs.
 * SPDX-License-Identifier: MIT
 */
#include "task/keeper_commands.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/time.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/process.h"
#include "task/keeper_crews.h"
#include "task/keeper_tasks.h"
#include "task/keeper_words.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
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

/* The longest "PLAIT_SLOT=…". */
enum {
    SLOT_ENV_BYTES = 32
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
    unsigned slot;
    bool stopping;
    bool main_ended;
};

/* A request with all that came with it. */
struct lined_up {
    struct keeper_request request;
    int fds[PLAIT__CHANNEL_FDS];
    size_t n_fds;
    char bytes[]; /* its strings, if they are not in a memfd */
};

static struct {
    int channel;
    uint64_t id;
    struct plait__list running;
    size_t n_running;
    struct lined_up *line;     /* who comes next; NULL: nobody */
    struct plait__list unsent; /* ended; the channel was full */
    struct plait__heap timers;
    struct plait__heap_node stop_all_timer;
    bool stopping_all;
    int kills_in_vain;  /* rounds of SIGKILL in a row that met nobody */
    bool must_tell_all; /* KEEPER_ALL_ENDED is due */
    int64_t paused_ns;  /* since when; 0: not paused */
    void *stack;
    uint64_t ours_ignored; /* what the keeper ignores */
} keeper;

int plait__commands_set_up(int channel, uint64_t keeper_id, uint64_t ignored)
{
    memset(&keeper, 0, sizeof keeper); /* in a worker's own keeper: those of the one above it */
    keeper.channel = channel;
    keeper.id = keeper_id;
    keeper.ours_ignored = ignored;
    plait__list_init(&keeper.running);
    plait__list_init(&keeper.unsent);
    /* room for the timer that ends everything */
    return plait__heap_reserve(&keeper.timers, 1);
}

/* ---- telling the owner ---- */

static int send_event(const struct keeper_event *event)
{
    return plait__os_channel_send(keeper.channel, event, sizeof *event, NULL, 0);
}

void plait__commands_send_unsent(void)
{
    while (!plait__list_is_empty(&keeper.unsent)) {
        struct kept *kept = plait__list_entry(keeper.unsent.next, struct kept, node);
        int rc = send_event(&kept->event);
        if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET) {
            kept->event.next = 0; /* who is in line waits for an end that can be told */
            return;               /* the channel is full, or the kernel out of memory */
        }
        plait__list_remove(&kept->node); /* sent; or the owner is gone, which its pidfd says too */
        free(kept);
    }
    if (keeper.must_tell_all &&
        send_event(&(struct keeper_event){ .word = KEEPER_ALL_ENDED }) != -EAGAIN)
        keeper.must_tell_all = false;
}

bool plait__commands_have_unsent(void)
{
    return !plait__list_is_empty(&keeper.unsent) || keeper.must_tell_all;
}

static void start_next(unsigned slot);

/* The command is over: out of the running ones, word to the owner; who is in line takes its slot.
 */
static void tell_end(struct kept *kept)
{
    unsigned slot = kept->slot;
    bool has_next =
        keeper.line != NULL && keeper.paused_ns == 0 && plait__list_is_empty(&keeper.unsent);

    plait__heap_remove(&keeper.timers, &kept->timer);
    plait__list_remove(&kept->node);
    keeper.n_running--;
    kept->event.next = has_next ? keeper.line->request.id : 0;
    plait__list_push_back(&keeper.unsent, &kept->node);
    plait__commands_send_unsent();
    if (has_next && plait__list_is_empty(&keeper.unsent))
        start_next(slot);
}

/* What has no place among the unsent. */
void plait__commands_send_now(const struct keeper_event *event)
{
    struct plait__fd room = { .fd = keeper.channel, .wanted = PLAIT__FD_WRITE };

    while (send_event(event) == -EAGAIN)
        if (plait__os_poll(&room, 1, plait__os_now_ns() + PLAIT__SECOND_NS) == 0)
            _exit(1); /* the owner sees its keeper die, and kills what is left */
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

static void free_line(struct lined_up *line)
{
    close_all(line->fds, line->n_fds);
    free(line);
}

/* A request for which there is not even memory to remember it. */
static void tell_refusal(uint64_t id, int error)
{
    plait__commands_send_now(&(struct keeper_event){
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
    plait__commands_send_unsent();
}

static void kill_all_again(void)
{
    keeper.kills_in_vain = signal_all(SIGKILL) > 0 ? 0 : keeper.kills_in_vain + 1;
    if (keeper.kills_in_vain > KILLS_IN_VAIN)
        finish_stop_all();
    else
        set_timer(&keeper.stop_all_timer, plait__os_now_ns() + LOOK_AGAIN_NS);
}

/* Nobody comes next: what was in line was never started. */
static void clear_line(void)
{
    if (keeper.line == NULL)
        return;
    tell_refusal(keeper.line->request.id, ECANCELED);
    free_line(keeper.line);
    keeper.line = NULL;
}

static void begin_stop_all(int64_t kill_after_ns)
{
    clear_line();
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
void plait__commands_fire_timers(void)
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

int64_t plait__commands_next_timer(void)
{
    struct plait__heap_node *first = plait__heap_first(&keeper.timers);

    return first == NULL || keeper.paused_ns != 0 ? INT64_MAX : first->key;
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
void plait__commands_reap(void)
{
    struct plait__death death;
    pid_t pid;

    while ((pid = plait__os_wait_any(&death)) > 0) {
        struct kept *kept = find_running(pid, 0);
        if (kept != NULL)
            end_main(kept, &death);
        else if (!plait__kept_tasks_reap(&death))
            plait__crews_reap(&death);
    }
    if (pid == -ECHILD && keeper.stopping_all)
        finish_stop_all();
}

/* ---- starting commands ---- */

static int start(struct kept *kept, const struct keeper_request *request, char *bytes,
                 const int *fds)
{
    char id[KEEPER_ENV_BYTES], slot[SLOT_ENV_BYTES];
    char *ours[] = { id, slot };
    struct plait__spawn spawn = { .child = { .fds = { fds[0], fds[1], fds[2] },
                                             .nice = request->nice,
                                             .has_nice = request->has_nice,
                                             .new_group = true },
                                  .dies_with_parent = true,
                                  .ignored = request->ignored,
                                  .defaulted = keeper.ours_ignored & ~request->ignored,
                                  .stack = keeper.stack };
    const char *step = "keeper";
    char **strings = plait__keeper_cut_words(bytes, request, &spawn.file, &spawn.child.directory);
    char **environment = NULL;
    pid_t pid = -ENOMEM;

    if (spawn.stack == NULL) /* only now: each mapping makes the forks of tasks dearer */
        spawn.stack = keeper.stack = plait__os_spawn_stack();
    snprintf(id, sizeof id, KEEPER_ENV "%" PRIx64 ".%" PRIu64, keeper.id, request->id);
    snprintf(slot, sizeof slot, "PLAIT_SLOT=%u", request->slot);
    if (strings != NULL && spawn.stack != NULL)
        environment = plait__keeper_make_environment(ours, request->slot > 0 ? 2 : 1,
                                                     strings + request->n_argv + 1, request->n_env);
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
    kept->slot = request->slot;
    kept->kill_after_ns = request->kill_after_ns;
    plait__list_push_back(&keeper.running, &kept->node);
    if (start(kept, request, bytes, fds) < 0)
        tell_end(kept);
    else if (request->timeout_ns > 0)
        set_timer(&kept->timer, kept->started_ns + request->timeout_ns);
}

/* With its strings where they are. */
static void run_request(const struct keeper_request *request, char *bytes, const int *fds)
{
    if (!request->in_memfd) {
        run(request, bytes, fds);
        return;
    }
    bytes = mmap(NULL, request->n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[3], 0);
    if (bytes == MAP_FAILED) {
        tell_refusal(request->id, ENOMEM);
        return;
    }
    run(request, bytes, fds);
    munmap(bytes, request->n_bytes);
}

/* 0, or why it cannot be remembered. */
static int line_up(const struct keeper_request *request, const char *bytes, const int *fds,
                   size_t n_fds)
{
    size_t n = request->in_memfd ? 0 : request->n_bytes;
    struct lined_up *line;

    if (keeper.line != NULL)
        return EBUSY;
    line = malloc(sizeof *line + n);
    if (line == NULL)
        return ENOMEM;
    line->request = *request;
    line->n_fds = n_fds;
    memcpy(line->fds, fds, n_fds * sizeof *fds);
    memcpy(line->bytes, bytes, n);
    keeper.line = line;
    return 0;
}

void plait__commands_run(const struct keeper_request *request, char *bytes, const int *fds,
                         size_t n_fds)
{
    if (keeper.stopping_all) { /* it was sent before the owner decided to end everything */
        tell_refusal(request->id, ECANCELED);
    } else if (n_fds < (request->in_memfd ? 4 : 3)) { /* no room for the descriptors here */
        tell_refusal(request->id, EMFILE);
    } else if (request->verb == KEEPER_LINE_UP) {
        int error = line_up(request, bytes, fds, n_fds);
        if (error == 0)
            return;
        tell_refusal(request->id, error);
    } else {
        run_request(request, bytes, fds);
    }
    close_all(fds, n_fds);
}

static void start_next(unsigned slot)
{
    struct lined_up *line = keeper.line;

    keeper.line = NULL;
    line->request.slot = slot;
    run_request(&line->request, line->bytes, line->fds);
    free_line(line);
}

void plait__commands_go(const struct keeper_request *request)
{
    if (keeper.line != NULL && keeper.line->request.id == request->id)
        start_next(request->slot);
}

void plait__commands_stop(const struct keeper_request *request)
{
    struct kept *kept = find_running(0, request->id);

    if (kept == NULL || kept->main_ended)
        return;
    kept->event.timed_out = kept->event.timed_out || request->is_timeout;
    begin_stop(kept, request->kill_after_ns);
}

void plait__commands_stop_all(int64_t kill_after_ns)
{
    plait__commands_set_paused(false);
    begin_stop_all(kill_after_ns);
    plait__commands_reap(); /* nothing may be left already */
}

bool plait__commands_kill_all(int *ret_met)
{
    struct plait__death death;
    pid_t pid;

    *ret_met = signal_all(SIGKILL);
    while ((pid = plait__os_wait_any(&death)) > 0)
        ;
    return pid != -ECHILD;
}

void plait__commands_set_paused(bool paused)
{
    int64_t now = plait__os_now_ns();

    if (paused == (keeper.paused_ns != 0))
        return;
    if (paused) {
        keeper.paused_ns = now;
        signal_all(SIGSTOP);
        return;
    }
    plait__heap_shift(&keeper.timers, now - keeper.paused_ns);
    list_for_each (node, &keeper.running) { /* the pause is not part of anybody's time */
        struct kept *kept = plait__list_entry(node, struct kept, node);
        kept->started_ns += now - keeper.paused_ns;
        if (kept->kill_at_ns < INT64_MAX)
            kept->kill_at_ns += now - keeper.paused_ns;
    }
    keeper.paused_ns = 0;
    signal_all(SIGCONT);
}
