/* Another process, executed as far as one likes: by single steps and by a breakpoint.
 * SPDX-License-Identifier: MIT
 *
 * The traced process is a fork of the tracing one, so that the same instruction is at the same
 * address in both. What is traced lies between two calls of trace_mark. trace_x86_64.c does it with
 * ptrace; trace_none.c, for other machines and for builds with a sanitizer, only says why not.
 */
#ifndef PLAIT_TESTS_TRACE_H
#define PLAIT_TESTS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum trace_event {
    TRACE_BEFORE,   /* stopped before the instruction at trace_address */
    TRACE_ASLEEP,   /* sleeps in a system call; trace_wait goes on waiting for it */
    TRACE_RETURNED, /* stopped at the second mark */
    TRACE_ENDED     /* it ended by itself; `status` says how */
};

struct trace {
    pid_t pid;
    uintptr_t breakpoint;
    int request; /* how it goes on */
    int signal;  /* came meanwhile, and goes to the process with the next instruction */
    int status;  /* of waitpid, at the last stop */
};

/* NULL, or why nothing can be traced here. */
const char *trace_missing(void);

/* For the process that will be traced: before the first mark. */
void trace_begin(void);
void trace_mark(void);

/* For the tracing process, which has SIGCHLD blocked. False: it ended before its first mark. */
bool trace_attach(struct trace *trace, pid_t pid);
/* One instruction; of one that repeats itself, one repetition. */
enum trace_event trace_step(struct trace *trace);
/* On, until the next time that this address is reached; 0: until the second mark. */
enum trace_event trace_go(struct trace *trace, uintptr_t address);
enum trace_event trace_wait(struct trace *trace);
uintptr_t trace_address(const struct trace *trace);
/* SIGKILL, at the very place where it is. */
void trace_kill(struct trace *trace);
/* Lets it run, untraced. */
void trace_release(struct trace *trace);

/* Does it sleep in a system call? */
bool trace_is_asleep(pid_t pid);
/* What stands at the address: a system call; an instruction that repeats itself (its length). */
bool trace_is_syscall(uintptr_t address);
size_t trace_repeats(uintptr_t address);

#endif
