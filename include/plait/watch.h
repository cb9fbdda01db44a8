/* Watches: signals, ends of processes, descriptors and changes of files, as things to wait for.
 * SPDX-License-Identifier: MIT
 *
 *     // before the first thread starts: the signal is waited for, not handled
 *     sigset_t set;
 *     sigemptyset(&set);
 *     sigaddset(&set, SIGTERM);
 *     pthread_sigmask(SIG_BLOCK, &set, NULL);
 *     ...
 *     if (plait_signal_wait((int[]){ SIGTERM }, 1, PLAIT_FOREVER) == SIGTERM)
 *         stop();
 *
 *     plait_waitable on[2];               // or with other things, until one of them is ready
 *     plait_on_fd(&on[0], listener, PLAIT_READABLE);
 *     plait_on_signal(&on[1], SIGTERM);
 *     while (plait_select(on, 2, PLAIT_FOREVER) == 0)
 *         take_one(listener);
 *
 *     if (plait_fd_wait(fd, PLAIT_READABLE, plait_after_ms(500)) > 0)
 *         n = read(fd, buf, sizeof buf);
 *
 *     plait_watch *watch;
 *     plait_watch_event event;
 *     plait_watch_open(&watch, "/etc/myservice");
 *     while (plait_watch_next(watch, &event, PLAIT_FOREVER) == 0)
 *         if (event.what & PLAIT_WATCH_WRITTEN)
 *             reload(event.name);
 *
 * In a coroutine all of them let the others run, as every wait in plait does.
 */
#ifndef PLAIT_WATCH_H
#define PLAIT_WATCH_H

#include <plait/export.h>
#include <plait/time.h>
#include <plait/waitable.h>

#include <stddef.h>
#include <sys/types.h>

PLAIT_BEGIN

/* Wait for one of some signals. plait changes no disposition and no mask: the caller blocks the
 * signals, in all threads of the program, or they are delivered as ever. Process tasks inherit that:
 * one with SIGTERM blocked is not ended by plait_task_terminate until it unblocks it.
 *
 *   signals   their numbers.
 *   n         how many.
 *   until     how long to wait.
 *   Returns   the number of the one that came; it is not pending any more.
 *   Blocks    until one comes or the deadline. A cancellation point. One that was pending already
 *             is told also after the deadline.
 *   From      any task. Of several that wait for the same signal, one gets it.
 *   Errors    -ETIMEDOUT  none came.
 *             -ECANCELED  the caller was asked to end.
 *             -EINVAL     signals is NULL, n is 0, a number is none, or one of them is not blocked in
 *                         the calling thread.
 *             -EMFILE     no descriptor is left.
 *             -ENOMEM     no memory.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_signal_wait(const int *signals, size_t n, plait_deadline until);

/* Ready when a signal is pending, so that plait_signal_wait with PLAIT_NOWAIT takes it. Nothing is
 * taken before.
 *
 *   ret       filled; untouched on failure.
 *   signal    its number; blocked, as plait_signal_wait says it, in each thread that selects on it.
 *   Blocks    no. A select that sleeps on it has a descriptor for it meanwhile.
 *   From      any task.
 *   Errors    -EINVAL  ret is NULL, the number is none, or it is not blocked in the calling thread.
 *   Fork      usable in the child, for the signals that the child gets.
 *   Since     0.1
 */
PLAIT_API int plait_on_signal(plait_waitable *ret, int signal);

