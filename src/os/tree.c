/* Which processes descend from which, and signals to all of them, by /proc.
 * SPDX-License-Identifier: MIT
 *
 * A look at /proc is not a snapshot: while we read, processes fork, end, and their parents end.
 * Therefore a kill stops what it sees, looks again until nothing new has appeared — a stopped
 * process forks no more, but one that is told to stop in the middle of a fork finishes it first: all
 * must be seen standing still — and kills only then. It kills children before their parents: at the end
 * of a parent the kernel continues the stopped process groups that have become orphans, and a
 * continued process forks. A pid may be somebody else's by the time we signal it, so a pidfd is
 * opened and the start time compared once more first.
 */
#include "os/clock.h"
#include "os/fd.h"
#include "os/pidfd.h"
#include "os/process.h"
#include "os/stat_line.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A fork bomb may win some rounds; then we give up and say how many we killed. */
enum {
    KILL_ROUNDS = 1000,
    /* Rounds in which we only wait: a process that sleeps for good in the kernel never stands still,
     * but does not fork either. */
    KILL_PATIENCE = 100,
    LOOK_AGAIN_NS = 100 * 1000,
    /* An exec of the kernel's is a matter of microseconds, if it is not kept from running. */
    EXEC_PATIENCE = 2000,
};

struct process {
    pid_t pid;
    pid_t parent;
    pid_t group;
    bool dead;    /* a zombie: it exists, but runs no more */
    bool at_rest; /* stopped: it forks no more */
    bool meant;
    size_t depth;             /* how many of its ancestors are meant too; set before a kill */
    unsigned long long start; /* in clock ticks after boot: with the pid, unique */
};

struct table {
    struct process *rows;
    size_t n, cap;
};

/* Reads a small file of /proc whole; how many bytes, or -errno. */
static ssize_t read_proc(pid_t pid, const char *name, char *buf, size_t cap)
{
    char path[64];
    int fd;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    do
        n = read(fd, buf, cap);
    while (n < 0 && errno == EINTR);
    n = n < 0 ? -errno : n;
    close(fd);
    return n;
}

/* 0; -ESRCH: it is gone, or not ours to look at; -errno: it could not be read just now. */
static int read_process(pid_t pid, struct process *ret)
{
    char line[512], state;
    int parent, group, threads;
    unsigned long long start;
    ssize_t n = read_proc(pid, "stat", line, sizeof line - 1);

    if (n == -EMFILE || n == -ENFILE || n == -ENOMEM)
        return (int)n;
    if (n <= 0)
        return -ESRCH;
    line[n] = '\0';
    const char *rest = strrchr(line, ')'); /* the name before it may hold anything */
    if (rest == NULL ||
        sscanf(rest,
               ") %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %llu",
               &state, &parent, &group, &threads, &start) != 5)
        return -ESRCH;
    *ret = (struct process){ .pid = pid, .parent = parent, .group = group, .start = start };
    /* the main thread of a process may have ended while others of it go on */
    ret->at_rest = state == 'T' || state == 't';
    ret->dead = (state == 'Z' || state == 'X') && threads <= 1;
    return 0;
}

static int add_row(struct table *table, const struct process *row)
{
    if (table->n == table->cap) {
        size_t cap = table->cap == 0 ? 256 : table->cap * 2;
        struct process *rows = realloc(table->rows, cap * sizeof *rows);
        if (rows == NULL)
            return -ENOMEM;
        table->rows = rows;
        table->cap = cap;
    }
    table->rows[table->n++] = *row;
    return 0;
}

/* Not the /proc of another pid namespace, whose numbers mean others. */
static bool is_own_proc(void)
{
    char number[16];
    ssize_t n = readlink("/proc/self", number, sizeof number - 1);

    if (n <= 0)
        return false;
    number[n] = '\0';
    return strtol(number, NULL, 10) == getpid();
}

/* A child of ours that is meant: its pid is its own until we reap it. */
static bool is_own_child(const struct plait__tree *tree, const struct process *row)
{
    return row->parent == tree->adopter && row->parent == getpid() && tree->env == NULL &&
           !row->dead;
}

/* To stop: it is to be killed. One that forks and ends at once is gone when all have been read, and so
 * is the one that it has forked: a child of ours is therefore stopped at sight. */
static int read_table(struct table *table, const struct plait__tree *to_stop)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    struct process row;
    int rc = 0;

    table->n = 0;
    if (dir == NULL)
        return -errno;
    if (!is_own_proc()) {
        closedir(dir);
        return -ENOENT;
    }
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0)
            continue;
        rc = read_process(pid, &row);
        if (rc == 0)
            rc = add_row(table, &row);
        if (rc == 0 && to_stop != NULL && is_own_child(to_stop, &row))
            kill(pid, SIGSTOP);
        rc = rc == -ESRCH ? 0 : rc;
    }
    closedir(dir);
    return rc;
}

