/* The owner's side of the keeper.
 * SPDX-License-Identifier: MIT
 *
 * The keeper is cloned, not exec'd, without an exit signal: the host's wait() does not see it and
 * no SIGCHLD is sent. A forked child finds by its pid that the keeper is its parent's, and forgets
 * it.
 *
 * When the keeper dies, what it ran lives on for a moment: the main processes die with it
 * (PR_SET_PDEATHSIG), their descendants are found by PLAIT_JOB_ID in their environment and killed
 * here.
 */
#include "task/keeper.h"
#include "base/buf.h"
#include "base/time.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/pidfd.h"
#include "os/signal.h"
#include "os/thread.h"
#include "task/crew.h"
#include "task/keeper_wire.h"
#include "wait/mutex.h"
#include "wait/wait.h"

#include <plait/error.h>
#include <plait/init.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Touched by the task that runs commands; plait__keeper_guard only sends, and a send is one
 * message. */
static struct {
    pid_t owner; /* whose keeper this is; 0: nobody's yet */
    pid_t pid;   /* 0: there is none */
    int pidfd;
    int channel;
    uint64_t id;
    uint64_t generation; /* counts the keepers of this process */
    uint64_t ignored;    /* signals that were ignored when the first keeper was made */
    bool knows_ignored;
    bool knows_family; /* it has the family's heap */
    size_t n_running;  /* commands whose end we have not been told */
    bool has_lost;     /* some of them died with a keeper, and plait__keeper_next has not said so */
} state;

static void let_go(void)
{
    if (state.pid != 0) {
        close(state.channel);
        close(state.pidfd);
    }
    state.pid = 0;
    state.n_running = 0;
}

void plait__keeper_forget(void)
{
    if (state.owner == getpid())
        return;
    let_go();
    state.has_lost = false;
    state.owner = getpid();
}

bool plait__keeper_is_there(void)
{
    return state.owner == getpid() && state.pid != 0;
}

pid_t plait__keeper_pid(void)
{
    return plait__keeper_is_there() ? state.pid : 0;
}

int plait__keeper_fd(void)
{
    return plait__keeper_is_there() && !state.has_lost ? state.channel : -1;
}

/* A copy at or above 3, so that it survives the keeper's taking care of 0, 1 and 2. Closes the
 * original. */
static int lift(int fd)
{
    int copy;

    if (fd < 0 || fd >= 3)
        return fd;
    copy = plait__os_dup_above(fd, 3);
    close(fd);
    return copy;
}

enum {
    BURY_ROUNDS = 100,
    PATIENCE_MS = 1000, /* with a keeper that takes no requests, as it is stopped or stalled */
    NAP_NS = 1000 * 1000,
};

/* The keeper is dead or of no use: reap it, kill what it ran. */
static void bury(void)
{
    char env[KEEPER_ENV_BYTES];
    struct plait__tree left = { .env = env, .anywhere = true };
    struct plait__death death;
    struct plait__fd dead = { .fd = state.pidfd, .wanted = PLAIT__FD_READ };

    plait__os_pidfd_signal(state.pidfd, SIGKILL);
    while (plait__os_pidfd_wait(state.pidfd, &death) == -EAGAIN)
        plait__os_poll(&dead, 1, INT64_MAX);
    snprintf(env, sizeof env, KEEPER_ENV "%" PRIx64 ".", state.id);
    for (int i = 0; i < BURY_ROUNDS && plait__os_tree_kill(&left) > 0; i++)
        ; /* again, for what forked faster than /proc could be read */
    let_go();
}