/* Wait until a descriptor is ready.
 *
 *   fd        the descriptor, blocking or not.
 *   events    PLAIT_READABLE, PLAIT_WRITABLE or both.
 *   until     how long to wait.
 *   Returns   which of them it is ready for.
 *   Blocks    until it is ready or the deadline. A cancellation point; what is ready already is told
 *             also in a cancelled task and after the deadline. No signal handler ends it.
 *   From      any task. Of several that wait for the same, all are told.
 *   Errors    -ETIMEDOUT  it is not ready.
 *             -ECANCELED  the caller was asked to end.
 *             -EBADF      fd is not open; that somebody closes it meanwhile need not be noticed.
 *             -EINVAL     events is 0 or has other bits.
 *             -EMFILE     no descriptor is left, and one is needed to be cancelled.
 *             -ENOMEM     no memory.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_fd_wait(int fd, unsigned events, plait_deadline until);

/* Wait until any process has ended, also one that plait did not start. It is not reaped: that is
 * its parent's part.
 *
 *   pid       the process.
 *   until     how long to wait.
 *   Returns   0: it has ended.
 *   Blocks    until it has ended or the deadline. A cancellation point.
 *   From      any task.
 *   Errors    -ETIMEDOUT  it lives.
 *             -ESRCH      there is no such process (any more).
 *             -ECANCELED  the caller was asked to end.
 *             -EINVAL     pid is not positive.
 *             -EMFILE     no descriptor is left.
 *             -ENOMEM     no memory.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_pid_wait(pid_t pid, plait_deadline until);

/* Ready when a process has ended, so that plait_pid_wait does not wait, nor waitpid of a child.
 *
 *   ret       filled; untouched on failure.
 *   pid       the process: a child that has not been reaped, or another one. Of another one the
 *             number may be given to somebody else when it has ended, and is meant then.
 *   Blocks    no. A select that sleeps on it has a descriptor for it meanwhile.
 *   From      any task.
 *   Errors    -ESRCH   there is no such process (any more).
 *             -EINVAL  ret is NULL, or pid is not positive.
 *             -EMFILE  no descriptor is left.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_on_pid(plait_waitable *ret, pid_t pid);

/* A watch of a file or a directory; opaque. */
typedef struct plait_watch plait_watch;

/* What happened; several may be said at once. */
enum {
    PLAIT_WATCH_CHANGED = 1, /* its bytes, mode, owner or times */
    PLAIT_WATCH_WRITTEN = 2, /* one that wrote to it has closed it */
    PLAIT_WATCH_CREATED = 4, /* it is in the directory now: made, or moved there */
    PLAIT_WATCH_REMOVED = 8, /* it is not in the directory any more */
    PLAIT_WATCH_GONE = 16, /* what is watched itself was removed or moved: nothing else may come */
    PLAIT_WATCH_LOST = 32  /* too much happened, and some of it is not told: look for yourself */
};

typedef struct plait_watch_event {
    unsigned what;
    char name[256]; /* in the watched directory; "": what is watched itself */
} plait_watch_event;

/* Watch a file, or a directory with the files in it (not those below its directories).
 *
 *   ret       gets the watch; untouched on failure. Closed by plait_watch_close.
 *   path      the file or directory.
 *   Blocks    no longer than the file system takes to find it.
 *   From      any task.
 *   Errors    -ENOENT  there is no such file.
 *             -EACCES  it may not be read.
 *             -EINVAL  ret or path is NULL.
 *             -EMFILE  no descriptor is left, or a limit on watchers.
 *             -ENOSPC  a limit on watches (fs.inotify.max_user_watches).
 *             -ENOMEM  no memory.
 *   Fork      parent and child share what comes: each event is told to one of them.
 *   Since     0.1
 */
PLAIT_API int plait_watch_open(plait_watch **ret, const char *path);

/* Wait for the next thing that happens, or has happened since the watch was opened.
 *
 *   watch     the watch.
 *   ret       gets it; untouched on failure.
 *   until     how long to wait.
 *   Blocks    until something happens or the deadline. A cancellation point. What has happened
 *             already is told also after the deadline.
 *   From      any task, one at a time.
 *   Errors    -ETIMEDOUT  nothing happened.
 *             -ECANCELED  the caller was asked to end.
 *             -EINVAL     watch or ret is NULL.
 *             -ENOMEM     no memory.
 *   Fork      as plait_watch_open.
 *   Since     0.1
 */
PLAIT_API int plait_watch_next(plait_watch *watch, plait_watch_event *ret, plait_deadline until);

/* Ready when plait_watch_next would not wait.
 *
 *   ret       filled; untouched on failure.
 *   watch     the watch; must not be closed before the last select on it has begun.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  ret or watch is NULL.
 *   Fork      as plait_watch_open.
 *   Since     0.1
 */
PLAIT_API int plait_watch_on_next(plait_waitable *ret, plait_watch *watch);

/* End a watch.
 *
 *   watch     the watch; NULL is fine. Nobody may be waiting for it.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      in the child it closes the child's own.
 *   Since     0.1
 */
PLAIT_API void plait_watch_close(plait_watch *watch);

PLAIT_END

#endif
