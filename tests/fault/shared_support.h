/* What the parts of the fault injector's shared program have in common.
 * SPDX-License-Identifier: MIT
 */
#ifndef FAULT_SHARED_SUPPORT_H
#define FAULT_SHARED_SUPPORT_H

#include <plait.h>

#include <stdbool.h>
#include <sys/types.h>

enum {
    LARGE = 100000 /* more than goes through a pipe, or through a small queue's ring */
};

extern int n_errors;      /* atomic: calls that failed as they may */
extern char large[LARGE]; /* a large item */

/* The errors that calls may give here, as their headers say; ended by 0. */
extern const int of_nothing[], of_family[], of_threads[], of_system[];

/* A guard: nothing here takes as long, and whoever waits so long hangs. */
plait_deadline soon(void);

/* Aborts unless it holds. */
void must(const char *what, bool holds);

/* Did the call work? Aborts when it gave an error that is not documented. */
bool worked(const char *what, ssize_t rc, const int *documented);

/* Runs it here, in a thread, and in a process. */
void in_all(plait_task_fn *use, void *arg);

/* Forks, by hand: the keeper is task_program.c's. -1: there is none, and that was said. */
pid_t begin_process(plait_task_fn *use, void *arg);

/* True: it has ended, and nothing failed in it. */
bool end_process(pid_t pid);

/* Aborts when more is open then than was before, but for the family's memory. */
void remember_fds(void);
void check_fds(void);

/* Aborts when the heap holds something. */
void check_heap(void);

/* The parts: name is a path or a name that nobody else has. */
void run_heap(const char *name);
void run_sync(const char *name);
void run_queue(const char *name);
void run_values(const char *name);
void run_pipe(const char *name);
void run_select(const char *name);
void run_segment(const char *name);
void run_pool(const char *name);
void run_coroutines(const char *name);
void run_subprocess(const char *name);

#endif
