/* This program again, from its beginning up to plait_init.
 * SPDX-License-Identifier: MIT
 */
#include "task/reexec.h"
#include "base/log.h"
#include "family/member.h"
#include "os/child.h"
#include "os/fd.h"
#include "os/packet.h"
#include "os/pidfd.h"
#include "os/process.h"
#include "task/guard.h"
#include "task/keeper.h"
#include "task/keeper_wire.h"
#include "task/order.h"

#include <plait/error.h>
#include <plait/init.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x706c616974726531)

/* The program's file, by a path that nobody else writes so: the kernel leaves it where a new process can
 * see it, and no constructor loses it with the environment. */
#define PROGRAM "/proc/self/./exe"

/* ---- what the program was started with ---- */

static char **arguments; /* const after plait_init */

int plait__reexec_remember(int argc, char *const *argv)
{
    size_t bytes = ((size_t)argc + 1) * sizeof *arguments;
    char **copy, *at;

    if (arguments != NULL)
        return 0;
    for (int i = 0; i < argc; i++)
        bytes += strlen(argv[i]) + 1;
    copy = malloc(bytes);
    if (copy == NULL)
        return -ENOMEM;
    at = (char *)(copy + argc + 1);
    for (int i = 0; i < argc; i++) {
        copy[i] = strcpy(at, argv[i]);
        at += strlen(at) + 1;
    }
    copy[argc] = NULL;
    arguments = copy;
    return 0;
}

bool plait__reexec_is_possible(void)
{
    return arguments != NULL;
}

bool plait__reexec_is_privileged(void)
{
    return getauxval(AT_SECURE) != 0;
}

/* ---- the message ---- */

static void sign(struct plait__reexec_message *message)
{
    struct plait__module plait;

    memset(message, 0, sizeof *message);
    message->magic = MAGIC;
    message->bytes = sizeof *message;
    if (plait__os_module_at((uintptr_t)sign, &plait) < 0)
        return;
    message->id_bytes = plait.id_bytes;
    memcpy(message->id, plait.id, sizeof message->id);
}

static bool is_of_this_build(const struct plait__reexec_message *message)
{
    struct plait__reexec_message ours;

    sign(&ours);
    return message->id_bytes == ours.id_bytes && memcmp(message->id, ours.id, sizeof ours.id) == 0;
}

static int lift(int fd)
{
    int copy = fd < 3 ? plait__os_dup_above(fd, 3) : fd;

    if (copy != fd)
        close(fd);
    return copy;
}

/* What belongs to the task is not for the guard. */
static void set_guarded(struct plait__reexec_message *message, struct plait__child_setup *setup)
{
    message->tree = true;
    message->new_group = setup->new_group;
    message->new_session = setup->new_session;
    setup->new_group = setup->new_session = false;
}

/* Our end, with the message on its way, and theirs; both above what 0, 1 and 2 mean. */
static int open_channel(int channel[2], const struct plait__reexec *what,
                        struct plait__child_setup *setup)
{
    struct plait__reexec_message message;
    int rc = plait__os_channel(channel);

    if (rc < 0)
        return rc;
    channel[0] = lift(channel[0]);
    channel[1] = lift(channel[1]);
    rc = channel[0] < 0 ? channel[0] : channel[1] < 0 ? channel[1] : 0;
    sign(&message);
    message.shared.fd = -1;
    if (plait__family() != NULL)
        message.shared = plait__family()->shared;
    message.order = what->order;
    message.owner = getpid();
    if (what->tree)
        set_guarded(&message, setup);
    message.owner_pidfd = what->owner_pidfd;
    message.keeper_id = what->keeper_id;
    if (rc == 0)
        rc = plait__os_channel_send(channel[0], &message, sizeof message, NULL, 0);
    if (rc < 0)
        for (int i = 0; i < 2; i++)
            if (channel[i] >= 0)
                close(channel[i]);
    return rc;
}

/* ---- the start ---- */

static char **make_environment(char *const *from, char *ours)
{
    size_t n = 0, length = strlen(PLAIT__REEXEC_ENV);
    char **made;

    while (from[n] != NULL)
        n++;
    made = calloc(n + 2, sizeof *made);
    if (made == NULL)
        return NULL;
    n = 0;
    for (; *from != NULL; from++)
        if (strncmp(*from, PLAIT__REEXEC_ENV, length) != 0)
            made[n++] = *from;
    made[n] = ours;
    return made;
}

struct first {
    int keeper;   /* -1: it is not told */
    int stays[3]; /* what the exec shall not close */
    int n_stays;
    char *pid; /* where in the environment the child writes who it is */
};

/* So that the process which was meant knows itself, and its children do not take themselves for it. */
static void write_pid(char *to)
{
    char digits[16];
    int n = 0;

    for (pid_t rest = getpid(); rest > 0; rest /= 10)
        digits[n++] = (char)('0' + rest % 10);
    while (n > 0)
        *to++ = digits[--n];
    *to = '\0';
}

