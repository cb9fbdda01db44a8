/* The keeper: a small process that starts commands, waits for them and ends them.
 * SPDX-License-Identifier: MIT
 *
 * One loop over three descriptors: requests from the owner, SIGCHLD, and the owner's pidfd. It is
 * the subreaper of all that runs below it, so an orphan arrives here and is reaped. It never waits
 * for its owner: an event that the channel cannot take stays with its command until it can. When
 * the owner dies, or lets go of the channel without a word, it kills everything below it and the
 * guarded processes, and ends.
 */
#include "family/attached.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/process.h"
#include "os/sched.h"
#include "os/signal.h"
#include "task/keeper.h"
#include "task/keeper_commands.h"
#include "task/keeper_crews.h"
#include "task/keeper_guards.h"
#include "task/keeper_tasks.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
    LOOK_AGAIN_NS = 10 * 1000 * 1000, /* everything is being ended */
    KILLS_IN_VAIN = 100,              /* rounds without anything left that we may kill: give up */
};

static struct {
    int channel;
    int owner;
    int signals;
    struct keeper_guards guards;
    char message[KEEPER_MESSAGE_BYTES];
} keeper;

/* Each case takes over the descriptors that belong to it. */
static void obey(const struct keeper_request *request, const int *fds, size_t n_fds)
{
    switch (request->verb) {
    case KEEPER_RUN:
    case KEEPER_LINE_UP:
        plait__commands_run(request, keeper.message + sizeof *request, fds, n_fds);
        break;
    case KEEPER_GO:
        plait__commands_go(request);
        break;
    case KEEPER_STOP:
        plait__commands_stop(request);
        break;
    case KEEPER_STOP_ALL:
        plait__commands_stop_all(request->kill_after_ns);
        break;
    case KEEPER_PAUSE:
        plait__commands_set_paused(true);
        break;
    case KEEPER_RESUME:
        plait__commands_set_paused(false);
        break;
    case KEEPER_GUARD:
        /* none came: this process has no descriptor left, though its owner, which has more of them
         * open, had one. It lives unguarded; by its pid alone nobody may be killed. */
        if (n_fds == 1)
            plait__keeper_guards_add(
                &keeper.guards,
                &(struct keeper_guard){ fds[0], (pid_t)request->id, request->mark });
        break;
    case KEEPER_CREW:
        plait__crews_take(request, fds, n_fds);
        break;
    case KEEPER_TASKS:
        plait__kept_tasks_open(fds, n_fds);
        break;
    case KEEPER_BYE:
        _exit(0);
    }
}

static bool read_requests(void);

/* The owner is gone: nothing below may outlive it. */
static void end_everything(void)
{
    struct plait__fd child = { .fd = keeper.signals, .wanted = PLAIT__FD_READ };
    int met;

    /* a child of the owner's that registers itself only now is told that nobody hears it */
    plait__os_channel_stop_receiving(keeper.channel);
    read_requests();
    plait__keeper_guards_kill(&keeper.guards);
    for (int in_vain = 0; in_vain<KILLS_IN_VAIN; in_vain = met> 0 ? 0 : in_vain + 1) {
        if (!plait__commands_kill_all(&met))
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
        plait__keeper_guards_keep_room(&keeper.guards);
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

/* In ascending order. */
static void keep_too(int *keep, size_t *n, int fd)
{
    size_t i = (*n)++;

    for (; i > 0 && keep[i - 1] > fd; i--)
        keep[i] = keep[i - 1];
    keep[i] = fd;
}

static int set_up(int channel, int owner, uint64_t keeper_id)
{
    /* what is sent to the whole group of the owner is meant for the owner, who then tells us */
    uint64_t ignored =
        plait__signal_bit(SIGTERM) | plait__signal_bit(SIGUSR1) | plait__signal_bit(SIGUSR2) |
        plait__signal_bit(SIGALRM) | plait__signal_bit(SIGINT) | plait__signal_bit(SIGQUIT) |
        plait__signal_bit(SIGHUP) | plait__signal_bit(SIGTSTP) | plait__signal_bit(SIGTTIN) |
        plait__signal_bit(SIGTTOU) | plait__signal_bit(SIGPIPE);
    int keep[3];
    size_t n_keep = 0;
    int rc;

    keep_too(keep, &n_keep, channel);
    keep_too(keep, &n_keep, owner);
    if (plait__family() != NULL && plait__family()->shared.fd >= 0)
        keep_too(keep, &n_keep, plait__family()->shared.fd);

    keeper.guards = (struct keeper_guards){ 0 };
    plait__keeper_at_fork(); /* who made us holds its lock */
    plait__crews_set_up();
    plait__kept_tasks_set_up(ignored);
    plait__os_set_process_name("plait-keeper");
    plait__os_sched_short_turns();
    /* what is sent to the owner's group, SIGKILL too, must leave somebody to clean up */
    plait__os_lead_group();
    keeper.channel = channel;
    keeper.owner = owner;
    plait__os_signals_own(ignored, plait__signal_bit(SIGCHLD));
    rc = plait__os_adopt_orphans();
    plait__attached_forget(); /* a segment lives as long as anybody has it mapped */
    if (rc == 0)
        rc = plait__os_close_all_but(keep, n_keep);
    if (rc < 0)
        return rc;
    keeper.signals = plait__os_signal_fd(plait__signal_bit(SIGCHLD));
    return keeper.signals < 0 ? keeper.signals
                              : plait__commands_set_up(channel, keeper_id, ignored);
}

static int64_t next_timer(void)
{
    int64_t commands = plait__commands_next_timer(), crews = plait__crews_next_timer();

    return commands < crews ? commands : crews;
}

void plait__keeper_main(int channel, int owner, uint64_t keeper_id)
{
    struct keeper_event ready = { .word = KEEPER_READY };

    ready.start_error = -set_up(channel, owner, keeper_id);
    plait__commands_send_now(&ready); /* the owner waits for it */
    if (ready.start_error != 0)
        _exit(1);
    for (;;) {
        struct plait__fd fds[4] = {
            { .fd = keeper.channel, .wanted = PLAIT__FD_READ },
            { .fd = keeper.signals, .wanted = PLAIT__FD_READ },
            { .fd = keeper.owner, .wanted = PLAIT__FD_READ },
            { .fd = plait__kept_tasks_fd(), .wanted = PLAIT__FD_READ },
        };
        if (plait__commands_have_unsent())
            fds[0].wanted |= PLAIT__FD_WRITE;
        /* an error: as if all were quiet; look again */
        plait__os_poll(fds, 4, next_timer());
        if (fds[1].ready != 0) {
            plait__os_signal_read(keeper.signals); /* it is readable again if there is another */
            plait__commands_reap();
            plait__crews_look(); /* also who was kicked */
        }
        if (fds[3].ready != 0)
            plait__kept_tasks_read();
        if (fds[0].ready & PLAIT__FD_WRITE)
            plait__commands_send_unsent();
        if (fds[0].ready & (PLAIT__FD_READ | PLAIT__FD_HUP) && !read_requests())
            end_everything();
        if (fds[2].ready != 0) {
            read_requests(); /* what it said before it died: a process to guard, perhaps */
            end_everything();
        }
        plait__commands_fire_timers();
        plait__crews_fire_timers();
    }
}