static int fork_keeper(int ours, int theirs, int self)
{
    uint64_t id = plait__os_random();
    int pidfd = -1;
    pid_t pid;

    plait__os_flush_streams(); /* else its workers would write once more what is in them */
    pid = plait__os_fork_hidden(&pidfd);

    if (pid < 0)
        return pid;
    if (pid == 0)
        plait__keeper_main(theirs, self, id);
    int lifted = pidfd < 3 ? plait__os_dup_above(pidfd, 3) : -1;
    /* a host that has closed its standard descriptors shall not find this one there */
    if (lifted >= 0) {
        close(pidfd);
        pidfd = lifted;
    }
    state.pid = pid;
    state.pidfd = pidfd;
    state.channel = ours;
    state.id = id;
    state.knows_family = plait__family() != NULL;
    state.generation++;
    return 0;
}

/* Hears whether it could set itself up. */
static int wait_until_ready(void)
{
    struct keeper_event event = { 0 };
    struct plait__fd word = { .fd = state.channel, .wanted = PLAIT__FD_READ };
    int fds[PLAIT__CHANNEL_FDS];
    size_t n_fds;
    ssize_t n;

    while ((n = plait__os_channel_recv(state.channel, &event, sizeof event, fds, &n_fds)) ==
           -EAGAIN)
        plait__os_poll(&word, 1, INT64_MAX); /* as short as its first instructions: no cancel */
    if (n == (ssize_t)sizeof event && event.start_error == 0)
        return 0;
    bury();
    return n == (ssize_t)sizeof event ? -event.start_error : PLAIT_EKEEPER;
}

static int start_once(void)
{
    int channel[2], self, rc;

    plait__keeper_forget();
    if (state.pid != 0)
        return 0;
    rc = plait__os_thread_count();
    if (rc > 1)
        return PLAIT_ETHREADS;
    if (rc < 0 && rc != -ENOENT) /* that: without /proc nobody tells */
        return rc;
    if (!state.knows_ignored) {
        state.ignored = plait__os_signals_ignored();
        state.knows_ignored = true;
    }
    rc = plait__os_channel(channel);
    if (rc < 0)
        return rc;
    channel[0] = lift(channel[0]);
    channel[1] = lift(channel[1]);
    self = lift(plait__os_pidfd_open(getpid()));
    rc = channel[0] < 0 ? channel[0] : channel[1] < 0 ? channel[1] : self < 0 ? self : 0;
    if (rc == 0)
        rc = fork_keeper(channel[0], channel[1], self);
    if (self >= 0)
        close(self);
    if (channel[1] >= 0)
        close(channel[1]);
    if (rc < 0 && channel[0] >= 0)
        close(channel[0]);
    return rc < 0 ? rc : wait_until_ready();
}

/* For commands: whose cost would grow by that of a heap that they do not need. */
static int start_without_heap(void)
{
    int rc = start_once();

    /* killed before it was ready: it ran nothing yet, and another one may live */
    return rc == PLAIT_EKEEPER ? start_once() : rc;
}

int plait__keeper_start(void)
{
    /* before the keeper is made, as only then it can have the heap at the same address. A family
     * that cannot be made now is missed by crews alone, who say so */
    if (!plait__keeper_is_there())
        plait__member_join();
    return start_without_heap();
}

int plait_keeper_start(void)
{
    return plait__keeper_start();
}

static int wait_a_moment(plait_deadline until)
{
    int rc = plait_sleep(plait__deadline_earlier(until, plait_after_ms(2)));

    return rc == 0 && plait_left_ns(until) == 0 ? -ETIMEDOUT : rc;
}

/* Sends a request; waits while the channel is full. */
static int send_request(const void *bytes, size_t n, const int *fds, size_t n_fds,
                        plait_deadline until)
{
    for (;;) {
        struct plait__fd room = { .fd = state.channel, .wanted = PLAIT__FD_WRITE };
        int rc = plait__os_channel_send(state.channel, bytes, n, fds, n_fds);
        if (rc == -EPIPE || rc == -ECONNRESET)
            return PLAIT_EKEEPER;
        if (rc != -EAGAIN && rc != -ETOOMANYREFS)
            return rc;
        /* descriptors on their way, of all processes of the user: no call tells when there is room */
        if (rc == -ETOOMANYREFS)
            rc = wait_a_moment(until);
        else
            rc = plait__wait_fds(&room, 1, until);
        if (rc < 0 && rc != -EINTR)
            return rc;
    }
}