/* In the child, in its caller's memory: calls nothing but the kernel. */
static int do_first(void *arg)
{
    const struct first *first = arg;

    for (int i = 0; i < first->n_stays; i++)
        if (fcntl(first->stays[i], F_SETFD, 0) < 0)
            return -errno;
    write_pid(first->pid);
    return first->keeper >= 0 ? plait__keeper_guard_self(first->keeper, 0) : 0;
}

/* With all that has to be given back again. */
static pid_t spawn(struct plait__spawn *spawn, struct plait__child_plan *plan, struct first *first,
                   const char **ret_step)
{
    char ours[sizeof PLAIT__REEXEC_ENV + 32];
    char **environment;
    pid_t pid = -ENOMEM;

    first->pid = ours + snprintf(ours, sizeof ours, PLAIT__REEXEC_ENV "%d.", first->stays[0]);
    environment = make_environment(spawn->envp, ours);
    spawn->stack = plait__os_spawn_stack();
    spawn->envp = environment;
    for (int i = 0; i < first->n_stays; i++)
        plait__child_plan_keep(plan, first->stays[i]);
    plan->setup.keep_at_exec = true;
    spawn->child = plan->setup;
    if (spawn->stack != NULL && environment != NULL)
        pid = plait__os_spawn(spawn, ret_step);
    plait__os_spawn_stack_free(spawn->stack);
    free(environment);
    return pid;
}

static struct first prepare(const struct plait__reexec *what, int channel)
{
    struct first first = { .keeper = what->keeper, .stays = { channel }, .n_stays = 1 };

    if (plait__family() != NULL && plait__family()->shared.fd >= 0)
        first.stays[first.n_stays++] = plait__family()->shared.fd;
    if (what->owner_pidfd > 0)
        first.stays[first.n_stays++] = what->owner_pidfd;
    return first;
}

pid_t plait__reexec(const struct plait__reexec *what, int *ret_channel, int *ret_pidfd)
{
    const plait_process_opts none = { .close_fds = what->order == NULL };
    struct plait__child_plan plan;
    const char *step = "options";
    int channel[2];
    pid_t pid = plait__child_plan_make(&plan, what->opts != NULL ? what->opts : &none, &step);

    if (pid == 0) {
        pid = open_channel(channel, what, &plan.setup);
        if (pid == 0) {
            struct first first = prepare(what, channel[1]);
            struct plait__spawn this_program = { .file = PROGRAM,
                                                 .argv = arguments,
                                                 .envp = environ,
                                                 .dies_with_parent = what->tree,
                                                 .has_handlers = true,
                                                 .ret_pidfd = ret_pidfd,
                                                 .is_orphan = what->order == NULL,
                                                 .first = do_first,
                                                 .first_arg = &first };
            if (what->opts != NULL && what->opts->environment != NULL)
                this_program.envp = what->opts->environment;
            pid = spawn(&this_program, &plan, &first, &step);
            close(channel[1]);
            if (pid < 0)
                close(channel[0]);
        }
        plait__child_plan_fini(&plan);
    }
    if (pid < 0)
        plait__log(pid == PLAIT_EKEEPER ? PLAIT_LOG_INFO : PLAIT_LOG_ERROR, /* tried again */
                   "%s was not started: %s: %s", what->name, step, plait_strerror(pid));
    else
        *ret_channel = channel[0];
    return pid;
}

/* ---- in the new process ---- */

/* In a task that has a guard: what this had to hand on to it. */
static struct {
    struct plait__reexec_message message;
    pid_t task; /* it alone */
    int channel;
} handed;

/* Was this program executed as one that is to be something? */
static bool was_executed_for_it(void)
{
    const char *path = (const char *)(uintptr_t)getauxval(AT_EXECFN);

    return path != NULL && strcmp(path, PROGRAM) == 0;
}

/* Is it this very process that was spawned? Its channel. */
static bool was_spawned(int *ret_channel)
{
    const char *text = getenv("PLAIT_SPAWN");
    char *end;
    long fd;

    if (text == NULL)
        return false;
    fd = strtol(text, &end, 10);
    if (end == text || *end != '.' || fd < 3 || fd > INT32_MAX ||
        strtol(end + 1, NULL, 10) != getpid())
        return false;
    *ret_channel = (int)fd;
    return true;
}

/* 0; -1: there is none, or its sender is dead and the keeper may not have heard of us any more. */
static int look_at_message(int channel, struct plait__reexec_message *ret)
{
    struct plait__packet packet = { .parts = { { ret, sizeof *ret } }, .n_parts = 1 };
    bool is_one =
        plait__os_is_channel(channel) &&
        plait__os_packet_recv(channel, &packet, PLAIT__PACKET_LOOK) == (ssize_t)sizeof *ret &&
        ret->magic == MAGIC && ret->bytes == sizeof *ret;

    /* a keeper is nobody's child, and sees itself whether its owner is dead */
    return is_one && (ret->order == NULL || ret->owner == getppid()) &&
                   plait__os_channel_maker(channel) == ret->owner
               ? 0
               : -1;
}

/* One that is left unread would break the channel when we close it, and be the guard's first word. */
static int take_message(int channel)
{
    struct plait__reexec_message message;
    struct plait__packet packet = { .parts = { { &message, sizeof message } }, .n_parts = 1 };

    ssize_t n = plait__os_packet_recv(channel, &packet, PLAIT__PACKET_TAKE);

    return n < 0 ? (int)n : 0;
}

