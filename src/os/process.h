/* Processes: fork, spawn, wait, signal; which processes descend from which.
 * SPDX-License-Identifier: MIT
 *
 * Functions return 0, a count, a pid or a descriptor; negative is -errno.
 */
#ifndef PLAIT__OS_PROCESS_H
#define PLAIT__OS_PROCESS_H

#include "os/child.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How a process ended, and what it used. */
struct plait__death {
    pid_t pid;
    int status;      /* exit status; meaningful when signal is 0 */
    int signal;      /* the signal that ended it; 0: it exited */
    bool core;       /* it dumped core */
    bool known;      /* false: somebody else reaped it, and the kernel does not tell any more */
    bool is_untold;  /* not known, because the kernel does not tell yet: ask again in a moment */
    bool has_usage;  /* the figures below are there */
    int64_t user_ns; /* CPU time */
    int64_t system_ns;
    int64_t peak_kib; /* peak resident memory */
};

/* fork(2) with the C library's own work done. 0 in the child. */
pid_t plait__os_fork(void);

/* A child that the caller's wait() does not see and whose end sends no signal. 0 in the child,
 * *ret_pidfd in the parent. pre: no other threads (the C library's locks are not taken care of). */
pid_t plait__os_fork_hidden(int *ret_pidfd);

/* Reaps the process behind a pidfd; *ret gets its end. -EAGAIN: it lives. When the host reaped it,
 * ret->known says whether the kernel still told. Never waits. */
int plait__os_pidfd_wait(int pidfd, struct plait__death *ret);
/* Reaps any one child: its pid; 0: none has ended; -ECHILD: there is none. Only the keeper may wait
 * for all. */
pid_t plait__os_wait_any(struct plait__death *ret);

/* Waits for a child that ends by itself, whoever it is; for what was started only to be given up
 * again. */
void plait__os_reap(pid_t pid);
/* How many threads of this process run; a sanitizer's own are not counted, nor one that was joined.
 * -ENOENT: there is no /proc; -errno: it could not be read just now. */
int plait__os_thread_count(void);

/* What a program is started with. The strings are used until the call returns. */
struct plait__spawn {
    const char *file; /* the program: a path, or a name to look up in PATH */
    char *const *argv;
    char *const *envp;
    struct plait__child_setup child;
    bool dies_with_parent; /* SIGKILL when the caller's process ends */
    uint64_t ignored;      /* bit n-1: signal n becomes ignored */
    uint64_t defaulted;    /* bit n-1: signal n becomes its default action; the others stay */
    void *stack;           /* from plait__os_spawn_stack(), not in use elsewhere */
    bool has_handlers;     /* the caller may have signal handlers */
    const char *path;      /* where to look up a name; NULL: the PATH of the caller */
    int *ret_pidfd;        /* gets a pidfd of it; NULL: none is wanted */
    /* no child of the caller, unless that adopts orphans: its wait() does not see it, nor does any
     * SIGCHLD come. With ret_pidfd, and whatever runs is told by it alone */
    bool is_orphan;
    int (*first)(void *); /* in the child before all else: 0 or -errno; as plait__os_child_set_up */
    void *first_arg;
};

/* pre: the caller has no signal handlers, or says so (they would run in the child while it shares our
 * memory). Starts a program; the cost does not depend on the caller's size. Its pid, or -errno of what
 * failed (exec included); *ret_step names the step that failed ("exec", "chdir", …). -ESRCH of an
 * orphan: somebody has killed what makes it; it may run. */
pid_t plait__os_spawn(const struct plait__spawn *spawn, const char **ret_step);
void *plait__os_spawn_stack(void);
void plait__os_spawn_stack_free(void *stack);

/* Which processes are meant. The selections add up; then everything below the selected ones by
 * parent is meant too. */
struct plait__tree {
    pid_t root;    /* this process; 0: none */
    pid_t group;   /* this process group; 0: none */
    pid_t adopter; /* children of this process … */
    /* … whose initial environment has this string; if it ends with a dot: one that begins so. NULL:
     * all children. */
    const char *env;
    bool anywhere; /* with env: of any process, not only of `adopter` */
};

/* Sends the signal to all processes meant, never to the caller: how many live ones it met. -errno
 * when /proc cannot be read. */
int plait__os_tree_signal(const struct plait__tree *tree, int signal);
/* SIGKILLs them: stops all, looks again until nobody new has come, then kills, children first. How
 * many it killed. Who forks and ends faster than /proc can be read may be missed: call it again until
 * nobody is met. */
int plait__os_tree_kill(const struct plait__tree *tree);

/* End this process with its parent: the kernel sends `signal` when the thread that forked it is gone.
 * -ESRCH: `parent` is gone already, and nobody will send it. */
int plait__os_die_with_parent(pid_t parent, int signal);
/* Leave the process group, for one of our own. */
void plait__os_lead_group(void);
/* Join that process group; where it is gone, or of another session, one of our own. */
void plait__os_join_group(pid_t group);
/* Adopt orphaned descendants. */
int plait__os_adopt_orphans(void);
void plait__os_set_process_name(const char *name);
/* The name that an exec of the program gives. */
void plait__os_set_own_name(void);
/* 64 random bits. */
uint64_t plait__os_random(void);

#endif
