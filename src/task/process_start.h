/* The start of a process task, as its parent and the new process know it.
 * SPDX-License-Identifier: MIT
 *
 * The new process stops at a gate before it enters its function. The parent hands a pidfd of it to
 * the keeper, then opens the gate. If the parent dies in between, the process reads the end of the
 * gate and ends; if it dies later the keeper, which reads all requests before it acts on its owner's
 * death, kills it. There is no moment at which the function runs unguarded.
 *
 * A process that has something to set up does so at the gate, and says when it has; one with a guard
 * (guard.h) says so too, since its parent does not know its pid.
 */
#ifndef PLAIT__TASK_PROCESS_START_H
#define PLAIT__TASK_PROCESS_START_H

#include "os/child.h"
#include "task/task.h"

struct plait__start {
    plait_task *task;
    const plait_task_opts *opts;
    struct plait__child_plan plan; /* with opts->process */
    pid_t parent;
    bool is_told; /* the process says when it is set up: the gate is a channel, else a pipe */
    int gate[2];  /* the process's, the parent's */
    int owner;    /* the parent's pidfd, for a guard; else -1 */
};

/* Forks the task. *ret is not needed: 0, and task->pidfd, task->id and task->guard are there. */
int plait__process_start(plait_task *task, const plait_task_opts *opts);

/* Before the function of any is entered: the others, which an earlier keeper guarded, are guarded by the
 * one that there is now. */
void plait__process_guard_again(void);

/* Has this process, or one that it is a fork of, begun without its parent's descriptors? Then those in
 * what it has inherited are somebody else's by now. */
bool plait__process_has_closed_others(void);
/* plait__os_close_others in such a one. */
void plait__process_close_others(const int *keep, size_t n);

struct plait__verdict;

/* In the new process: that it has set itself up, or -errno of what failed at that step; then
 * it does not return. */
void plait__process_tell(int channel, struct plait__verdict *verdict, int error, const char *step);
/* Waits until that is said, at the other end. 0, or the error, which the log has. One that was killed
 * meanwhile has been started: its end is told as that of any other. */
int plait__process_hear(const plait_task *task, int channel);

/* The life of the process, or of its guard. */
void plait__process_live(struct plait__start *start) __attribute__((noreturn));

#endif