static int adopt(const struct plait__reexec_message *message)
{
    int rc = is_of_this_build(message) ? 0 : -ESTALE;

    if (rc == 0 && message->shared.fd >= 0)
        rc = plait__family_adopt(&message->shared);
    if (rc == 0 && message->shared.fd >= 0 && fcntl(message->shared.fd, F_SETFD, FD_CLOEXEC) < 0)
        rc = -errno;
    return rc;
}

/* Returns in the task. */
static void become_guard(int channel, int owner)
{
    const struct plait__guard guard = { .channel = channel,
                                        .owner = owner,
                                        .verdict = &handed.message.order->verdict };
    const char *step;
    int32_t answer = owner < 0 ? owner : plait__guard_fork(&guard, &step);

    if (answer < 0) {
        plait__os_channel_send(channel, &answer, sizeof answer, NULL, 0);
        _exit(1);
    }
}

/* The process that was started to be a guard is it from here on: nothing of the program has run in it.
 * Who else was spawned goes on to plait_init. */
__attribute__((constructor(101))) static void fork_task(void)
{
    struct plait__reexec_message *message = &handed.message;
    int channel, owner;
    int32_t answer;

    if (!was_spawned(&channel) || plait__reexec_is_privileged() ||
        look_at_message(channel, message) < 0 || !message->tree)
        return;
    fcntl(channel, F_SETFD, FD_CLOEXEC);
    answer = take_message(channel);
    if (answer == 0)
        answer = adopt(message);
    owner = answer < 0 ? answer : plait__os_lift(plait__os_pidfd_open(message->owner));
    if (plait__os_die_with_parent(message->owner, 0) < 0) /* it has died; from now on we watch it */
        _exit(1);
    become_guard(channel, owner);
    if ((message->new_session && setsid() < 0) ||
        (message->new_group && !message->new_session && setpgid(0, 0) < 0))
        _exit(1);
    handed.channel = channel;
    handed.task = getpid();
}

/* 0, and what this process is to be; -1: nothing. It has the family then, or *ret_answer says why not. */
static int take_order(struct plait__reexec_message *ret, int *ret_channel, int32_t *ret_answer)
{
    if (handed.task == getpid()) {
        *ret = handed.message;
        *ret_channel = handed.channel;
        *ret_answer = 0;
        return 0;
    }
    if (plait__reexec_is_privileged() || look_at_message(*ret_channel, ret) < 0)
        return -1;
    *ret_answer = take_message(*ret_channel);
    if (*ret_answer == 0) /* its guard has not come to be: there was no memory to look at this */
        *ret_answer = ret->tree ? -ENOMEM : adopt(ret);
    return 0;
}

static void become_task(const struct plait__reexec_message *message, int channel, int32_t answer)
{
    if (answer == 0)
        answer = plait__order_check(message->order);
    if (answer == 0)
        message->order->verdict.pid = getpid();
    if (plait__os_channel_send(channel, &answer, sizeof answer, NULL, 0) < 0 || answer < 0)
        _exit(1);
    close(channel);
    if (plait__order_await(message->order, PLAIT__REEXEC_TOKEN) < 0)
        _exit(1);
    plait__order_live(message->order);
}

static void become_keeper(const struct plait__reexec_message *message, int channel, int32_t answer)
{
    struct keeper_event failed = { .word = KEEPER_READY, .start_error = -answer };

    if (answer == 0 && (fcntl(channel, F_SETFD, FD_CLOEXEC) < 0 ||
                        fcntl(message->owner_pidfd, F_SETFD, FD_CLOEXEC) < 0))
        failed.start_error = errno;
    if (failed.start_error == 0)
        plait__keeper_main(channel, message->owner_pidfd, message->keeper_id);
    plait__os_channel_send(channel, &failed, sizeof failed, NULL, 0);
    _exit(1);
}

/* Nobody told what: its constructors have lost the environment, or it is a child of theirs. */
static void end_nameless(void)
{
    plait__log(PLAIT_LOG_ERROR, "a spawned process does not find PLAIT_SPAWN in its environment in "
                                "plait_init: it ends, and does not run main a second time");
    _exit(1);
}

void plait__reexec_enter(void)
{
    static bool has_entered; /* also in the children of what it has become */
    struct plait__reexec_message message;
    int channel;
    int32_t answer;

    if (handed.task != getpid() && !was_spawned(&channel)) {
        if (!has_entered && was_executed_for_it())
            end_nameless();
        return;
    }
    has_entered = true;
    /* from here on we are what the message says, or nothing. Never the program from its beginning:
     * it would do once more what it has done, and spawn again. A stranger commands no program that
     * has the privileges of its file: that one is nothing */
    if (take_order(&message, &channel, &answer) < 0)
        _exit(1);
    unsetenv("PLAIT_SPAWN");
    plait__os_set_own_name();
    if (message.order == NULL)
        become_keeper(&message, channel, answer);
    become_task(&message, channel, answer);
}
