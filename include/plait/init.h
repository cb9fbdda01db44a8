/* Starting up.
 * SPDX-License-Identifier: MIT
 *
 *     int main(int argc, char **argv)
 *     {
 *         plait_init(&argc, &argv);     // first line of main
 *         …
 *     }
 */
#ifndef PLAIT_INIT_H
#define PLAIT_INIT_H

#include <plait/export.h>

PLAIT_BEGIN

/* Say, on the first line of main, that this program uses plait.
 *
 * A process that PLAIT_START_SPAWN has started is this program again, from its beginning up to here:
 * there it runs the task's function, and the call does not return.
 *
 * With it, plait makes its keeper (the small process that ends your tasks when this process dies)
 * before it starts its first thread, so that processes can be started later on. Where other threads
 * are there first, or the keeper dies beside them, the next one is this program again, from its
 * beginning up to here. Without it, a program that has started threads cannot have a keeper any more.
 * The keeper itself is made at the first need, not here.
 *
 *   argc      main's; not changed in this version.
 *   argv      main's; not changed in this version. A copy is kept, for processes that are spawned.
 *   Returns   0.
 *   Blocks    no.
 *   From      the main thread, before any other thread is started.
 *   Errors    -EINVAL  argc or argv is NULL.
 *             -ENOMEM  no memory.
 *   Fork      a child need not call it again.
 *   Since     0.1
 */
PLAIT_API int plait_init(int *argc, char ***argv);

/* Make the keeper now, not at the first need: while this process is small, and before it starts
 * threads of its own.
 *
 *   Returns   0, also when there is one already.
 *   Blocks    no longer than a fork of this process takes; beside other threads, than its start up to
 *             plait_init.
 *   From      any task.
 *   Errors    PLAIT_ETHREADS  other threads exist, and plait_init was not called first of all; or the
 *                             program has privileges of its file, or was started by an explicit call
 *                             of the loader.
 *             -EAGAIN         no process can be made (a limit on processes or on threads).
 *             -EMFILE         no descriptors left.
 *             -ENOMEM         no memory.
 *   Fork      the child has no keeper until it needs one of its own.
 *   Since     0.1
 */
PLAIT_API int plait_keeper_start(void);

/* The version of the library that runs, such as "0.1.0".
 *
 *   Returns   a constant string.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API const char *plait_version(void);

PLAIT_END

#endif