/* Does the environment that the process was started with have this string? One that ends with a dot
 * need only be the beginning of it. *ret_is_empty: it has none at all. */
static bool find_env(pid_t pid, const char *want, bool *ret_is_empty)
{
    char path[64], *line = NULL;
    size_t cap = 0, len = strlen(want);
    bool found = false, is_prefix = len > 0 && want[len - 1] == '.';
    FILE *file;

    *ret_is_empty = false;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    file = fopen(path, "re");
    if (file == NULL) /* gone, or not ours to look at */
        return false;
    *ret_is_empty = true;
    while (!found && getdelim(&line, &cap, '\0', file) > 0) {
        *ret_is_empty = false;
        found = strncmp(line, want, len) == 0 && (is_prefix || line[len] == '\0');
    }
    free(line);
    fclose(file);
    return found;
}

/* An environment that is empty: is it so because the process is in the middle of an exec? Then the
 * kernel has no address for its end yet. True as well when it has come meanwhile. */
static bool is_in_exec(pid_t pid)
{
    char line[PLAIT__STAT_BYTES];
    ssize_t n = read_proc(pid, "stat", line, sizeof line - 1);

    if (n <= 0)
        return false;
    line[n] = '\0';
    if (plait__os_stat_number(line, PLAIT__STAT_FLAGS) &
        (PLAIT__STAT_EXITING | PLAIT__STAT_OF_THE_KERNEL)) /* these have no memory at all */
        return false;
    unsigned long long end = plait__os_stat_number(line, PLAIT__STAT_ENV_END);
    return end == 0 || end != plait__os_stat_number(line, PLAIT__STAT_ENV_START);
}

/* Also when it comes to have it just now, by an exec. */
static bool has_env(pid_t pid, const char *want)
{
    bool found, is_empty;

    for (int i = 0; i < EXEC_PATIENCE; i++) {
        found = find_env(pid, want, &is_empty);
        if (!is_empty || !is_in_exec(pid))
            return found;
        plait__os_poll(NULL, 0, plait__os_now_ns() + LOOK_AGAIN_NS);
    }
    return false;
}

static bool is_selected(const struct plait__tree *tree, const struct process *row)
{
    if (row->pid == tree->root || (tree->group != 0 && row->group == tree->group))
        return true;
    if (tree->anywhere)
        return tree->env != NULL && has_env(row->pid, tree->env);
    if (tree->adopter != 0 && row->parent == tree->adopter)
        return tree->env == NULL || has_env(row->pid, tree->env);
    return false;
}

static int compare_pids(const void *a, const void *b)
{
    const struct process *left = a, *right = b;

    return (left->pid > right->pid) - (left->pid < right->pid);
}

static struct process *find_row(const struct table *table, pid_t pid)
{
    struct process key = { .pid = pid };

    return bsearch(&key, table->rows, table->n, sizeof key, compare_pids);
}

/* Marks what is meant: the selected, then their children until nothing is added. */
static void mark(const struct plait__tree *tree, struct table *table)
{
    bool added = true;
    pid_t self = getpid();

    if (table->n == 0) /* there is no array to sort */
        return;
    qsort(table->rows, table->n, sizeof *table->rows, compare_pids);
    for (size_t i = 0; i < table->n; i++) {
        struct process *row = &table->rows[i];
        row->meant = row->pid != self && !row->dead && is_selected(tree, row);
    }
    while (added) {
        added = false;
        for (size_t i = 0; i < table->n; i++) {
            struct process *row = &table->rows[i], *parent;
            if (row->meant || row->pid == self)
                continue;
            parent = find_row(table, row->parent);
            if (parent != NULL && parent->meant)
                row->meant = added = true;
        }
    }
}

static int signal_pid(pid_t pid, int signal)
{
    return kill(pid, signal) < 0 ? -errno : 0;
}

/* Signals the process only if it is still the one that we saw. 0; -ESRCH: it is gone; -EPERM; another
 * -errno: it could not be looked at just now. */
static int signal_row(const struct process *row, int signal)
{
    struct process now;
    int pidfd = plait__os_pidfd_open(row->pid);
    int rc = read_process(row->pid, &now);

    if (rc == 0 && (now.start != row->start || now.dead))
        rc = -ESRCH;
    if (rc == 0) /* out of descriptors: by pid, with the smallest possible window */
        rc = pidfd >= 0 ? plait__os_pidfd_signal(pidfd, signal) : signal_pid(row->pid, signal);
    if (pidfd >= 0)
        close(pidfd);
    return rc;
}

static bool was_stopped(const struct table *stopped, const struct process *row)
{
    for (size_t i = 0; i < stopped->n; i++)
        if (stopped->rows[i].pid == row->pid && stopped->rows[i].start == row->start)
            return true;
    return false;
}

/* Without /proc, or without memory, the group is what the kernel itself can find. */
static int signal_group(const struct plait__tree *tree, int signal, int error)
{
    if (tree->group == 0)
        return error;
    return kill(-tree->group, signal) == 0;
}

