/* How a job ended, in words.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/outcome.h"

#include "cmd/units.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* musl has no sigabbrev_np. */
static const struct {
    int signal;
    const char *name;
} signal_names[] = {
    { SIGABRT, "SIGABRT" }, { SIGALRM, "SIGALRM" }, { SIGBUS, "SIGBUS" },
    { SIGFPE, "SIGFPE" },   { SIGHUP, "SIGHUP" },   { SIGILL, "SIGILL" },
    { SIGINT, "SIGINT" },   { SIGIO, "SIGIO" },     { SIGKILL, "SIGKILL" },
    { SIGPIPE, "SIGPIPE" }, { SIGPROF, "SIGPROF" }, { SIGQUIT, "SIGQUIT" },
    { SIGSEGV, "SIGSEGV" }, { SIGSYS, "SIGSYS" },   { SIGTERM, "SIGTERM" },
    { SIGTRAP, "SIGTRAP" }, { SIGUSR1, "SIGUSR1" }, { SIGUSR2, "SIGUSR2" },
    { SIGXCPU, "SIGXCPU" }, { SIGXFSZ, "SIGXFSZ" }, { SIGVTALRM, "SIGVTALRM" },
};

static int add_signal(struct plait__buf *buf, int signal, bool core)
{
    const char *dumped = core ? " (core dumped)" : "";

    for (size_t i = 0; i < sizeof signal_names / sizeof signal_names[0]; i++)
        if (signal_names[i].signal == signal)
            return plait__buf_printf(buf, "killed by %s%s", signal_names[i].name, dumped);
    return plait__buf_printf(buf, "killed by signal %d%s", signal, dumped);
}

int map_outcome_add(struct plait__buf *buf, const struct map_result *result)
{
    char time[CMD_FORMAT_CAP];

    if (result->start_error != 0)
        return plait__buf_printf(buf, "cannot start: %s", strerror(result->start_error));
    if (result->timed_out)
        return plait__buf_printf(buf, "timed out after %s",
                                 cmd_format_duration(time, sizeof time, result->run_ns));
    if (result->message != NULL)
        return plait__buf_add_str(buf, result->message);
    if (result->keeper_died)
        return plait__buf_add_str(buf, "killed with its keeper");
    if (result->signal != 0)
        return add_signal(buf, result->signal, result->core);
    return plait__buf_printf(buf, "exit %d", result->exit_status);
}
