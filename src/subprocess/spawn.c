/* Starting one program.
 * SPDX-License-Identifier: MIT
 *
 * The caller sleeps in the kernel until the program is executed (os/spawn.c). So it cannot register
 * the child with the keeper meanwhile, and afterwards would be too late: were it killed in between,
 * the program would live on. The child therefore registers itself, before it executes anything, on a
 * copy of the channel that the caller has made for it.
 */
#include "base/log.h"
#include "os/child.h"
#include "os/process.h"
#include "os/signal.h"
#include "subprocess/subprocess.h"
#include "task/crew.h"
#include "task/keeper.h"

#include <plait/error.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the child does before all else. */
struct first {
    int channel;   /* to the keeper; -1: nobody guards it */
    uint64_t mark; /* of the tree; 0: there is none */
};

/* In the child, in its caller's memory: calls nothing but the kernel. */
static int do_first(void *arg)
{
    const struct first *first = arg;
    int rc = first->channel >= 0 ? plait__keeper_guard_self(first->channel, first->mark) : 0;

    return rc == 0 && first->mark != 0 ? plait__os_adopt_orphans() : rc;
}

/* The PATH of an environment; what a shell would take where there is none. */
static const char *find_path(char *const *environment)
{
    for (; *environment != NULL; environment++)
        if (strncmp(*environment, "PATH=", 5) == 0)
            return *environment + 5;
    return "/bin:/usr/bin";
}

/* `sh -c line` with the words behind the line, or the words as they are. For free(). */
static char **make_argv(const char *const *argv, bool shell)
{
    static char sh[] = "/bin/sh", c[] = "-c";
    size_t n = 0, at = 0;
    char **words;

    while (argv[n] != NULL)
        n++;
    words = calloc(n + 3, sizeof *words);
    if (words == NULL)
        return NULL;
    if (shell) {
        words[at++] = sh;
        words[at++] = c;
    }
    memcpy(words + at, argv, n * sizeof *words);
    return words;
}

/* A way for the child to the keeper. Without one it would outlive us, which somebody should know. */
static int open_channel(const plait_subprocess *p)
{
    static uint32_t is_told; /* atomic */
    int channel = p->is_detached ? -1 : plait__keeper_open_channel();

    if (channel == PLAIT_ETHREADS) {
        if (__atomic_exchange_n(&is_told, 1, __ATOMIC_RELAXED) == 0)
            plait__log(PLAIT_LOG_WARNING, "subprocesses will outlive this process if it is killed: "
                                          "no keeper was made before the first thread");
        return -1;
    }
    return channel;
}

static pid_t spawn_once(plait_subprocess *p, struct plait__spawn *spawn, const char **ret_step)
{
    int channel = open_channel(p);
    struct first first = { .channel = channel, .mark = p->mark };
    pid_t pid;

    if (channel < -1) {
        *ret_step = "keeper";
        return channel;
    }
    spawn->first = do_first;
    spawn->first_arg = &first;
    pid = plait__os_spawn(spawn, ret_step);
    if (channel >= 0)
        close(channel);
    return pid;
}

static pid_t spawn_guarded(plait_subprocess *p, struct plait__spawn *spawn, const char **ret_step)
{
    pid_t pid = spawn_once(p, spawn, ret_step);

    if (pid != PLAIT_EKEEPER)
        return pid;
    plait__keeper_has_died(); /* it had: the next one is made */
    return spawn_once(p, spawn, ret_step);
}

int plait__subprocess_spawn(plait_subprocess *p, struct plait__program *program,
                            const char *const *argv, const struct plait__subprocess_plan *plan)
{
    struct plait__child_plan child;
    const char *step = "options";
    struct plait__spawn spawn = { .stack = plan->stack,
                                  .has_handlers = true,
                                  .defaulted = plait__signal_bit(SIGPIPE) |
                                               plait__signal_bit(SIGXFSZ) |
                                               plait__signal_bit(SIGCHLD),
                                  .ret_pidfd = &program->pidfd };
    pid_t pid = plait__child_plan_make(&child, &plan->process, &step);

    if (pid == 0) {
        child.setup.keep_at_exec = true;
        spawn.child = child.setup;
        spawn.envp = plan->process.environment;
        spawn.path = find_path(spawn.envp);
        spawn.argv = make_argv(argv, plan->opts.shell);
        spawn.file = spawn.argv != NULL ? spawn.argv[0] : NULL;
        pid = spawn.argv != NULL ? spawn_guarded(p, &spawn, &step) : -ENOMEM;
        free((void *)(uintptr_t)spawn.argv);
    }
    plait__child_plan_fini(&child);
    if (pid < 0) {
        plait__log(PLAIT_LOG_INFO, "cannot start %s: %s: %s", argv[0], step, plait_strerror(pid));
        return pid;
    }
    program->pid = pid;
    return 0;
}