/* A request that is nothing but its head. */
static int send_head(struct keeper_request request, plait_deadline until)
{
    if (!plait__keeper_is_there())
        return PLAIT_EKEEPER;
    return send_request(&request, sizeof request, NULL, 0, until);
}

static int add_strings(struct plait__buf *buf, const struct plait__command *command)
{
    int rc = plait__buf_add(buf, command->file, strlen(command->file) + 1);

    if (rc == 0 && command->cwd != NULL)
        rc = plait__buf_add(buf, command->cwd, strlen(command->cwd) + 1);
    for (size_t i = 0; rc == 0 && i < command->n_argv; i++)
        rc = plait__buf_add(buf, command->argv[i], strlen(command->argv[i]) + 1);
    for (size_t i = 0; rc == 0 && i < command->n_env; i++)
        rc = plait__buf_add(buf, command->env[i], strlen(command->env[i]) + 1);
    return rc;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
        }
    }
    return 0;
}

/* The request with its strings, in the message or, when they are too long for it, in a memfd. */
static int send_run(enum keeper_verb verb, struct plait__buf *buf,
                    const struct plait__command *command, plait_deadline until)
{
    int fds[4] = { command->fds[0], command->fds[1], command->fds[2], -1 };
    struct keeper_request head = { .verb = verb,
                                   .id = command->id,
                                   .slot = command->slot,
                                   .timeout_ns = command->timeout_ns,
                                   .kill_after_ns = command->kill_after_ns,
                                   .ignored = state.ignored,
                                   .nice = command->nice,
                                   .has_nice = command->has_nice,
                                   .n_argv = (uint32_t)command->n_argv,
                                   .n_env = (uint32_t)command->n_env,
                                   .has_cwd = command->cwd != NULL };
    size_t length = sizeof head;
    int rc = 0;

    if (buf->len - sizeof head > UINT32_MAX)
        return -E2BIG;
    head.n_bytes = (uint32_t)(buf->len - sizeof head);
    head.in_memfd = buf->len > KEEPER_MESSAGE_BYTES;
    if (head.in_memfd) {
        fds[3] = plait__os_memfd("plait-command");
        rc = fds[3] < 0 ? fds[3] : write_all(fds[3], buf->data + sizeof head, head.n_bytes);
    } else {
        length = buf->len;
    }
    memcpy(buf->data, &head, sizeof head);
    if (rc == 0)
        rc = send_request(buf->data, length, fds, head.in_memfd ? 4 : 3, until);
    if (fds[3] >= 0)
        close(fds[3]);
    return rc;
}

static int hand_over(enum keeper_verb verb, const struct plait__command *command,
                     plait_deadline until)
{
    struct keeper_request head = { 0 };
    struct plait__buf buf = { 0 };
    int rc = start_without_heap();

    if (rc == 0 && state.has_lost)
        return PLAIT_EKEEPER;
    if (rc < 0)
        return rc;
    rc = plait__buf_add(&buf, &head, sizeof head);
    if (rc == 0)
        rc = add_strings(&buf, command);
    if (rc == 0)
        rc = send_run(verb, &buf, command, until);
    plait__buf_fini(&buf);
    state.n_running += rc == 0;
    return rc;
}

int plait__keeper_run(const struct plait__command *command, plait_deadline until)
{
    return hand_over(KEEPER_RUN, command, until);
}

int plait__keeper_line_up(const struct plait__command *command, plait_deadline until)
{
    return hand_over(KEEPER_LINE_UP, command, until);
}

int plait__keeper_go(uint64_t id, unsigned slot)
{
    return send_head((struct keeper_request){ .verb = KEEPER_GO, .id = id, .slot = slot },
                     PLAIT_NOWAIT);
}