int plait__os_tree_signal(const struct plait__tree *tree, int signal)
{
    struct table table = { 0 };
    int rc = read_table(&table, NULL), met = 0;

    if (rc == 0)
        mark(tree, &table);
    for (size_t i = 0; rc == 0 && i < table.n; i++)
        if (table.rows[i].meant && !table.rows[i].dead && signal_row(&table.rows[i], signal) == 0)
            met++;
    free(table.rows);
    return rc < 0 ? signal_group(tree, signal, rc) : met;
}

static bool has_child(const struct table *table, pid_t pid)
{
    for (size_t i = 0; i < table->n; i++)
        if (table->rows[i].parent == pid && !table->rows[i].dead)
            return true;
    return false;
}

/* A process in a vfork does not stand still before its child has ended or exec'd, and the child,
 * which was stopped, will do neither: it is killed first. So is any child without children of its
 * own whose parent is not at rest yet: it was to die before its parent anyway, and the parent, told
 * to stop, does not come to see it. How many were killed. */
static int kill_awaited(const struct table *table, const struct table *stopped)
{
    int killed = 0;

    for (size_t i = 0; i < table->n; i++) {
        const struct process *row = &table->rows[i], *parent = find_row(table, row->parent);
        if (row->meant && row->at_rest && parent != NULL && parent->meant && !parent->at_rest &&
            was_stopped(stopped, parent) && !has_child(table, row->pid))
            killed += signal_row(row, SIGKILL) == 0;
    }
    return killed;
}

/* Stops all that are meant and not stopped yet, and notes them. 2: there were some, look again; 1:
 * none, but not all stand still yet; 0: all do; -errno. */
static int stop_round(const struct plait__tree *tree, struct table *table, struct table *stopped)
{
    int rc = read_table(table, tree);
    bool is_new = false, is_moving = false;

    if (rc == 0)
        mark(tree, table);
    for (size_t i = 0; rc == 0 && i < table->n; i++) {
        const struct process *row = &table->rows[i];
        if (!row->meant || row->dead)
            continue;
        if (was_stopped(stopped, row)) {
            is_moving = is_moving || !row->at_rest;
            continue;
        }
        int sent = signal_row(row, SIGSTOP);
        if (sent == 0)
            rc = add_row(stopped, row);
        /* who is gone may have left a child behind */
        is_new = is_new || sent != -EPERM;
    }
    if (rc == 0 && is_moving && !is_new)
        plait__os_poll(NULL, 0, plait__os_now_ns() + LOOK_AGAIN_NS);
    return rc < 0 ? rc : is_new ? 2 : is_moving;
}

static int compare_depths(const void *a, const void *b)
{
    const struct process *left = a, *right = b;

    return (left->depth < right->depth) - (left->depth > right->depth);
}

/* Brings children before their parents. */
static void sort_leaves_first(struct table *table)
{
    if (table->n == 0)
        return;
    qsort(table->rows, table->n, sizeof *table->rows, compare_pids);
    for (size_t i = 0; i < table->n; i++) {
        const struct process *up = &table->rows[i];
        size_t depth = 0;
        /* the bound: rows of different moments could make a circle */
        while (depth < table->n && (up = find_row(table, up->parent)) != NULL)
            depth++;
        table->rows[i].depth = depth;
    }
    qsort(table->rows, table->n, sizeof *table->rows, compare_depths);
}

/* Whom we have stopped ends only if somebody kills it: out of descriptors its pid is good enough. */
static bool kill_stopped(const struct process *row)
{
    int rc = signal_row(row, SIGKILL);

    return (rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM ? signal_pid(row->pid, SIGKILL) : rc) ==
           0;
}

int plait__os_tree_kill(const struct plait__tree *tree)
{
    struct table table = { 0 }, stopped = { 0 };
    int rc = 2, killed = 0, patience = KILL_PATIENCE;

    for (int round = 0; round < KILL_ROUNDS && rc > 0 && patience > 0; round++) {
        rc = stop_round(tree, &table, &stopped);
        patience -= rc == 1;
        if (rc == 1)
            killed += kill_awaited(&table, &stopped);
    }
    /* out of memory or out of descriptors: what was stopped is killed all the same */
    sort_leaves_first(&stopped);
    for (size_t i = 0; i < stopped.n; i++)
        killed += kill_stopped(&stopped.rows[i]);
    for (size_t i = 0; rc < 0 && i < table.n; i++) /* stopped at sight, and not noted any more */
        if (is_own_child(tree, &table.rows[i]) && !was_stopped(&stopped, &table.rows[i]))
            killed += kill(table.rows[i].pid, SIGKILL) == 0;
    free(table.rows);
    free(stopped.rows);
    return killed == 0 && rc < 0 ? signal_group(tree, SIGKILL, rc) : killed;
}
