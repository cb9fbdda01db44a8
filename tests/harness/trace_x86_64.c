/* Another process, executed as far as one likes, by ptrace on x86-64.
 * SPDX-License-Identifier: MIT
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_NS = 200 * 1000, /* so long without a word from it: does it sleep? */
    MARK = 0xCC           /* int3 */
};

void trace_mark(void)
{
    __asm__ volatile("int3" ::: "memory");
}

void trace_begin(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void set_register(pid_t pid, size_t offset, uintptr_t value)
{
    ptrace(PTRACE_POKEUSER, pid, (void *)offset, (void *)value);
}

/* At that address alone; 0: nowhere. */
static void set_breakpoint(struct trace *trace, uintptr_t address)
{
    size_t first = offsetof(struct user, u_debugreg[0]);
    size_t control = offsetof(struct user, u_debugreg[7]);

    if (trace->breakpoint == address)
        return;
    trace->breakpoint = address;
    set_register(trace->pid, control, 0);
    if (address == 0)
        return;
    set_register(trace->pid, first, address);
    set_register(trace->pid, control, 1); /* the first breakpoint is on, and is for execution */
}

uintptr_t trace_address(const struct trace *trace)
{
    void *offset = (void *)offsetof(struct user_regs_struct, rip);

    return (uintptr_t)ptrace(PTRACE_PEEKUSER, trace->pid, offset, NULL);
}

bool trace_is_asleep(pid_t pid)
{
    char path[64], text[256], *end;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    end = strrchr(text, ')');
    return end != NULL && strncmp(end, ") S", 3) == 0;
}

/* True: it has stopped or ended. False: it sleeps. */
static bool wait_or_asleep(struct trace *trace)
{
    struct timespec look = { .tv_nsec = LOOK_NS };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    while (waitpid(trace->pid, &trace->status, WNOHANG) == 0)
        if (sigtimedwait(&set, NULL, &look) < 0 && errno == EAGAIN && trace_is_asleep(trace->pid))
            return false;
    return true;
}

/* What a stop means; -1: a signal came, which it has to get before we go on. */
static int explain(struct trace *trace)
{
    siginfo_t info;

    trace->signal = 0;
    if (!WIFSTOPPED(trace->status))
        return TRACE_ENDED;
    if (WSTOPSIG(trace->status) != SIGTRAP) {
        trace->signal = WSTOPSIG(trace->status);
        return -1;
    }
    if (ptrace(PTRACE_GETSIGINFO, trace->pid, NULL, &info) == 0 && info.si_code == SI_KERNEL)
        return TRACE_RETURNED;
    return TRACE_BEFORE;
}

static void resume(const struct trace *trace)
{
    ptrace(trace->request, trace->pid, NULL, (void *)(uintptr_t)trace->signal);
}

enum trace_event trace_step(struct trace *trace)
{
    uintptr_t address = trace_address(trace);
    int event = -1;

    if (*(const unsigned char *)address == MARK)
        return TRACE_RETURNED;
    set_breakpoint(trace, 0);
    trace->request = PTRACE_SINGLESTEP;
    while (event < 0) {
        resume(trace);
        if (!trace_is_syscall(address))
            waitpid(trace->pid, &trace->status, 0);
        else if (!wait_or_asleep(trace))
            return TRACE_ASLEEP;
        event = explain(trace);
    }
    return event;
}

enum trace_event trace_wait(struct trace *trace)
{
    int event;

    for (;;) {
        if (!wait_or_asleep(trace))
            return TRACE_ASLEEP;
        event = explain(trace);
        if (event >= 0)
            return event;
        resume(trace);
    }
}

enum trace_event trace_go(struct trace *trace, uintptr_t address)
{
    set_breakpoint(trace, address);
    trace->request = PTRACE_CONT;
    resume(trace);
    return trace_wait(trace);
}

bool trace_attach(struct trace *trace, pid_t pid)
{
    *trace = (struct trace){ .pid = pid };
    if (waitpid(pid, &trace->status, 0) != pid || explain(trace) != TRACE_RETURNED)
        return false;
    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL);
    return true;
}

void trace_kill(struct trace *trace)
{
    if (trace->pid <= 0)
        return;
    kill(trace->pid, SIGKILL);
    while (waitpid(trace->pid, &trace->status, 0) == trace->pid && WIFSTOPPED(trace->status))
        ;
    trace->pid = 0;
}

void trace_release(struct trace *trace)
{
    set_breakpoint(trace, 0);
    ptrace(PTRACE_DETACH, trace->pid, NULL, (void *)(uintptr_t)trace->signal);
}

bool trace_is_syscall(uintptr_t address)
{
    const unsigned char *code = (const unsigned char *)address;

    return code[0] == 0x0F && code[1] == 0x05;
}

size_t trace_repeats(uintptr_t address)
{
    const unsigned char *code = (const unsigned char *)address;
    size_t at = 0;

    if (code[at] == 0x66)
        at++;
    if (code[at] != 0xF2 && code[at] != 0xF3)
        return 0;
    at++;
    if ((code[at] & 0xF0) == 0x40) /* REX */
        at++;
    /* movs and cmps; stos, lods and scas */
    if ((code[at] >= 0xA4 && code[at] <= 0xA7) || (code[at] >= 0xAA && code[at] <= 0xAF))
        return at + 1;
    return 0;
}

static volatile int landmark_visits;

__attribute__((noinline)) static void landmark(void)
{
    landmark_visits++;
}

static pid_t start_probe(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        trace_begin();
        trace_mark();
        landmark();
        landmark();
        trace_mark();
        _exit(0);
    }
    return pid;
}

/* Tries it, as an emulator or a sandbox may have only half of it. */
const char *trace_missing(void)
{
    const char *preload = getenv("LD_PRELOAD"), *missing = NULL;
    uintptr_t address = (uintptr_t)&landmark;
    struct trace trace;
    pid_t pid;

    if (preload != NULL && strstr(preload, "vgpreload") != NULL)
        return "valgrind executes no instruction of the program itself";
    pid = start_probe();
    if (pid < 0 || !trace_attach(&trace, pid))
        missing = "ptrace is not permitted";
    else if (trace_step(&trace) != TRACE_BEFORE)
        missing = "ptrace makes no single steps";
    else if (trace_go(&trace, address) != TRACE_BEFORE || trace_address(&trace) != address ||
             trace_go(&trace, address) != TRACE_BEFORE || trace_address(&trace) != address ||
             trace_go(&trace, address) != TRACE_RETURNED)
        missing = "there are no hardware breakpoints";
    if (pid > 0)
        trace_kill(&trace);
    return missing;
}