static void to_end(const struct keeper_event *event, struct plait__command_end *ret)
{
    *ret = (struct plait__command_end){ .id = event->id,
                                        .next = event->next,
                                        .start_error = event->start_error,
                                        .death = event->death,
                                        .start_real_ns = event->start_real_ns,
                                        .run_ns = event->run_ns,
                                        .timed_out = event->timed_out };
    memcpy(ret->step, event->step, sizeof ret->step);
}

int plait__keeper_next(struct plait__command_end *ret, plait_deadline until)
{
    struct keeper_event event;
    int fds[PLAIT__CHANNEL_FDS];
    size_t n_fds;

    if (!plait__keeper_is_there() || state.has_lost) {
        state.has_lost = false;
        return PLAIT_EKEEPER;
    }
    for (;;) {
        struct plait__fd word = { .fd = state.channel, .wanted = PLAIT__FD_READ };
        ssize_t n = plait__os_channel_recv(state.channel, &event, sizeof event, fds, &n_fds);
        if (n == (ssize_t)sizeof event) {
            if (event.word == KEEPER_ALL_ENDED)
                return 0;
            to_end(&event, ret);
            state.n_running -= state.n_running > 0;
            return 1;
        }
        if (n != -EAGAIN) { /* all that it had said has been read */
            bury();
            return PLAIT_EKEEPER;
        }
        if (until.ns == PLAIT_NOWAIT.ns)
            return -ETIMEDOUT;
        int rc = plait__wait_fds(&word, 1, until);
        if (rc < 0 && rc != -EINTR)
            return rc;
    }
}

int plait__keeper_time_out(uint64_t id, int64_t kill_after_ns)
{
    return send_head(
        (struct keeper_request){
            .verb = KEEPER_STOP, .id = id, .kill_after_ns = kill_after_ns, .is_timeout = true },
        PLAIT_NOWAIT);
}

int plait__keeper_stop_all(int64_t kill_after_ns)
{
    return send_head(
        (struct keeper_request){ .verb = KEEPER_STOP_ALL, .kill_after_ns = kill_after_ns },
        PLAIT_NOWAIT);
}

int plait__keeper_pause(void)
{
    return send_head((struct keeper_request){ .verb = KEEPER_PAUSE }, plait_after_ms(PATIENCE_MS));
}

int plait__keeper_resume(void)
{
    return send_head((struct keeper_request){ .verb = KEEPER_RESUME }, plait_after_ms(PATIENCE_MS));
}

static int send_guard(pid_t pid, int pidfd)
{
    struct keeper_request guard = { .verb = KEEPER_GUARD, .id = (uint64_t)pid };

    return send_request(&guard, sizeof guard, &pidfd, 1, PLAIT_FOREVER);
}

/* It is dead: the commands that it ran are lost, which plait__keeper_next says. */
static int replace(void)
{
    state.has_lost = state.has_lost || state.n_running > 0;
    bury();
    return plait__keeper_start();
}

int plait__keeper_guard(pid_t pid, int pidfd)
{
    int rc = plait__keeper_start();

    if (rc < 0)
        return rc;
    rc = send_guard(pid, pidfd);
    if (rc != PLAIT_EKEEPER)
        return rc;
    rc = replace();
    return rc < 0 ? rc : send_guard(pid, pidfd);
}

/* Between the threads that have crews kept or start subprocesses; the other calls come from one
 * thread. */
static struct plait__mutex crews_lock;

static bool bury_if_dead(void)
{
    struct plait__fd dead = { .fd = state.pidfd, .wanted = PLAIT__FD_READ };

    if (!plait__keeper_is_there())
        return true;
    if (plait__os_poll(&dead, 1, 0) <= 0)
        return false;
    state.has_lost = state.has_lost || state.n_running > 0;
    bury();
    return true;
}

bool plait__keeper_has_died(void)
{
    bool has_died;

    plait__mutex_lock(&crews_lock);
    has_died = bury_if_dead();
    plait__mutex_unlock(&crews_lock);
    return has_died;
}

