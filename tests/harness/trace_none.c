/* No other process can be traced here.
 * SPDX-License-Identifier: MIT
 */
#include "trace.h"

const char *trace_missing(void)
{
    return "processes are stepped on x86-64 and without sanitizers only";
}

void trace_begin(void)
{
}

void trace_mark(void)
{
}

bool trace_attach(struct trace *trace, pid_t pid)
{
    (void)trace;
    (void)pid;
    return false;
}

enum trace_event trace_step(struct trace *trace)
{
    (void)trace;
    return TRACE_ENDED;
}

enum trace_event trace_go(struct trace *trace, uintptr_t address)
{
    (void)trace;
    (void)address;
    return TRACE_ENDED;
}

enum trace_event trace_wait(struct trace *trace)
{
    (void)trace;
    return TRACE_ENDED;
}

uintptr_t trace_address(const struct trace *trace)
{
    (void)trace;
    return 0;
}

void trace_kill(struct trace *trace)
{
    (void)trace;
}

void trace_release(struct trace *trace)
{
    (void)trace;
}

bool trace_is_asleep(pid_t pid)
{
    (void)pid;
    return false;
}

bool trace_is_syscall(uintptr_t address)
{
    (void)address;
    return false;
}

size_t trace_repeats(uintptr_t address)
{
    (void)address;
    return 0;
}