/* One that was made without the family's heap gives way to another, if it has nothing to do. */
static int start_with_heap(void)
{
    int rc = plait__member_join();

    if (rc == 0)
        rc = plait__keeper_start();
    if (rc < 0 || state.knows_family)
        return rc;
    if (state.n_running > 0)
        return -EBUSY;
    rc = plait__os_thread_count();
    if (rc > 1)
        return PLAIT_ETHREADS;
    plait__keeper_bye();
    rc = plait__keeper_start();
    return rc == 0 && !state.knows_family ? -ENOMEM : rc;
}

int plait__keeper_open_channel(void)
{
    int rc;

    plait__mutex_lock(&crews_lock);
    rc = plait__keeper_start();
    rc = rc < 0 ? rc : plait__os_dup_above(state.channel, 3);
    plait__mutex_unlock(&crews_lock);
    return rc;
}

int plait__keeper_guard_self(int channel)
{
    struct keeper_request guard = { .verb = KEEPER_GUARD, .id = (uint64_t)getpid() };
    int pidfd = plait__os_pidfd_open(getpid());
    int rc = pidfd < 0 ? pidfd : -EAGAIN;

    /* our parent sleeps until we have done this: the seam is not for us */
    for (int i = 0; i < PATIENCE_MS && (rc == -EAGAIN || rc == -ETOOMANYREFS); i++) {
        if (i > 0)
            plait__os_poll(NULL, 0, plait__os_now_ns() + NAP_NS);
        rc = plait__os_channel_send(channel, &guard, sizeof guard, &pidfd, 1);
    }
    if (pidfd >= 0)
        close(pidfd);
    return rc == -EPIPE || rc == -ECONNRESET ? PLAIT_EKEEPER : rc;
}

static int hand_crew_over(struct plait__crew *crew, int out, int err)
{
    struct keeper_request take = { .verb = KEEPER_CREW, .id = (uint64_t)(uintptr_t)crew };
    int fds[2] = { out, err };
    int rc = start_with_heap();

    if (rc == 0)
        rc = send_request(&take, sizeof take, fds, 2, PLAIT_FOREVER);
    if (rc != PLAIT_EKEEPER)
        return rc;
    rc = replace();
    return rc < 0 ? rc : send_request(&take, sizeof take, fds, 2, PLAIT_FOREVER);
}

int plait__keeper_take_crew(struct plait__crew *crew, int out, int err)
{
    int rc;

    plait__mutex_lock(&crews_lock);
    rc = hand_crew_over(crew, out, err);
    plait__mutex_unlock(&crews_lock);
    return rc;
}

/* A child may have died, as far as the keeper knows. */
void plait__keeper_kick(void)
{
    plait__mutex_lock(&crews_lock);
    if (plait__keeper_is_there())
        plait__os_pidfd_signal(state.pidfd, SIGCHLD);
    plait__mutex_unlock(&crews_lock);
}

void plait__crews_at_fork(void)
{
    crews_lock = (struct plait__mutex){ 0 };
}

void plait__keeper_kick_from_worker(void)
{
    kill(getppid(), SIGCHLD);
}

uint64_t plait__keeper_generation(void)
{
    return state.generation;
}

void plait__keeper_bye(void)
{
    plait_deadline until = plait_after_ms(PATIENCE_MS);
    struct plait__fd dead = { .fd = state.pidfd, .wanted = PLAIT__FD_READ };
    struct plait__death death;

    if (!plait__keeper_is_there())
        return;
    /* reaped here: a pid 1 that does not reap would keep it as a zombie */
    if (send_head((struct keeper_request){ .verb = KEEPER_BYE }, until) == 0 &&
        plait__os_poll(&dead, 1, until.ns) > 0)
        plait__os_pidfd_wait(state.pidfd, &death);
    let_go(); /* whoever still starts something gets a new one */
}
